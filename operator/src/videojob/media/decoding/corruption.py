"""Bookkeeping of stretches that cannot be decoded. Pure.

Damage becomes known in the order of decoding, pictures come in the order of presentation. A gap starts at the lowest
time of all that is decoded from the damaged packet on, as any of it may refer to what is damaged, and ends at the
keyframe from which decoding is sound again. No picture inside it is handed out, though some may have been decodable, so
that what is in and what is out does not depend on how a decoder conceals.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_CERTAIN_AFTER = 64
"""No codec holds back so many pictures: when so many packets were decoded, a gap's start does not change any more."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What is known of a packet before it is decoded.

    Attributes:
        reason: why pictures are lost.
        since: pictures may be missing before the packet, none of them presented before this time; None: none is.
        is_torn: bytes of the packet itself are wrong or missing.
        is_certain: pictures are missing for sure, whatever the times of those around them say.
    """

    reason: str
    since: int | None
    is_torn: bool
    is_certain: bool = False


@dataclass(slots=True)
class Beginning:
    """Tells damage at the beginning of a video from what a sound one may lack there.

    A recorded broadcast may begin between two keyframes, and the pictures that lead its first keyframe may refer to
    what was never recorded: nothing of that is lost. In files of other kinds the first packet is to be decoded; damage
    may have cost it its mark as a keyframe.

    Attributes:
        may_lack_keyframe: whether it is a file that may begin anywhere.
        keyframe_at: time of the first keyframe, once there was one.
    """

    may_lack_keyframe: bool
    keyframe_at: int | None = None

    def keyframe(self, pts: int) -> None:
        """A keyframe is about to be decoded."""
        if self.keyframe_at is None:
            self.keyframe_at = pts

    def is_damage(self, pts: int) -> bool:
        """Whether something that cannot be decoded at `pts` belongs to the video."""
        return not self.may_lack_keyframe if self.keyframe_at is None else pts >= self.keyframe_at


@dataclass(slots=True)
class GapTracker:
    """Follows packets and pictures of one segment in the order in which the decoder takes and gives them.

    Attributes:
        interval: ticks between two pictures.
        gaps: closed ones, `[start, end)` in ticks, ascending and apart, each with the reason of its beginning.
        begins_at: the first picture's time, in a video's first segment: a gap that no picture precedes begins there, as
            a decoder may be silent about the first damage.
        start: of the gap that has begun and is not closed; None: there is none.
    """

    interval: int = 1
    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    begins_at: int | None = None
    start: int | None = None
    _end: int | None = None
    _reason: str = ""
    _last_pts: int | None = None
    _newest_key: int | None = None
    _ends_from: int | None = None
    _is_certain: bool = False
    _packets_since: int = 0

    @property
    def last_pts(self) -> int | None:
        """Time of the last picture outside every gap; None when there was none."""
        return self._last_pts

    @property
    def is_open(self) -> bool:
        """Whether a gap has begun and no keyframe behind it was seen yet."""
        return self.start is not None and self._end is None

    @property
    def has_settled(self) -> bool:
        """Whether `settled` has something."""
        return bool(self.gaps) or (self._is_certain and self._packets_since >= _CERTAIN_AFTER)

    @property
    def settled(self) -> list[tuple[int, int, str]]:
        """The gaps, and the one that is going on as soon as its start will not change any more."""
        if self.start is None or not self._is_certain or self._packets_since < _CERTAIN_AFTER:
            return self.gaps
        return [*self.gaps, (self._begun_at(self.start), self._end or self.start + 1, self._reason)]

    def begin(self, pts: int, reason: str) -> None:
        """The picture at `pts` is damaged, and with it what refers to it."""
        if not self._reaches(pts):
            self._open(pts, reason)
            # A picture that leads the keyframe: only others that lead it refer to it.
            if self._newest_key is not None and self.start is not None and self._newest_key > self.start:
                self._end = self._newest_key
        self._is_certain = True

    def lose(self, since: int, reason: str) -> None:
        """Pictures may be missing behind those that were decoded, the first of them at `since` or later."""
        if self._reaches(since):
            self._end = None
        else:
            self._open(since, reason)

    def packet(self, pts: int) -> None:
        """A packet that is no keyframe is about to be decoded: it may refer to what was damaged before it."""
        if self.start is not None:
            self._packets_since += 1
            if pts < self.start:
                self.start = self._behind_last(pts)

    def keyframe(self, pts: int, *, is_entry: bool = True) -> None:
        """A sound keyframe is about to be decoded.

        Args:
            pts: its time.
            is_entry: all pictures behind it are sound; otherwise the next one that comes out will be, as the decoder
                has restarted.
        """
        if self.start is None or self._end is not None:
            self._newest_key = pts
        elif not is_entry:
            self._ends_from = pts
        else:
            self._newest_key = pts
            if pts > self.start:
                self._end = pts
            elif self._is_certain:
                # The recording's clock starts again.
                self._end = self.start + 1
            else:
                # Damage between two pictures: none was lost.
                self.start = None

    def admits(self, pts: int) -> bool:
        """Whether a picture at `pts` lies outside every gap."""
        if self.start is not None and pts >= self.start:
            if self._end is None and self._ends_from is not None and pts >= self._ends_from:
                self._end = pts
            if self._end is None or pts < self._end:
                self._is_certain = True
                return False
            self._close()
        self._last_pts = pts
        return True

    def finish(self, end: int) -> None:
        """The segment is over; a gap that is still open ends with it."""
        if self.start is not None and self._end is None:
            self._end = max(end, self.start + 1)
        self._close()

    def _reaches(self, pts: int) -> bool:
        """Whether a gap has begun that `pts` lies in, or before; it then starts there."""
        if self.start is None or (self._end is not None and pts >= self._end):
            return False
        if pts < self.start:
            self.start = self._behind_last(pts)
        return True

    def _open(self, pts: int, reason: str) -> None:
        self._close()
        self.start, self._reason = self._behind_last(pts), reason
        self._ends_from, self._is_certain, self._packets_since = None, False, 0

    def _behind_last(self, pts: int) -> int:
        return pts if self._last_pts is None else max(pts, self._last_pts + 1)

    def _begun_at(self, start: int) -> int:
        return min(start, self.begins_at) if self._last_pts is None and self.begins_at is not None else start

    def _close(self) -> None:
        if self.start is not None and self._end is not None and (self._is_certain or self._has_room(self._end)):
            self.start = self._begun_at(self.start)
            if self.gaps and self.gaps[-1][1] >= self.start:
                start, _, self._reason = self.gaps.pop()
                self.start = min(start, self.start)
            self.gaps.append((self.start, self._end, self._reason))
        self.start = self._end = None
        self._is_certain = False

    def _has_room(self, end: int) -> bool:
        """Whether a picture was presented between the last one that came out and `end`."""
        return self._last_pts is None or 2 * (end - self._last_pts) > 3 * self.interval
