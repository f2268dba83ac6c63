"""What the runner is given, and what it says while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob.errors import ProcessingFault, VideoJobError
from videojob.media.protocol.messages import PagedSource
from videojob.ports.clock import Clock
from videojob.ports.decoding import Decoder
from videojob.ports.inference import Inference
from videojob.ports.results import CommitOutcome, Sink
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit
from videojob.video.guide import SegmentGuide
from videojob.video.identity import RunSettings
from videojob.video.info import Segment, VideoInfo
from videojob.vision.tensors import Detections, Geometry


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What tells whether a file is still the same: its length and when it was last written, in nanoseconds."""

    size_bytes: int
    modified_ns: int


def file_stamp(path: Path) -> FileStamp | None:
    """The file's stamp now; None when it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return FileStamp(facts.st_size, facts.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """One input: either `info`, `path` and `stamp`, or `error`; `name` is what the user calls it, "" when nothing."""

    video: int
    uri: str
    name: str
    version: str
    path: Path | None
    info: VideoInfo | None
    error: VideoJobError | None
    stamp: FileStamp | None = None


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """One segment to run.

    Attributes:
        stamp: of the file when the job was planned; None when nothing can replace it, as a private copy.
        run: as the sink's `begin` returned it.
        path: local file with the video.
        info: what probing said of the video.
        segment: the stretch.
        settings: how.
        pages: what fills the file as it is read; None when it is whole.
        guide: what the planner knows of the segment; None when it knows nothing.
    """

    run: RunRecord
    path: Path
    info: VideoInfo
    segment: Segment
    settings: RunSettings
    stamp: FileStamp | None = None
    pages: PagedSource | None = None
    guide: SegmentGuide | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a segment is: frames in the results so far, of which `frames_inferred` went through the model."""

    segment: int
    video: int
    frames_done: int
    frames_inferred: int


@dataclass(frozen=True, slots=True)
class SegmentOutcome:
    """A finished segment."""

    commit: SegmentCommit
    outcome: CommitOutcome


class FrameObserver(Protocol):
    """Sees every selected frame with its boxes in presentation order, as the preview and the per-frame file do."""

    def frame(self, time_ms: int, pixels: NDArray[np.uint8] | None, found: Detections) -> None:
        """One frame.

        Args:
            time_ms: from the video's first frame.
            pixels: (height, width, 3) uint8 at model size, valid during the call; None for a gated frame.
            found: boxes in upright source pixels.
        """
        ...

    def finish(self) -> None:
        """All frames were seen: completes the output, still unseen, before the segment's own commit."""
        ...

    def commit(self) -> None:
        """This segment's result is the stored one: makes the output visible."""
        ...

    def discard(self) -> None:
        """The segment is given up, or another result was stored: leaves nothing behind and raises nothing."""
        ...


class ObserverFactory(Protocol):
    """Makes the observers of one segment."""

    def __call__(self, task: SegmentTask, geometry: Geometry) -> list[FrameObserver]:
        """New observers for one segment."""
        ...


def no_observers(task: SegmentTask, geometry: Geometry) -> list[FrameObserver]:  # noqa: ARG001 - an ObserverFactory
    """The usual case: aggregates only."""
    return []


@dataclass(frozen=True, slots=True)
class SegmentTools:
    """The runner's hands, made once per process.

    Attributes:
        decoder, inference, sink, clock: the ports.
        in_flight_frames: most frames with the server at once, from this runner.
        stopped: says whether the process was asked to stop; the runner then drops the segment with Cancelled.
        progress: called a few times per second.
        own_peak_rss_bytes: this process's highest resident memory so far.
        observers: see `FrameObserver`.
        instance_type: of this machine, as in "c7i.xlarge"; "" when nothing tells it.
    """

    decoder: Decoder
    inference: Inference
    sink: Sink
    clock: Clock
    in_flight_frames: int
    stopped: Callable[[], bool]
    progress: Callable[[Progress], None]
    own_peak_rss_bytes: Callable[[], int] = lambda: 0
    observers: ObserverFactory = no_observers
    instance_type: str = ""


def unexpected(error: Exception, *, uri: str | None = None) -> VideoJobError:
    """A fault of the program as an error of the tree; its traceback is for the log."""
    found = VideoJobError(_named(error), uri=uri, hint="This is a fault of the program: please report it.")
    found.__cause__ = error
    return found


def fault_in_video(error: Exception, uri: str, segment: int | None = None) -> ProcessingFault:
    """A fault of the program that one video brought out; its traceback is for the log."""
    found = ProcessingFault(_named(error), uri=uri, segment=segment)
    found.__cause__ = error
    return found


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def may_pass(error: VideoJobError) -> bool:
    """Whether another run may do better: after a passing error, or with a version that has the fault fixed."""
    return error.retryable or isinstance(error, ProcessingFault) or type(error) is VideoJobError
