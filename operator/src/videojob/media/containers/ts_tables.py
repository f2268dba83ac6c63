"""What a transport stream's programme tables say of its streams. Runs in the decoder process only.

A programme's table lists its streams. Where another one of the same programme lists another video in the place of the
one before, its video goes on there, even if both are there for a while. Only tables that fit into one packet are read,
which those of a few dozen streams do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from videojob.media.containers import ts_scan
from videojob.media.files import sniff

_PROGRAMMES_PID, _PROGRAMMES, _STREAMS = 0, 0, 2
_CHECKSUM_BYTES = 4
_SCAN_BACK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Table:
    """A programme's table: where it stands, the programme's number, and the PIDs that it lists."""

    at: int
    programme: int
    pids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Listed:
    """What the tables around a place list.

    Attributes:
        before: of each programme, all PIDs that its tables listed.
        latest: of each programme, the PIDs that its last table lists.
    """

    before: dict[int, frozenset[int]]
    latest: dict[int, frozenset[int]]

    @classmethod
    def between(cls, file: BinaryIO, last_at: int, stop: int) -> Listed:
        """From some time before a place to another."""
        file.seek(0)
        layout = sniff.ts_layout(file.read(sniff.HEAD_BYTES))
        before: dict[int, frozenset[int]] = {}
        latest: dict[int, frozenset[int]] = {}
        if layout is not None:
            start = last_at - min(last_at, _SCAN_BACK_BYTES) // layout[0] * layout[0]
            for table in tables(file, start, stop, layout[0]):
                before[table.programme] = before.get(table.programme, frozenset()) | table.pids
                latest[table.programme] = table.pids
        return cls(before, latest)

    def are_apart(self, pid: int, other: int) -> bool:
        """Whether two streams stand side by side: in one table, or in those of two programmes."""
        return any(pid in pids for pids in self.latest.values()) and any(other in pids for pids in self.latest.values())

    def successors(self, pid: int) -> set[int]:
        """The streams that a stream's own programme lists in its place."""
        own = [number for number, pids in self.before.items() if pid in pids]
        return {other for number in own if pid not in self.latest[number] for other in self.latest[number]}


def tables(file: BinaryIO, start: int, stop: int, length: int) -> Iterator[Table]:
    """The programmes' tables between two places.

    Args:
        file: the stream.
        start: a packet's first byte.
        stop: the place to read to.
        length: bytes from one packet to the next.
    """
    known: set[int] = set()
    for at, packets in ts_scan.rows(file, start, stop, length):
        pids = ts_scan.pids(packets)
        begins = packets[:, 1] & 0x40 != 0
        known |= _programme_pids(packets[begins & (pids == _PROGRAMMES_PID)])
        for row in np.flatnonzero(begins & np.isin(pids, list(known))).tolist():
            section = _section(packets[row].tobytes(), _STREAMS)
            if section:
                programme = int.from_bytes(section[3:5], "big")
                yield Table(at + row * length, programme, frozenset(_listed(section)))


def _programme_pids(packets: NDArray[np.uint8]) -> set[int]:
    found: set[int] = set()
    for packet in packets:
        section = _section(packet.tobytes(), _PROGRAMMES)
        for at in range(8, len(section) - 3, 4):
            if section[at : at + 2] != b"\0\0":
                found.add(int.from_bytes(section[at + 2 : at + 4], "big") & 0x1FFF)
    return found


def _section(packet: bytes, table: int) -> bytes:
    """The table that begins in a packet, without its checksum; nothing when it is of another kind, or goes on."""
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    at += 1 + packet[at] if at < len(packet) else 0
    if at + 3 > len(packet) or packet[at] != table:
        return b""
    end = at + 3 + (int.from_bytes(packet[at + 1 : at + 3], "big") & 0xFFF)
    return packet[at : end - _CHECKSUM_BYTES] if end <= len(packet) else b""


def _listed(section: bytes) -> Iterator[int]:
    at = 12 + (int.from_bytes(section[10:12], "big") & 0xFFF)
    while at + 5 <= len(section):
        yield int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0xFFF)
