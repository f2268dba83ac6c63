"""Whether results are exactly what was planned, one after the other: a job may have more than fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from videojob.errors import ResultsIncomplete
from videojob.planning.video import Segment
from videojob.results.values import SegmentResult


def checked_in_order(planned: Sequence[Segment], results: Iterable[SegmentResult]) -> Iterator[SegmentResult]:
    """The results by ascending segment index, each as soon as all before it came.

    Held in memory is only what comes before its turn: nothing when the results come in order, as stores give them.

    Args:
        planned: every segment that must have a result, in any order.
        results: in any order.

    Raises:
        ResultsIncomplete: a planned segment is missing, stored twice or with another range, one was never planned, the
            ranges of a video do not join, or a segment's windows do not add up to its frames. What is missing is known
            at the end only: whoever takes results must take all before any of them counts.
    """
    wanted = {segment.index: segment for segment in sorted(planned, key=lambda segment: segment.index)}
    _check_cover(wanted.values())
    order = iter(wanted)
    turn = next(order, None)
    seen: set[int] = set()
    early: dict[int, SegmentResult] = {}
    surplus: list[int] = []
    for result in results:
        if result.segment in seen:
            raise ResultsIncomplete("the segment was stored twice", segment=result.segment, retryable=False)
        seen.add(result.segment)
        segment = wanted.get(result.segment)
        if segment is None:
            surplus.append(result.segment)
            continue
        _check_segment(segment, result)
        early[result.segment] = result
        while turn in early:
            yield early.pop(turn)
            turn = next(order, None)
    missing = [index for index in wanted if index not in seen]
    if missing:
        raise ResultsIncomplete(f"{len(missing)} of {len(wanted)} segments are missing: {_ranges(missing)}")
    if surplus:
        raise ResultsIncomplete(f"segments {_ranges(sorted(surplus))} were never planned", retryable=False)


def _check_segment(segment: Segment, result: SegmentResult) -> None:
    planned = (segment.video, segment.start_pts, segment.end_pts)
    stored = (result.video, result.start_pts, result.end_pts)
    if planned != stored:
        raise ResultsIncomplete(
            f"the stored range {_range_text(stored)} is not the planned {_range_text(planned)}",
            segment=segment.index,
            retryable=False,
        )
    in_windows = sum(window.frames for window in result.windows)
    if in_windows != result.frames_selected:
        raise ResultsIncomplete(
            f"windows hold {in_windows} frames, the segment {result.frames_selected}",
            segment=segment.index,
            retryable=False,
        )


def _check_cover(planned: Iterable[Segment]) -> None:
    """Ascending by index, the ranges of each video join and are open at both ends."""
    by_video: dict[int, list[Segment]] = {}
    for segment in planned:
        by_video.setdefault(segment.video, []).append(segment)
    for video, segments in by_video.items():
        joints = [None, *(segment.end_pts for segment in segments)]
        starts = [*(segment.start_pts for segment in segments), None]
        for at, (end_pts, start_pts) in enumerate(zip(joints, starts, strict=True)):
            inside = 0 < at < len(segments)
            if end_pts != start_pts or (end_pts is None) == inside:
                raise ResultsIncomplete(
                    f"video {video} is not covered once: one range ends at {end_pts}, the next starts at {start_pts}",
                    segment=segments[min(at, len(segments) - 1)].index,
                    retryable=False,
                )


def _range_text(key: tuple[int, int | None, int | None]) -> str:
    return f"[{key[1]}, {key[2]}) of video {key[0]}"


def _ranges(indexes: Sequence[int], shown: int = 8) -> str:
    """Ascending indexes in words: "0-3, 7, 9-12"; the first few ranges when there are many."""
    ranges: list[list[int]] = []
    for index in indexes:
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    more = f" and {len(words) - shown} more ranges" if len(words) > shown else ""
    return ", ".join(words[:shown]) + more
