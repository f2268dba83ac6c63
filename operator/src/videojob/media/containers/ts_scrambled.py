"""Which pictures of a transport stream are scrambled, according to its packets' heads. Runs in the decoder process
only.

A scrambled picture's head cannot be read, so the demuxer steps over it without a word, and bytes that are scrambled
within a picture become a part of it. Some receivers leave the mark where they have descrambled: a marked packet whose
picture begins in the clear is none.
"""

from __future__ import annotations

from collections import deque
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from videojob.media.containers import ts_scan
from videojob.media.files import sniff
from videojob.media.files.video_file import VideoFile

SCRAMBLED = "the pictures are scrambled (transport_scrambling_control)"

_PACKET_BYTES = 188
_STEP_TICKS, _TICKS_PER_S, _TICKS_MASK = 10 * 90_000, 90_000, (1 << 33) - 1
_HAS_CLOCK = 0x10

# What happens at a place: a picture begins; one does of which nothing can be read; bytes of one are scrambled.
_BEGIN, _HIDDEN, _SCRAMBLED = range(3)


class ScrambledPictures:
    """Follows one stream's packets along with the demuxer, never further ahead than it.

    Args:
        video: the file.
        start: place of the first picture, as `first_byte` gives it.
        pid: of the stream.
        length: bytes from one packet to the next.
    """

    def __init__(self, video: VideoFile, start: int, pid: int, length: int) -> None:
        self._video, self._pid, self._length = video, pid, length
        self._at = start
        self._size = video.size_bytes()
        self._events: deque[tuple[int, int]] = deque()
        self._is_descrambled = False
        # Before this place nothing is scrambled, and a picture begins at it.
        self._clear_to = 0

    def flags_at(self, at: int) -> tuple[bool, bool]:
        """(whether pictures before the one at a place are scrambled, whether bytes of it are); places ascend.

        Those before are counted from the picture of the previous call on.
        """
        if at < self._clear_to:
            return False, False
        is_hidden = False
        while (event := self._next(self._size)) is not None and event[0] <= at:
            is_hidden |= event[1] != _BEGIN
            self._events.popleft()
        is_torn = False
        while (event := self._next(self._size)) is not None and event[1] == _SCRAMBLED:
            is_torn = True
            self._events.popleft()
        return is_hidden, is_torn

    def follow(self, stop: int) -> bool:
        """Whether scrambled pictures stand behind the last one that was asked for and before a place."""
        while (event := self._next(stop)) is not None and event[0] < stop:
            self._events.popleft()
            if event[1] != _BEGIN:
                return True
        return False

    def _next(self, stop: int) -> tuple[int, int] | None:
        while not self._events and self._at < stop:
            self._read()
        return self._events[0] if self._events else None

    def _read(self) -> None:
        stop = min(self._at + self._video.ahead_bytes // self._length * self._length, self._size)
        with self._video.reading() as file:
            for at, packets in ts_scan.rows(file, self._at, stop, self._length):
                own = np.flatnonzero((ts_scan.pids(packets) == self._pid) & (packets[:, 3] & 0x10 != 0))
                begins, marked = packets[own, 1] & 0x40 != 0, packets[own, 3] & 0xC0 != 0
                if marked.any():
                    heads = packets[own]
                    self._take_marked(at, own.tolist(), begins.tolist(), marked.tolist(), _clear(heads).tolist())
                elif begins.any():
                    # The last beginning stands for all of them: intact streams are most, and take no time per picture.
                    last_at = at + int(own[begins][-1]) * self._length
                    self._clear_to = self._clear_to if self._events else last_at
                    self._events.append((last_at, _BEGIN))
                    self._is_descrambled = False
        self._at = stop

    def _take_marked(self, at: int, rows: list[int], begins: list[bool], marked: list[bool], clear: list[bool]) -> None:
        for row, does_begin, is_marked, is_clear in zip(rows, begins, marked, clear, strict=True):
            place = at + row * self._length
            if does_begin:
                self._is_descrambled = is_marked and is_clear
                self._events.append((place, _HIDDEN if is_marked and not is_clear else _BEGIN))
            elif is_marked and not self._is_descrambled:
                self._events.append((place, _SCRAMBLED))


def _clear(heads: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return ts_scan.begins_picture(heads, ts_scan.payload_at(heads))


def packet_bytes(file: BinaryIO) -> int:
    """Bytes from one packet to the next."""
    file.seek(0)
    return (sniff.ts_layout(file.read(sniff.HEAD_BYTES)) or (_PACKET_BYTES, 0))[0]


def first_byte(at: int, length: int) -> int:
    """Where the packet begins of which the demuxer says that it stands at a place: some have bytes before or behind."""
    return at + length - _PACKET_BYTES


def seconds_between(file: BinaryIO, start: int, stop: int) -> float:
    """How far the stream's clock goes on between two places, as the heads of packets tell; never scrambled."""
    pid, last, ticks = None, None, 0
    for _, packets in ts_scan.rows(file, start, stop, packet_bytes(file)):
        has_clock = (packets[:, 3] & 0x20 != 0) & (packets[:, 4] >= 7) & (packets[:, 5] & _HAS_CLOCK != 0)
        own = packets[has_clock]
        for its, data in zip(ts_scan.pids(own).tolist(), own[:, 6:11].tolist(), strict=True):
            pid = its if pid is None else pid
            if its == pid:
                now = int.from_bytes(bytes(data), "big") >> 7
                step = 0 if last is None else (now - last) & _TICKS_MASK
                last, ticks = now, ticks + (step if step < _STEP_TICKS else 0)
    return ticks / _TICKS_PER_S
