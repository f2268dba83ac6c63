"""Bookkeeping of stretches that cannot be decoded. Pure.

A gap is named exactly: it starts at the first picture that is lost and ends at the keyframe from which decoding is
sound again; no picture inside it is handed out, though some may have been decodable, so that what is in and what is
out does not depend on how a decoder conceals.
"""

from __future__ import annotations

from dataclasses import dataclass, field


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
        gaps: closed ones, `[start, end)` in ticks, ascending and apart, each with the reason of its beginning.
        begins_at: the first picture's time, in a video's first segment: a gap that no picture precedes begins there, as
            a decoder may be silent about the first damage.
    """

    gaps: list[tuple[int, int, str]] = field(default_factory=list)
    begins_at: int | None = None
    _start: int | None = None
    _end: int | None = None
    _reason: str = ""
    _last_pts: int | None = None
    _newest_key: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether a gap has begun and no keyframe behind it was seen yet."""
        return self._start is not None and self._end is None

    def begin(self, pts: int, reason: str) -> None:
        """Something is lost at `pts`; nothing new inside a gap."""
        if self._start is not None and (self._end is None or pts < self._end):
            return
        self._close()
        self._start = pts if self._last_pts is None else max(pts, self._last_pts + 1)
        self._reason = reason
        # The decoder may have been given the keyframe behind the loss before it gave out the lost picture.
        if self._newest_key is not None and self._newest_key > self._start:
            self._end = self._newest_key

    def keyframe(self, pts: int) -> None:
        """A keyframe is about to be decoded."""
        self._newest_key = pts
        if self._start is None or self._end is not None:
            return
        if pts > self._start:
            self._end = pts
        elif self._last_pts is not None and pts <= self._last_pts:
            # The recording's clock starts again.
            self._end = self._start + 1
        else:
            # Damage between two pictures: none was lost.
            self._start = None

    def admits(self, pts: int) -> bool:
        """Whether a picture at `pts` lies outside every gap."""
        if self._start is not None and pts >= self._start:
            if self._end is None or pts < self._end:
                return False
            self._close()
        self._last_pts = pts
        return True

    def finish(self, end: int) -> None:
        """The segment is over; a gap that is still open ends with it."""
        if self._start is not None and self._end is None:
            self._end = max(end, self._start + 1)
        self._close()

    def _close(self) -> None:
        if self._start is not None and self._end is not None:
            if self._last_pts is None and self.begins_at is not None:
                self._start = min(self._start, self.begins_at)
            if self.gaps and self.gaps[-1][1] >= self._start:
                start, _, self._reason = self.gaps.pop()
                self._start = start
            self.gaps.append((self._start, self._end, self._reason))
            self._start = self._end = None
