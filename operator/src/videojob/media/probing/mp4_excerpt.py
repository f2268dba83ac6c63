"""The index of an MP4 for some of its segments only: a moov box that stands where the file's own does, and is smaller.

It has the samples that opening the file reads, those of the segments, and a little around them. All else in it is the
file's own, so FFmpeg makes of these samples what it makes of them in the whole index. Runs in the decoder process only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from videojob.media.containers import structure
from videojob.media.containers.mp4_tables import (
    Column,
    NoTables,
    Samples,
    pack,
    samples_of,
    skeleton_of,
    track_of,
    unpack,
    with_samples,
)
from videojob.media.opening.container import Source

_MOST_INDEX_BYTES = 1 << 30
_HEAD_SAMPLES = (
    128  # opening the file never comes to the end of them, or it would read what it does not read without us
)
_TAIL_SAMPLES = 128  # pictures behind a segment that a decoder may want before it gives out the last one inside
_FARTHEST_TICKS = 1 << 30  # from one sample to the next one: an entry of a table holds 32 bits
_READ_ON = 4  # pictures behind the next keyframe that are read to know that the segment is over
_HEADER = struct.Struct(">QQ")
_FREE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Mp4Index:
    """The index of one video, read.

    Attributes:
        at: first byte of its box. length: bytes of it.
        skeleton: what every excerpt has, see `mp4_tables.skeleton_of`.
        samples: all of the video's track.
        head: how many of them every excerpt has.
    """

    at: int
    length: int
    skeleton: bytes
    samples: Samples
    head: int

    @property
    def common(self) -> bytes:
        """What all excerpts share."""
        head = pack(self.samples.take(np.arange(self.head)))
        return _HEADER.pack(self.at, self.length) + zlib.compress(self.skeleton, 9) + head

    def keyframes(self, places: Sequence[int]) -> list[int]:
        """Which samples begin at these bytes. Raises NoTables when one does not."""
        keys = np.flatnonzero(self.samples.key)
        order = keys[np.argsort(self.samples.at[keys])]
        found = np.searchsorted(self.samples.at[order], np.asarray(places, np.int64))
        if (found >= len(order)).any() or (self.samples.at[order[found]] != places).any():
            raise NoTables("a cut is not at a keyframe of the index")
        return [int(one) for one in order[found]]

    def span(self, first: int, stop: int) -> tuple[int, int]:
        """(first byte, the one behind the last) of what is read for the samples from `first` to before `stop`."""
        chosen = slice(first, min(stop + _READ_ON, len(self.samples)) if stop < len(self.samples) else stop)
        ends = self.samples.at[chosen] + self.samples.size[chosen]
        return int(self.samples.at[chosen].min()), int(ends.max())

    def before(self, keyframe: int) -> int | None:
        """Ticks from the picture that is presented last before a keyframe to it; None when there is none."""
        around = slice(max(0, keyframe - _TAIL_SAMPLES), keyframe + _TAIL_SAMPLES)
        times = self.samples.dts[around] + self.samples.later[around]
        own = int(self.samples.dts[keyframe] + self.samples.later[keyframe])
        earlier = times[times < own]
        return own - int(earlier.max()) if len(earlier) else None

    def excerpt(self, first: int, stop: int) -> bytes:
        """What leads to the samples from `first` to before `stop`, and not to others.

        Raises:
            NoTables: it would not fit in the place of the whole index.
        """
        keys = np.flatnonzero(self.samples.key[: max(first, 1)])
        begin = max(self.head, int(keys[-1]) if len(keys) else 0)
        chosen = np.arange(begin, min(stop + _TAIL_SAMPLES, len(self.samples)))
        chosen = np.union1d(self._stones(begin), chosen)
        own = pack(self.samples.take(chosen))
        restored(self.common, own)
        return own

    def _stones(self, begin: int) -> Column:
        """Samples on the way from the head to the segments, so that no step is too long; one has the least lateness."""
        dts = self.samples.dts
        times = np.arange(dts[self.head - 1], dts[min(begin, len(dts) - 1)], _FARTHEST_TICKS)
        stones = np.searchsorted(dts, times)
        least = int(self.samples.later.argmin())
        if self.samples.later[least] < 0:
            stones = np.append(stones, least)
        return stones[stones >= self.head].astype(np.int64)


def read_index(file: BinaryIO, size: int, source: Source, head: Sequence[tuple[int, int]]) -> Mp4Index:
    """The index of an opened file.

    Args:
        file: the video.
        size: bytes of it.
        source: the same, as FFmpeg opened it.
        head: (first byte, the one behind the last) of what FFmpeg read for that.

    Raises:
        NoTables: it is of a kind that is left alone, or FFmpeg makes something else of it.
    """
    found = [(start, stop) for kind, start, stop in structure.boxes(file, 0, size) if kind == b"moov"]
    if len(found) != 1 or found[0][1] - found[0][0] > _MOST_INDEX_BYTES or found[0][1] > size:
        raise NoTables("not one index")
    ((start, stop),) = found
    file.seek(start)
    moov = file.read(stop - start)
    samples = samples_of(track_of(moov, source.stream.id))
    _check_same(samples, source)
    opened_to = next((end for begin, end in head if begin <= samples.at[0] < end), 0)
    count = max(_HEAD_SAMPLES, int(np.count_nonzero(samples.at < opened_to)))
    if count >= len(samples):
        raise NoTables("too short to be worth it")
    return Mp4Index(start - 8, stop - start + 8, skeleton_of(moov, source.stream.id), samples, count)


def _check_same(samples: Samples, source: Source) -> None:
    """FFmpeg may repair an index, and edit lists change it: then nothing is taken out of it."""
    entries = source.stream.index_entries
    if len(entries) != len(samples):
        raise NoTables("FFmpeg has another number of samples")
    theirs = np.fromiter(
        (value for one in entries for value in (one.pos, one.size, one.timestamp)), np.int64, 3 * len(samples)
    ).reshape(-1, 3)
    shift = theirs[:, 2] - samples.dts
    if (theirs[:, 0] != samples.at).any() or (theirs[:, 1] != samples.size).any() or (shift != shift[0]).any():
        raise NoTables("FFmpeg has other samples")


def restored(common: bytes, own: bytes) -> tuple[int, bytes]:
    """(place in the file, bytes that stand there) of an excerpt.

    Raises:
        NoTables, ValueError, struct.error, zlib.error: it is none, or does not fit.
    """
    at, length = _HEADER.unpack_from(common)
    inflater = zlib.decompressobj()
    skeleton = inflater.decompress(common[_HEADER.size :])
    head, rest = unpack(inflater.unused_data), unpack(own)
    both = Samples(*(np.concatenate(pair) for pair in zip(head.columns, rest.columns, strict=True)))
    moov = with_samples(skeleton, both)
    free = length - len(moov)
    if free < _FREE_BYTES:
        raise NoTables("the excerpt is no smaller than the index")
    return at, moov + struct.pack(">I4s", free, b"free")
