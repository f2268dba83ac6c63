"""What a transport stream's own packets tell of a loss. Runs in the decoder process only.

The demuxer marks a picture where a counter does not go on, but not always the picture that lost something: streams
that were joined start their counters again and lose nothing, and the mark may stand on the picture before. So the bytes
are looked at: a counter that jumps within a picture's bytes is a loss; between two pictures, the last packet of the
first one tells whether it is complete, as it is filled up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

_PACKET_BYTES = 188
_CHUNK_PACKETS = 256
_MAX_PACKETS = 1 << 17
_SYNC = 0x47
_TABLE = 0
_ADAPTATION_PARTS = ((0x10, 6), (0x08, 6), (0x04, 1))


@dataclass(slots=True)
class Losses:
    """What is known of a picture and the one behind it, 0 and 1.

    Attributes:
        torn: of which of them bytes are missing.
        broken_behind: behind which of them the counter does not go on: whole pictures may be missing there.
    """

    torn: set[int] = field(default_factory=set)
    broken_behind: set[int] = field(default_factory=set)


def losses_from(file: BinaryIO, start: int, length: int, pictures: int) -> Losses | None:
    """Looks at the packets of some pictures.

    Args:
        file: the stream.
        start: where the demuxer says that the first picture begins.
        length: bytes from one packet to the next.
        pictures: how many; what lies between the last one and its successor counts, too.

    Returns:
        None when no packet that begins a picture stands there.
    """
    packets = _packets(file, start + length - _PACKET_BYTES, length)
    first = next(packets, None)
    if first is None or first[0] != _SYNC or not _begins(first):
        return None
    counters = _Counter(_program(first), first, first[3] & 15, is_broken=_is_marked(first))
    for packet in packets:
        if packet[0] != _SYNC:
            counters.losses.torn.add(counters.picture)
            break
        counters.at(packet)
        if counters.picture == pictures:
            break
    return counters.losses


@dataclass(slots=True)
class _Counter:
    """Goes through the packets of a program; those of others lie between them."""

    program: int
    before: bytes
    counter: int
    is_broken: bool
    picture: int = 0
    losses: Losses = field(default_factory=Losses)
    _table_counter: int | None = None

    def at(self, packet: bytes) -> None:
        """The next packet of the stream."""
        if _program(packet) != self.program:
            if _program(packet) == _TABLE:
                self._table_counter = packet[3] & 15
            return
        has_payload = bool(packet[3] & 0x10)
        expected = (self.counter + has_payload) & 15
        self.counter = packet[3] & 15
        self.is_broken = (
            self.is_broken or (self.counter != expected and not _is_signalled(packet)) or _is_marked(packet)
        )
        if not has_payload:
            return
        if self.is_broken:
            self._lose(is_between=_begins(packet))
        self.picture += _begins(packet)
        self.before, self.is_broken, self._table_counter = packet, False, None

    def _lose(self, *, is_between: bool) -> None:
        # Where all counters start again, streams were joined.
        if is_between and (self._table_counter, self.counter) == (0, 0):
            return
        self.losses.broken_behind.add(self.picture)
        if not is_between or not _is_filled_up(self.before):
            self.losses.torn.add(self.picture)


def _packets(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    for _ in range(_MAX_PACKETS // _CHUNK_PACKETS):
        chunk = file.read(length * _CHUNK_PACKETS)
        yield from (chunk[at : at + _PACKET_BYTES] for at in range(0, len(chunk) - _PACKET_BYTES + 1, length))
        if len(chunk) < length * _CHUNK_PACKETS:
            return


def _program(packet: bytes) -> int:
    return (packet[1] << 8 | packet[2]) & 0x1FFF


def _begins(packet: bytes) -> bool:
    return bool(packet[1] & 0x40)


def _is_marked(packet: bytes) -> bool:
    """Whether the receiver says that bytes of it are wrong."""
    return bool(packet[1] & 0x80)


def _is_signalled(packet: bytes) -> bool:
    """Whether the sender says that the counter does not go on."""
    return bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x80)


def _is_filled_up(packet: bytes) -> bool:
    """Whether a packet has bytes that say nothing: only a picture's last packet has."""
    if not packet[3] & 0x20:
        return False
    there = packet[4]
    if there == 0:
        return True
    flags, used = packet[5], 1 + sum(size for flag, size in _ADAPTATION_PARTS if packet[5] & flag)
    for flag in (0x02, 0x01):
        if flags & flag and used + 5 < _PACKET_BYTES:
            used += 1 + packet[5 + used]
    return there > used
