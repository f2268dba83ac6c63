"""Decoding the frames of a segment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob.media.protocol.messages import DecodeReport, DecodeRequest, Frame, Ring


class FrameRing(Ring, Protocol):
    """Frame slots in memory that the decoder process writes and, where it can, the server reads.

    A ring is a plain file (in memory where the platform has such a place), so nobody copies a frame to pass it on.
    """

    def view(self, first_slot: int, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """(count, height, width, channels) view on neighbouring slots, no copy; `shape` must fill `slot_bytes`."""
        ...


class SegmentFrames(Protocol):
    """The selected frames of one segment, as they are decoded."""

    def __iter__(self) -> Iterator[Frame]:
        """Frames in presentation order; blocks until one is there. Raises InputError subclasses."""
        ...

    def release(self, slot: int) -> None:
        """Gives a slot back; the decoder waits when none is free."""
        ...

    def report(self) -> DecodeReport:
        """After the last frame: what the decoding came to."""
        ...


class Decoder(Protocol):
    """A decoder process for many segments, one at a time. Restarted by itself after a crash."""

    def open(self, request: DecodeRequest, ring: FrameRing) -> SegmentFrames:
        """Starts decoding a segment into the ring, slots 0, 1, 2, … and round; what was open before is dropped."""
        ...

    def close(self) -> None:
        """Ends the process."""
        ...
