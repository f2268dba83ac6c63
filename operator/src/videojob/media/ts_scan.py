"""Looks through the packets of a transport stream for video that begins. Runs in the decoder process only.

A megabyte of packets is looked at as a whole, so that it costs little more than reading it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from videojob.media import sniff

_SYNC = 0x47
_ROWS = 5_000
_LOOK_BACK_BYTES = 4 << 20
_IN_STEP = 4


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
                back = (last_at - max(first_at, last_at - _LOOK_BACK_BYTES)) // length * length
                beside = {one for _, one, is_list in _beginnings(file, last_at - back, last_at, length) if not is_list}
            if found not in beside:
                return listed_at, found
            known.add(found)
    return None


def pictures(file: BinaryIO, start: int, stop: int) -> set[int]:
    """The PIDs under which pictures begin between two places."""
    file.seek(0)
    layout = sniff.ts_layout(file.read(sniff.HEAD_BYTES))
    if layout is None:
        return set()
    return {pid for _, pid, is_list in _beginnings(file, start, stop, layout[0]) if not is_list}


def _beginnings(file: BinaryIO, start: int, stop: int, length: int) -> Iterator[tuple[int, int, bool]]:
    """(place, PID, whether it is the list of programs rather than a picture) of what begins between two places."""
    at = start
    while at < stop:
        file.seek(at)
        data = file.read(min(_ROWS * length, stop - at + _IN_STEP * length))
        rows = np.frombuffer(data, np.uint8, len(data) // length * length).reshape(-1, length)
        if not len(rows):
            return
        out_of_step = np.flatnonzero(rows[:, 0] != _SYNC)
        whole = int(out_of_step[0]) if len(out_of_step) else len(rows)
        for row, pid, is_list in _in(rows[:whole]):
            if at + row * length >= stop:
                return
            yield at + row * length, pid, is_list
        at += whole * length
        if whole < len(rows):
            at = _next_step(data, whole * length, length) + at - whole * length


def _in(rows: NDArray[np.uint8]) -> list[tuple[int, int, bool]]:
    pids = (rows[:, 1].astype(np.int64) & 0x1F) << 8 | rows[:, 2]
    begins = np.flatnonzero(rows[:, 1] & 0x40)
    has_field = rows[begins, 3] & 0x20
    payload = np.where(has_field, 5 + rows[begins, 4].astype(np.int64), 4)
    fits = payload <= 184
    begins, payload = begins[fits], payload[fits]
    # A picture's head: the start code, then 0xE0 to 0xEF for video.
    start = (rows[begins, payload] == 0) & (rows[begins, payload + 1] == 0) & (rows[begins, payload + 2] == 1)
    is_video = start & (rows[begins, payload + 3] & 0xF0 == 0xE0)
    is_list = pids[begins] == 0
    chosen = is_video | is_list
    return list(zip(begins[chosen].tolist(), pids[begins[chosen]].tolist(), is_list[chosen].tolist(), strict=True))


def _next_step(data: bytes, start: int, length: int) -> int:
    """Where packets are in step again; the end of the data when they are not."""
    for at in range(start + 1, len(data) - length * _IN_STEP):
        if all(data[at + length * count] == _SYNC for count in range(_IN_STEP)):
            return at
    return len(data)
