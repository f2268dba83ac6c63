"""Whether results are exactly what was planned, one after the other: a job may have more than fit into memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from videojob.errors import ResultsIncomplete
from videojob.results.aggregate.segment_results import SegmentResult
from videojob.video.info import Segment


def checked_in_order(planned: Iterable[Segment], results: Iterable[SegmentResult]) -> Iterator[SegmentResult]:
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
    expected = _Planned(planned)
    _check_cover(expected)
    turn = 0
    early: dict[int, SegmentResult] = {}
    surplus: set[int] = set()
    for result in results:
        at = expected.find(result.segment)
        if result.segment in surplus or (at is not None and expected.seen[at]):
            raise ResultsIncomplete("the segment was stored twice", segment=result.segment, retryable=False)
        if at is None:
            surplus.add(result.segment)
            continue
        expected.seen[at] = True
        _check_segment(expected[at], result)
        early[at] = result
        while turn in early:
            yield early.pop(turn)
            turn += 1
    missing = [expected.indexes[at] for at, seen in enumerate(expected.seen) if not seen]
    if missing:
        raise ResultsIncomplete(f"{len(missing)} of {len(expected)} segments are missing: {_ranges(missing)}")
    if surplus:
        raise ResultsIncomplete(f"segments {_ranges(sorted(surplus))} were never planned", retryable=False)


class _Planned:
    """Planned segments by ascending index, in 34 bytes each where objects would take some hundred.

    Attributes:
        indexes: ascending.
        seen: by position, whether there is a result.
    """

    def __init__(self, planned: Iterable[Segment]) -> None:
        columns = self.indexes, self._videos, self._starts, self._ends = [array("q") for _ in range(4)]
        self._is_open = bytearray()  # which of both times are None
        try:
            for segment in planned:
                self.indexes.append(segment.index)
                self._videos.append(segment.video)
                self._starts.append(segment.start_pts or 0)
                self._ends.append(segment.end_pts or 0)
                self._is_open.append((segment.start_pts is None) + 2 * (segment.end_pts is None))
        except OverflowError:
            words = "a planned segment has a time of more than 64 bits"
            raise ResultsIncomplete(words, segment=segment.index, retryable=False) from None
        if any(one > other for one, other in pairwise(self.indexes)):
            order = sorted(range(len(self.indexes)), key=self.indexes.__getitem__)
            self.indexes, self._videos, self._starts, self._ends = (
                array("q", (column[at] for at in order)) for column in columns
            )
            self._is_open = bytearray(self._is_open[at] for at in order)
        self.seen = bytearray(len(self.indexes))

    def __len__(self) -> int:
        return len(self.indexes)

    def __iter__(self) -> Iterator[Segment]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, at: int) -> Segment:
        start_pts = None if self._is_open[at] & 1 else self._starts[at]
        end_pts = None if self._is_open[at] & 2 else self._ends[at]
        return Segment(self.indexes[at], self._videos[at], start_pts, end_pts)

    def find(self, index: int) -> int | None:
        """The position of a segment; None for one that was not planned."""
        at = bisect_left(self.indexes, index)
        return at if at < len(self) and self.indexes[at] == index else None


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
    last: dict[int, Segment] = {}
    for segment in planned:
        before = last.get(segment.video)
        end_pts = None if before is None else before.end_pts
        if segment.start_pts != end_pts or (end_pts is None) != (before is None):
            raise _not_covered(segment, end_pts, segment.start_pts)
        last[segment.video] = segment
    for segment in last.values():
        if segment.end_pts is not None:
            raise _not_covered(segment, segment.end_pts, None)


def _not_covered(segment: Segment, end_pts: int | None, start_pts: int | None) -> ResultsIncomplete:
    return ResultsIncomplete(
        f"video {segment.video} is not covered once: one range ends at {end_pts}, the next starts at {start_pts}",
        segment=segment.index,
        retryable=False,
    )


def _range_text(key: tuple[int, int | None, int | None]) -> str:
    return f"[{key[1]}, {key[2]}) of video {key[0]}"


def _ranges(indexes: Sequence[int], shown: int = 8) -> str:
    """Ascending indexes as text: "0-3, 7, 9-12"; the first few ranges when there are many."""
    ranges: list[list[int]] = []
    for index in indexes:
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    more = f" and {len(words) - shown} more ranges" if len(words) > shown else ""
    return ", ".join(words[:shown]) + more
