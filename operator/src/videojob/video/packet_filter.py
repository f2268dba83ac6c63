"""Which packets need decoding when only some pictures are asked for. Pure.

A picture needs, of all packets, only those between the keyframe before it and itself; and of these, only the ones that
others refer to. So a decoder can leave out what lies behind the last picture asked for up to the next keyframe, and may
discard the unasked pictures that nothing refers to. The pictures that do come out are the same, bit for bit.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, Protocol, TypeVar

WINDOW_PACKETS = 300
WINDOW_BYTES = 16 << 20
"""How far packets are looked at ahead of the decoder; what lies behind is taken as needed."""

# No codec reorders pictures over more packets.
_MOST_UNKNOWN = 64


class TimedPacket(Protocol):
    """What is looked at in a packet. An empty one ends the stream."""

    @property
    def pts(self) -> int | None:
        """Presentation time."""
        ...

    @property
    def dts(self) -> int | None:
        """Decoding time: no packet behind this one is presented before it."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


P = TypeVar("P", bound=TimedPacket)


@dataclass(slots=True)
class Planned(Generic[P]):
    """A packet to decode. Not frozen, as one is made for each packet: that would cost several times as much.

    Attributes:
        packet: itself.
        is_selected: False when the picture is needed only if others refer to it.
        is_fresh: packets before it were left out: the decoder must give out what it holds and start again.
    """

    packet: P
    is_selected: bool = True
    is_fresh: bool = False


@dataclass(slots=True)
class _Entry(Generic[P]):
    packet: P
    is_entry: bool
    is_selected: bool | None = None


@dataclass(slots=True)
class _Window(Generic[P]):
    """Packets read but not yet decided on, in decoding order."""

    source: Iterator[P]
    selects: Callable[[int], bool]
    is_entry: Callable[[P], bool]
    end_pts: int | None
    entries: deque[_Entry[P]] = field(default_factory=deque)
    is_exhausted: bool = False
    is_blind: bool = False
    _undecided: list[tuple[int, int, _Entry[P]]] = field(default_factory=list)
    _bytes: int = 0
    _last_dts: int | None = None
    _numbers: Iterator[int] = field(default_factory=count)

    def pop(self) -> _Entry[P] | None:
        """The next packet in decoding order; None at the end."""
        while not self.is_exhausted and len(self.entries) < WINDOW_PACKETS and self._bytes < WINDOW_BYTES:
            self._read()
        if not self.entries:
            return None
        entry = self.entries.popleft()
        self._bytes -= entry.packet.size
        return entry

    def _read(self) -> None:
        packet = next(self.source, None)
        if packet is None or (self.end_pts is not None and packet.dts is not None and packet.dts >= self.end_pts):
            self.is_exhausted = True
            self._decide(None)
            return
        entry = _Entry(packet, packet.size > 0 and self.is_entry(packet))
        self.entries.append(entry)
        self._bytes += packet.size
        if packet.size == 0:
            entry.is_selected = False
            return
        # Matroska has no times of decoding: FFmpeg tells them once it has seen how far pictures are reordered.
        is_unknown = packet.dts is None and self._last_dts is None and len(self._undecided) < _MOST_UNKNOWN
        if packet.pts is None or (packet.dts is None and not is_unknown):
            self.is_blind = True
            return
        if packet.dts is not None:
            if packet.pts < packet.dts:
                # Times that do not tell what comes first: from here on everything is needed.
                self.is_blind = True
                return
            if self._last_dts is not None and packet.dts < self._last_dts:
                # The clock starts again: what was before it is presented before all that comes.
                self._decide(None)
            self._last_dts = packet.dts
        heapq.heappush(self._undecided, (packet.pts, next(self._numbers), entry))
        if packet.dts is not None:
            self._decide(packet.dts)

    def _decide(self, until: int | None) -> None:
        """Asks for the pictures in presentation order, as far as no earlier one can still come."""
        while self._undecided and (until is None or self._undecided[0][0] <= until):
            pts, _, entry = heapq.heappop(self._undecided)
            entry.is_selected = self.selects(pts)

    def needed(self) -> int:
        """How many of the packets ahead must be decoded for the sake of a picture before the next entry point."""
        entry_pts: int | None = None
        for index, entry in enumerate(self.entries):
            pts = entry.packet.pts
            if entry_pts is not None and (pts is None or pts > entry_pts):
                return 0
            if entry.is_selected is not False and (entry_pts is not None or not entry.is_entry):
                return index + 1
            if entry.is_entry and entry_pts is None:
                entry_pts = pts
        return 0 if self.is_exhausted else max(1, len(self.entries))


def plan(
    packets: Iterator[P],
    selects: Callable[[int], bool],
    is_entry: Callable[[P], bool],
    end_pts: int | None,
    left_out: Callable[[P], None] = lambda _: None,
) -> Iterator[Planned[P]]:
    """The packets to decode, in order.

    Args:
        packets: in decoding order, from an entry point on.
        selects: whether the picture at a presentation time is asked for; called once each, in presentation order.
        is_entry: whether decoding can begin at a packet.
        end_pts: nothing from this presentation time on is asked for; None means to the end.
        left_out: called with each packet that is not to be decoded.
    """
    window = _Window(packets, selects, is_entry, end_pts)
    needed, is_skipping = 0, False
    entered_at: int | None = None
    while (entry := window.pop()) is not None:
        packet = entry.packet
        if packet.size == 0 or (window.is_blind and not is_skipping and entered_at is None):
            yield Planned(packet)
            continue
        if entry.is_entry and not is_skipping:
            entered_at = None
        is_leading = entered_at is not None and packet.pts is not None and packet.pts < entered_at
        if is_leading or (is_skipping and not entry.is_entry):
            # It refers to what was left out.
            needed = max(0, needed - 1)
            left_out(packet)
            continue
        if window.is_blind:
            yield Planned(packet, is_fresh=is_skipping)
            entered_at = packet.pts if is_skipping else entered_at
            is_skipping = False
            continue
        is_needed = needed > 0 or entry.is_selected is not False
        needed = needed - 1 if needed > 0 else window.needed()
        if not is_needed and needed == 0:
            is_skipping = True
            left_out(packet)
            continue
        yield Planned(packet, entry.is_selected is not False, is_skipping)
        entered_at = packet.pts if is_skipping else entered_at
        is_skipping = False


def keyframes(
    packets: Iterator[P], stands_alone: Callable[[P], bool], end_pts: int | None, left_out: Callable[[P], None]
) -> Iterator[Planned[P]]:
    """The packets whose pictures need no other one, each for a decoder that starts again.

    Left to itself, a decoder that skips all other pictures still orders keyframes as if there were others, drops those
    that it takes for incomplete, or skips nothing at all, as many do.

    Args:
        packets: in decoding order.
        stands_alone: whether a packet's picture can be decoded without any other.
        end_pts: nothing from this presentation time on is asked for; None means to the end.
        left_out: called with each packet that is not to be decoded.
    """
    for packet in packets:
        if packet.size and not stands_alone(packet):
            left_out(packet)
            continue
        if packet.size and end_pts is not None and packet.pts is not None and packet.pts >= end_pts:
            return
        yield Planned(packet, is_fresh=True)
