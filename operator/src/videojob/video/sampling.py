"""Which pictures of a segment are asked for. Pure: every rule gives the same answer wherever the segment runs."""

from __future__ import annotations

from fractions import Fraction

from videojob.video.info import Sampling, Segment, VideoInfo


class FrameSelector:
    """Says of each picture of one segment, in presentation order, whether it is asked for.

    - framesPerSecond lays a grid of cells, 1 / rate long, from the VIDEO's first picture on, and asks for the first
      picture of each cell. The choice does not depend on how the video is cut, whatever its frame rate does, as long
      as `previous_pts` is the picture before the segment.
    - everyNthFrame counts from the SEGMENT's first picture: a video's segments each ask for their first one.
    - keyframesOnly asks for all that the decoder gives, which is then told to give keyframes only.

    Args:
        sampling: the job's rules.
        info: the video.
        segment: the stretch; its cut decides nothing but where everyNthFrame begins to count.
        previous_pts: presentation time of the picture before the segment's first one. None when the segment is the
            first, or nothing tells: then the nominal frame interval stands in for it, which for a variable rate may
            ask for one picture more or less in the cell that the cut goes through.
    """

    def __init__(self, sampling: Sampling, info: VideoInfo, segment: Segment, previous_pts: int | None) -> None:
        self._every = sampling.every_nth_frame
        self._seen = 0
        self._per_tick = None
        if sampling.frames_per_second is not None:
            self._per_tick = sampling.frames_per_second * info.time_base
        self._origin = info.start_pts
        self._cell: int | None = None
        before = _pts_before(info, segment) if previous_pts is None else previous_pts
        if before is not None:
            self._cell = self._cell_of(before)

    def selects(self, pts: int) -> bool:
        """Whether the picture is asked for; call once for each picture, in order."""
        if self._per_tick is not None:
            cell = self._cell_of(pts)
            # Not "at most": should times go back after all, the pictures from there on are asked for, too.
            if cell == self._cell:
                return False
            self._cell = cell
            return True
        if self._every is not None:
            self._seen += 1
            return (self._seen - 1) % self._every == 0
        return True

    def _cell_of(self, pts: int) -> int:
        return (
            0
            if self._per_tick is None
            else (pts - self._origin) * self._per_tick.numerator // self._per_tick.denominator
        )


def _pts_before(info: VideoInfo, segment: Segment) -> int | None:
    if segment.start_pts is None or not info.frame_rate:
        return None
    return segment.start_pts - round(Fraction(1) / info.frame_rate / info.time_base)
