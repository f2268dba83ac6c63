"""Fragments of an MP4 that a demuxer did not come to. Runs in the decoder process only.

A demuxer of fragments goes from box to box: where one is damaged, it takes the file to be over. So the bytes behind its
last picture are searched for the heads of fragments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from videojob.media.containers.structure import boxes, bytes_at

_CHUNK_BYTES = 1 << 20
_MARK, _FIRST = b"moof", b"mfhd"
_INDEXES = (b"mvhd\0\0\0\0", b"mvhd\1\0\0\0", b"stsd\0\0\0\0", b"mfhd\0\0\0\0")
_MOST_MARK_BYTES = 8
_MOST_HEAD_BYTES = 16 << 20
_HAS_BASE, _HAS_DESCRIPTION, _HAS_DURATION = 0x01, 0x02, 0x08
_RUN_HAS_OFFSET, _RUN_HAS_FIRST_FLAGS, _RUN_HAS_DURATIONS = 0x01, 0x04, 0x100
_RUN_COLUMNS = (0x100, 0x200, 0x400, 0x800)


def end_of_last(file: BinaryIO, inside: tuple[int, int], track: int) -> int | None:
    """When the last fragment of a track ends that begins between two places, in the track's ticks.

    Returns:
        None when there is none; 0 when it does not say when it ends.
    """
    latest: int | None = None
    for start, stop in _fragments(file, *inside):
        for kind, first, last in boxes(file, start, stop):
            if kind == b"traf":
                end = _end_of(file, (first, min(last, stop)), track)
                latest = end if latest is None or end is None else max(latest, end)
    return latest


def has_index(file: BinaryIO, start: int, stop: int) -> bool:
    """Whether the index of a document, or a fragment's head, stands between two places, found by its first box."""
    at = start
    while at < stop:
        data = bytes_at(file, at, min(_CHUNK_BYTES, stop - at))
        if any(mark in data for mark in _INDEXES):
            return True
        at += max(1, len(data) - _MOST_MARK_BYTES + 1)
    return False


def _fragments(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """(first byte of the content, end) of each fragment's head between two places."""
    at = start
    while at < stop:
        data = bytes_at(file, at, min(_CHUNK_BYTES, stop - at))
        found = data.find(_MARK)
        while found >= 0:
            head = at + found - 4
            length = int.from_bytes(bytes_at(file, max(0, head), 4), "big")
            if head >= start and 16 <= length <= _MOST_HEAD_BYTES and bytes_at(file, head + 12, 4) == _FIRST:
                yield head + 8, min(head + length, stop)
            found = data.find(_MARK, found + 1)
        # A mark may stand across the end of what was read.
        at += max(1, len(data) - len(_MARK) + 1)


def _end_of(file: BinaryIO, inside: tuple[int, int], track: int) -> int | None:
    """When a fragment's part of a track ends; None when it is another track's, or has no pictures."""
    begins, each, lasts, pictures = 0, 0, 0, 0
    for kind, start, stop in boxes(file, *inside):
        flags = int.from_bytes(bytes_at(file, start + 1, 3), "big")
        if kind == b"tfhd":
            if _number(file, start + 4) != track:
                return None
            at = start + 8 + 8 * bool(flags & _HAS_BASE) + 4 * bool(flags & _HAS_DESCRIPTION)
            each = _number(file, at) if flags & _HAS_DURATION else 0
        elif kind == b"tfdt":
            is_long = bytes_at(file, start, 1) == b"\1"
            begins = int.from_bytes(bytes_at(file, start + 4, 8 if is_long else 4), "big")
        elif kind == b"trun":
            count = _number(file, start + 4)
            pictures += count
            lasts += _durations(file, (start, min(stop, inside[1])), flags, count, each)
    return begins + lasts if pictures else None


def _durations(file: BinaryIO, run: tuple[int, int], flags: int, count: int, each: int) -> int:
    if not flags & _RUN_HAS_DURATIONS:
        return each * count
    start = run[0] + 8 + 4 * bool(flags & _RUN_HAS_OFFSET) + 4 * bool(flags & _RUN_HAS_FIRST_FLAGS)
    step = 4 * sum(1 for column in _RUN_COLUMNS if flags & column)
    data = bytes_at(file, start, min(run[1] - start, step * count))
    return sum(int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data) - step + 1, step))


def _number(file: BinaryIO, position: int) -> int:
    return int.from_bytes(bytes_at(file, position, 4), "big")
