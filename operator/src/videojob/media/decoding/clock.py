"""Times that run on. Pure.

The clock of a recording may start again: streams that were joined without a care for their times, a camera that was
restarted. A time then names two places, and everything that counts on growing times goes wrong. So a restarted clock
is put forward: its pictures follow the last one before, one frame interval later, and none is lost. How long the real
pause was nobody knows. A time of presentation that damage put far from its picture's time of decoding is not used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

_JUMP_S = 1
"""Decoding times that go back by more are a restart; by less, a muxer that counts badly, unless a keyframe says so."""

_LONGEST_PAUSE_S = 24 * 60 * 60
"""Between two documents whose clock goes on; a longer one is another clock."""

_APART_S, _APART_PICTURES = 60, 64
"""A picture is shown at most so long after it is decoded, and no codec holds back so many; beyond both it is damage."""


class ClockPacket(Protocol):
    """What is read of a packet, and set. An empty one ends the stream."""

    pts: int | None
    dts: int | None

    @property
    def is_keyframe(self) -> bool:
        """Whether decoding can begin at it."""
        ...

    @property
    def is_discard(self) -> bool:
        """Whether an edit list says that it is not shown."""
        ...


@dataclass(slots=True)
class RunningClock:
    """Puts the times of packets forward where the recording's clock starts again.

    Attributes:
        interval: ticks between two pictures.
        ticks_per_s: ticks in a second.
        offset: ticks that are added now.
        has_pts: whether times of presentation are the container's own.
    """

    interval: int
    ticks_per_s: int
    offset: int = 0
    has_pts: bool = True
    _last_dts: int | None = None
    _newest_pts: int | None = None
    _last_key_pts: int | None = None
    _key_delay: int | None = None
    _is_joined: bool = False
    _missing_ticks: int = 0
    _last_step: int | None = None
    _most_delay: int = field(init=False)

    def __post_init__(self) -> None:
        self._most_delay = max(_APART_S * self.ticks_per_s, _APART_PICTURES * self.interval)

    def join(self, missing_ticks: int = 0, *, is_same: bool = False) -> None:
        """What comes now is from another document, whose clock may be another.

        Args:
            missing_ticks: how long pictures are missing before it.
            is_same: it goes by the clock of what was before, and begins before that ends.
        """
        self._is_joined, self._missing_ticks = not is_same, missing_ticks
        if is_same:
            self._last_dts = self._last_key_pts = self._key_delay = None

    def run_on(self, packet: ClockPacket) -> None:
        """Sets the packet's times; call once for each, in decoding order."""
        pts, dts = packet.pts, packet.dts
        if packet.is_discard or (pts is None and dts is None):
            return
        if self._is_joined:
            self._begin_document(packet)
        is_key = packet.is_keyframe
        if pts is not None and dts is not None and (is_key or not 0 <= pts - dts <= self._most_delay):
            self._check_presentation(packet, pts - dts)
            pts = packet.pts
        if dts is not None and self._last_dts is not None and dts + self.offset < self._last_dts:
            self.offset += self._missing(packet) if self._starts_again(packet) else 0
        if pts is not None:
            self._presented(packet, pts + self.offset, is_key=is_key)
        if dts is not None:
            self._decoded(packet, dts + self.offset)

    def _presented(self, packet: ClockPacket, pts: int, *, is_key: bool) -> None:
        if self.offset:
            packet.pts = pts
        if self._newest_pts is None or pts > self._newest_pts:
            self._newest_pts = pts
        if is_key:
            self._last_key_pts = pts

    def _decoded(self, packet: ClockPacket, dts: int) -> None:
        if self.offset:
            packet.dts = dts
        if self._last_dts is not None and 0 < dts - self._last_dts <= self.ticks_per_s:
            self._last_step = dts - self._last_dts
        self._last_dts = dts

    def _begin_document(self, packet: ClockPacket) -> None:
        """A clock that goes on is kept; one that restarts goes on behind the last picture."""
        has_pts = self.has_pts and packet.pts is not None
        before, time = (self._newest_pts, packet.pts) if has_pts else (self._last_dts, packet.dts)
        longest = _LONGEST_PAUSE_S * self.ticks_per_s
        if before is None or time is None:
            pass
        elif 0 < time - before < longest:
            # The clock of the video's beginning, after an insert by another.
            self.offset = 0
        elif not 0 < time + self.offset - before < longest:
            # The last interval itself: of a joined file the average tells little.
            self.offset = before + (self._last_step or self.interval) + self._missing_ticks - time
        self._is_joined = False
        self._last_dts = self._last_key_pts = self._key_delay = None

    def _check_presentation(self, packet: ClockPacket, delay: int) -> None:
        """Replaces a time that cannot be: a keyframe is as far behind its decoding as the last one, others get none."""
        if not -self._most_delay <= delay <= self._most_delay:
            if self._key_delay is not None and packet.dts is not None:
                packet.pts = packet.dts + self._key_delay if packet.is_keyframe else None
        elif packet.is_keyframe:
            self._key_delay = delay

    def _starts_again(self, packet: ClockPacket) -> bool:
        if self._last_dts is None or packet.dts is None:
            return False
        back = self._last_dts - (packet.dts + self.offset)
        if back > _JUMP_S * self.ticks_per_s:
            return True
        # In decoding order the times of keyframes always grow.
        return (
            back > 0
            and packet.is_keyframe
            and packet.pts is not None
            and self._last_key_pts is not None
            and packet.pts + self.offset <= self._last_key_pts
        )

    def _missing(self, packet: ClockPacket) -> int:
        """Ticks by which the packet lies before the place where it belongs."""
        # The last interval itself: where clocks start again, the average tells little.
        step = self._last_step or self.interval
        last = [(self._last_dts, packet.dts), (self._newest_pts, packet.pts)]
        return max(
            before + step - (time + self.offset) for before, time in last if before is not None and time is not None
        )
