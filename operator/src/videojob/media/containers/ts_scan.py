"""Looks through the packets of a transport stream for video that begins. Runs in the decoder process only.

A megabyte of packets is looked at as a whole, so that it costs little more than reading it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from videojob.media.files import sniff
from videojob.media.files.video_file import VideoFile

_SYNC = 0x47
_ROWS = 5_000
_SCAN_BACK_BYTES = 4 << 20
_IN_STEP = 4
_LAST_HEAD_AT = 184


def successor(file: BinaryIO, first_at: int, last_at: int, stop: int, pid: int) -> tuple[int, int] | None:
    """(where to begin reading, PID) of the video that begins behind `last_at` and before `stop`; None for none.

    Reading begins at the list of programs before it. Video with pictures before `last_at`, too, ran beside the stream.
    """
    file.seek(0)
    layout = sniff.ts_layout(file.read(sniff.HEAD_BYTES))
    if layout is None:
        return None
    length = layout[0]
    known = {pid}
    listed_at = last_at
    beside: set[int] | None = None
    for at, found, is_list in _beginnings(file, last_at, stop, length):
        if is_list:
            listed_at = at
        elif found not in known:
            if beside is None:
                back = (last_at - max(first_at, last_at - _SCAN_BACK_BYTES)) // length * length
                beside = {one for _, one, is_list in _beginnings(file, last_at - back, last_at, length) if not is_list}
            if found not in beside:
                return listed_at, found
            known.add(found)
    return None


def beginning(file: BinaryIO, start: int, stop: int, pids: set[int]) -> tuple[int, int] | None:
    """(where to begin reading, PID) of the first of some streams whose pictures begin between two places."""
    file.seek(0)
    layout = sniff.ts_layout(file.read(sniff.HEAD_BYTES))
    if layout is None or not pids:
        return None
    listed_at: int | None = None
    for at, found, is_list in _beginnings(file, start, stop, layout[0]):
        if is_list:
            listed_at = at
        elif found in pids:
            return (at if listed_at is None else listed_at), found
    return None


class Pictures:
    """Follows along with the demuxer under which PIDs pictures begin.

    Args:
        video: the file.
        start: the place to begin at.
    """

    def __init__(self, video: VideoFile, start: int) -> None:
        self._video, self._at = video, start
        with video.reading() as file:
            layout = sniff.ts_layout(file.read(sniff.HEAD_BYTES))
        self._length = 0 if layout is None else layout[0]
        self._found: deque[tuple[int, int]] = deque()

    def until(self, stop: int, known: set[int]) -> set[int]:
        """The PIDs but the known ones under which pictures begin before a place, from the last call's place on."""
        if self._at < stop and self._length:
            self._read(max(stop, self._at + self._video.ahead_bytes), known)
        others = set[int]()
        while self._found and self._found[0][0] < stop:
            others.add(self._found.popleft()[1])
        return others - known if others else others

    def _read(self, stop: int, known: set[int]) -> None:
        start, self._at = self._at, stop
        with self._video.reading() as file:
            for at, found in rows(file, start, stop, self._length):
                heads = np.flatnonzero(found[:, 1] & 0x40)
                its = pids(found[heads])
                for pid in known:
                    heads, its = heads[its != pid], its[its != pid]
                if not len(heads):
                    self._at = max(stop, at + len(found) * self._length)
                    continue
                chosen = heads[begins_picture(found[heads], payload_at(found[heads]))]
                places = (at + chosen * self._length).tolist()
                self._found.extend(zip(places, pids(found[chosen]).tolist(), strict=True))
                self._at = max(stop, at + len(found) * self._length)


def pictures(file: BinaryIO, start: int, stop: int) -> set[int]:
    """The PIDs under which pictures begin between two places."""
    file.seek(0)
    layout = sniff.ts_layout(file.read(sniff.HEAD_BYTES))
    if layout is None:
        return set()
    return {pid for _, pid, is_list in _beginnings(file, start, stop, layout[0]) if not is_list}


def rows(file: BinaryIO, start: int, stop: int, length: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(place of the first one, packets as rows from their sync byte on) of the packets that begin between two places.

    Args:
        file: the stream.
        start: a sync byte, or near one.
        stop: the place to read to.
        length: bytes from one packet to the next.
    """
    at = start
    while at < stop:
        file.seek(at)
        data = file.read(min(_ROWS * length, stop - at + _IN_STEP * length))
        found = np.frombuffer(data, np.uint8, len(data) // length * length).reshape(-1, length)
        if not len(found):
            return
        out_of_step = np.flatnonzero(found[:, 0] != _SYNC)
        whole = int(out_of_step[0]) if len(out_of_step) else len(found)
        packets = min(whole, -(-(stop - at) // length))
        if packets:
            yield at, found[:packets]
        at += whole * length
        if whole < len(found):
            at = _next_step(data, whole * length, length) + at - whole * length


def pids(found: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The PID of each packet of `rows`, shape (n,)."""
    return (found[:, 1].astype(np.int64) & 0x1F) << 8 | found[:, 2]


def payload_at(found: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where in each packet of `rows` what it carries begins, shape (n,); may lie behind its end."""
    return np.where(found[:, 3] & 0x20, 5 + found[:, 4].astype(np.int64), 4)


def begins_picture(found: NDArray[np.uint8], payload: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a picture's head stands at a place in each packet: the start code, then 0xE0 to 0xEF for video."""
    fits = payload <= _LAST_HEAD_AT
    at, row = np.where(fits, payload, 0), np.arange(len(found))
    start = (found[row, at] == 0) & (found[row, at + 1] == 0) & (found[row, at + 2] == 1)
    is_video: NDArray[np.bool_] = found[row, at + 3] & 0xF0 == 0xE0
    begins: NDArray[np.bool_] = fits & start & is_video
    return begins


def _beginnings(file: BinaryIO, start: int, stop: int, length: int) -> Iterator[tuple[int, int, bool]]:
    """(place, PID, whether it is the list of programs rather than a picture) of what begins between two places."""
    for at, found in rows(file, start, stop, length):
        begins = np.flatnonzero(found[:, 1] & 0x40)
        heads = found[begins]
        its = pids(heads)
        is_list = its == 0
        chosen = begins_picture(heads, payload_at(heads)) | is_list
        found_there = zip(begins[chosen].tolist(), its[chosen].tolist(), is_list[chosen].tolist(), strict=True)
        yield from ((at + row * length, pid, listed) for row, pid, listed in found_there)


def _next_step(data: bytes, start: int, length: int) -> int:
    """Where packets are in step again; the end of the data when they are not."""
    for at in range(start + 1, len(data) - length * _IN_STEP):
        if all(data[at + length * count] == _SYNC for count in range(_IN_STEP)):
            return at
    return len(data)
