"""Decoding in tests: a request with defaults, and what came out of it, pixels as hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videojob.media.parent.decoder import DecoderProcess
from videojob.media.protocol.messages import DecodeReport, DecodeRequest
from videojob.media.protocol.ring import FileRing
from videojob.video.info import Sampling, Segment, VideoInfo
from videojob.vision.tensors import Geometry

WHOLE = Segment(index=0, video=0, start_pts=None, end_pts=None)


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame as it arrived: its time, and its pixels (None for a gated one)."""

    pts: int
    time_ms: int
    pixels: NDArray[np.uint8] | None

    @property
    def digest(self) -> tuple[int, str]:
        """Time and pixels, comparable."""
        return self.pts, "" if self.pixels is None else hashlib.sha256(self.pixels.tobytes()).hexdigest()


def same_size(info: VideoInfo) -> Geometry:
    """The upright picture as it is, without padding."""
    width, height = info.display_size
    return Geometry(width, height, width, height, 1.0, 1.0, 0, 0)


def request_for(path: Path, info: VideoInfo, segment: Segment = WHOLE, **changes: object) -> DecodeRequest:
    """A request for every frame of a segment at its own size, failing on damage, with changes."""
    request = DecodeRequest(path, info, segment, Sampling(), same_size(info), "RGB", 114, skip_corrupt=False)
    return replace(request, **changes)  # type: ignore[arg-type]


@contextmanager
def ring_for(geometry: Geometry, slots: int = 6) -> Iterator[FileRing]:
    """A ring for frames of one size, removed at the end."""
    ring = FileRing(slots, geometry.width * geometry.height * 3)
    try:
        yield ring
    finally:
        ring.close()


def decode(decoder: DecoderProcess, request: DecodeRequest, slots: int = 6) -> tuple[list[Decoded], DecodeReport]:
    """Every frame of a segment, and the report."""
    geometry = request.geometry
    shape = (geometry.height, geometry.width, 3)
    taken: list[Decoded] = []
    with ring_for(geometry, slots) as ring:
        frames = decoder.open(request, ring)
        for frame in frames:
            pixels = None if frame.slot is None else ring.view(frame.slot, 1, shape)[0].copy()
            if frame.slot is not None:
                frames.release(frame.slot)
            taken.append(Decoded(frame.pts, frame.time_ms, pixels))
        return taken, frames.report()


def decode_all(
    decoder: DecoderProcess, path: Path, info: VideoInfo, segments: Sequence[Segment], **changes: object
) -> list[Decoded]:
    """Every frame of several segments, one after the other."""
    return [frame for segment in segments for frame in decode(decoder, request_for(path, info, segment, **changes))[0]]
