"""Cutting videos into segments: half-open ranges of presentation time that cover each video exactly once. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from videojob.video.info import Segment, VideoInfo

TARGET_MS = 30_000
"""Length aimed at: so short that a lost worker costs little, so long that seeking and committing cost nothing."""

SHORTEST_MS = 20_000
"""No segment is shorter, unless the whole video is."""


def cut(infos: Sequence[VideoInfo], target_ms: int = TARGET_MS) -> tuple[Segment, ...]:
    """The segments of a job.

    Cuts are taken from each video's `cut_pts`, so every segment starts at a keyframe. Where keyframes are rare,
    segments grow as long as they must: a video with a single keyframe is one segment.

    Args:
        infos: the job's videos, in the manifest's order.
        target_ms: length aimed at; a segment may be a third shorter, and half of it longer where keyframes allow.

    Returns:
        Segments in the order of videos and time, indexes counting through the whole job. A video's first segment has
        no start and its last no end; each other end is the next segment's start.
    """
    if target_ms < 1:
        raise ValueError(f"a segment needs a length, got {target_ms} ms")
    segments: list[Segment] = []
    for video, info in enumerate(infos):
        bounds: list[int | None] = [None, *_cuts(info, target_ms), None]
        for start, end in pairwise(bounds):
            segments.append(Segment(index=len(segments), video=video, start_pts=start, end_pts=end))
    return tuple(segments)


def longest_ms(info: VideoInfo, segments: Sequence[Segment]) -> int:
    """Length of a video's longest segment, in milliseconds; 0 where nothing tells how long the video is."""
    end_pts = info.start_pts + int(Fraction(info.duration_ms, 1000) / info.time_base)
    bounds = [info.start_pts, *(one.end_pts for one in segments if one.end_pts is not None), end_pts]
    return max(0, *(int((end - start) * info.time_base * 1000) for start, end in pairwise(bounds)))


def _cuts(info: VideoInfo, target_ms: int) -> list[int]:
    """Chosen cut points: from each chosen one, the candidate nearest to the target, never nearer than two thirds."""
    target = max(1, int(Fraction(target_ms, 1000) / info.time_base))
    shortest = max(1, target * SHORTEST_MS // TARGET_MS)
    end_pts = info.start_pts + int(Fraction(info.duration_ms, 1000) / info.time_base)
    chosen: list[int] = []
    start = info.start_pts
    while True:
        best = _nearest(info.cut_pts, start + target, start + shortest)
        # A rest too short to be a segment joins the one before it; an unknown duration (0) tells nothing of the rest.
        if best is None or (info.duration_ms and end_pts - best < shortest):
            return chosen
        chosen.append(best)
        start = best


def _nearest(ascending: Sequence[int], aim: int, least: int) -> int | None:
    """The number nearest to `aim`, the smaller of two, among those not below `least`; None when there is none."""
    first = bisect_left(ascending, least)
    above = bisect_left(ascending, aim, lo=first)
    around = ascending[max(first, above - 1) : above + 1]
    return min(around, key=lambda value: (abs(value - aim), value), default=None)
