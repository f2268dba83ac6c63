"""A thread that decodes ahead with PyAV, straight to the model's pixels: what a good script has."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from bench.peers.model import Pixels
from videojob.media.decoding.picture import PictureWriter
from videojob.media.decoding.view import View
from videojob.vision.tensors import Geometry, PixelInput

AHEAD_FRAMES = 64


def pictures(clip: Path, frames: int, threads: int | None) -> Iterator[av.VideoFrame]:
    """The first decoded pictures; `threads` None lets FFmpeg take as many as it likes."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        if threads is None:
            stream.thread_type = "AUTO"
        else:
            stream.codec_context.thread_count = threads
        yield from itertools.islice(container.decode(stream), frames)


def decode(clip: Path, frames: int, geometry: Geometry, pixels: PixelInput) -> Iterator[Pixels]:
    """(height, width, 3) pixels of the first frames, each in memory of its own.

    The pictures are scaled by the code that ours uses, so that boxes can be equal; what is compared is everything
    around it.
    """
    writer, view = PictureWriter(geometry, pixels.colour, pixels.pad_value), _view(geometry)
    for number, picture in enumerate(pictures(clip, frames, threads=None)):
        slot = np.empty((geometry.height, geometry.width, 3), np.uint8)
        writer.write(picture, view, slot, number)
        yield slot


def decode_into(slots: Sequence[Pixels], clip: Path, frames: int, geometry: Geometry, pixels: PixelInput) -> int:
    """Decodes the first frames with one thread into the slots, round and round; how many there were."""
    writer, view = PictureWriter(geometry, pixels.colour, pixels.pad_value), _view(geometry)
    count = 0
    for count, picture in enumerate(pictures(clip, frames, threads=1), 1):
        slot = (count - 1) % len(slots)
        writer.write(picture, view, slots[slot], slot)
    return count


def _view(geometry: Geometry) -> View:
    """Of the bench's clips: upright, their pixels square."""
    return View(geometry.source_width, geometry.source_height, 0, is_mirrored=False, aspect=Fraction(1))


class DecodeThread:
    """Runs `decode` in a thread, `AHEAD_FRAMES` ahead.

    Args:
        clip, frames, geometry, pixels: as `decode` takes them.
    """

    def __init__(self, clip: Path, frames: int, geometry: Geometry, pixels: PixelInput) -> None:
        self._source = decode(clip, frames, geometry, pixels)
        self._queue: queue.Queue[tuple[int, Pixels] | None] = queue.Queue(AHEAD_FRAMES)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for numbered in enumerate(self._source):
                self._queue.put(numbered)
        finally:
            self._queue.put(None)

    def __iter__(self) -> Iterator[tuple[int, Pixels]]:
        """(number, pixels), shared between all threads that iterate."""
        while (item := self._queue.get()) is not None:
            yield item
        self._queue.put(None)
