"""What is requested of the decoder process, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from videojob.video.guide import SegmentGuide
from videojob.video.info import Sampling, Segment, VideoInfo
from videojob.vision.tensors import Geometry

COUNTER_BYTES = 4
"""Of one block's counter, see `PagedSource.presence`."""


class Ring(Protocol):
    """A file of frame slots that the decoder process writes."""

    @property
    def path(self) -> Path:
        """The file behind the ring, for another process on this host to map."""
        ...

    @property
    def slots(self) -> int:
        """How many frames it holds."""
        ...

    @property
    def slot_bytes(self) -> int:
        """Bytes from one slot's start to the next one's."""
        ...


class PagedSource(Protocol):
    """A video that is brought here block by block, as the decoder asks for it.

    The decoder process reads `path` and `presence`; its parent answers what is missing. One reader at a time.
    """

    @property
    def path(self) -> Path:
        """A sparse file of the video's full length."""
        ...

    @property
    def presence(self) -> Path:
        """A file with one counter of 32 bits for each block, in the machine's order: odd while the block is there.

        A counter moves on before its block is taken away, and after the block was written.
        """
        ...

    @property
    def size_bytes(self) -> int:
        """Of the whole video."""
        ...

    @property
    def block_bytes(self) -> int:
        """Of every block but the last one."""
        ...

    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        """Only in these stretches, (first byte, the one behind the last), is more read than is asked for: ahead, and
        never beyond their ends. Until the first call, whoever reads on is believed to read on.
        """
        ...

    def touch(self, block: int) -> None:
        """Reading has come to a block: it stays until the next touch, and what follows may be brought ahead."""
        ...

    def ensure(self, block: int, count: int = 1) -> None:
        """Brings a block and keeps it until the next touch; `count` blocks from there on are sure to be read.

        Raises InputError subclasses, SetupError and Cancelled.
        """
        ...

    def close(self) -> None:
        """Removes the files; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class DecodeRequest:
    """One segment to decode.

    Attributes:
        path: local regular file that holds the video.
        info: what `probe` said of it.
        segment: the stretch.
        sampling: which frames of it.
        geometry: where the picture goes in the model's input.
        colour: order of the channels in the slots.
        pad_value: 0..255, what padding is filled with.
        skip_corrupt: go on behind a corrupt stretch and name the gap, instead of failing.
        pages: what fills the file; None when it is whole.
        guide: what the planner knows of the segment; used for a paged file only.
    """

    path: Path
    info: VideoInfo
    segment: Segment
    sampling: Sampling
    geometry: Geometry
    colour: Literal["RGB", "BGR"]
    pad_value: int
    skip_corrupt: bool
    pages: PagedSource | None = None
    guide: SegmentGuide | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One selected frame, in presentation order.

    Attributes:
        seq: 0-based position among the selected frames of the segment.
        pts: presentation time in ticks.
        time_ms: the same in milliseconds from the video's first frame.
        slot: where its pixels lie in the ring, (height, width, 3) uint8; None when the motion gate
            found it still: the last frame's detections stand for it.
    """

    seq: int
    pts: int
    time_ms: int
    slot: int | None


@dataclass(frozen=True, slots=True)
class DecodeGap:
    """A stretch that could not be decoded, `[start_ms, end_ms)` from the video's first frame, and why."""

    start_ms: int
    end_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class DecodeReport:
    """What one segment's decoding came to, sent behind its last frame.

    Attributes:
        frames_decoded: pictures that left the decoder inside the segment.
        frames_selected: those that the sampling asked for.
        frames_gated: selected ones that the motion gate found still.
        first_ms, last_ms: presentation time of the first and last decoded frame; None when there was none.
        gaps: corrupt stretches, ascending.
        busy_s: seconds the decoder process spent at work, waiting for free slots not counted.
        peak_rss_bytes: the decoder process's highest resident memory so far.
    """

    frames_decoded: int
    frames_selected: int
    frames_gated: int
    first_ms: int | None
    last_ms: int | None
    gaps: tuple[DecodeGap, ...]
    busy_s: float
    peak_rss_bytes: int
