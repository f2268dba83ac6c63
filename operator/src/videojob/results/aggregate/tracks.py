"""Unique counts from tracks that were followed inside single segments only.

A tracker starts afresh in every segment, so something that crosses a border gets two tracks. They are stitched where
the last box of one overlaps the first box of the other shortly after, best overlap first. The rule is integer
arithmetic over sorted rows: the same segments give the same counts on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from videojob.results.aggregate.segment_results import TrackSpan

MIN_STITCH_IOU_PPM = 300_000
"""Overlap (intersection over union, parts per million) from which two tracks are the same thing."""

Box = tuple[int, int, int, int]


class UniqueCounter:
    """Counts the different things of one video, segment by segment.

    Args:
        memory_ms: longest break, in milliseconds, across a border: the same as inside a segment, or a thing would end
            at every border of a sparsely sampled video.
    """

    def __init__(self, memory_ms: int) -> None:
        self._memory_ms = memory_ms
        self._counts: Counter[int] = Counter()
        self._ended: list[TrackSpan] = []

    def add(self, tracks: Sequence[TrackSpan]) -> None:
        """The tracks of the next segment, by ascending index."""
        ended = self._ended
        pairs = stitches(ended, tracks, self._memory_ms)
        self._counts.update(track.class_id for track in tracks)
        self._counts.subtract(ended[left].class_id for left, _ in pairs)
        continued = {left for left, _ in pairs}
        ended = [track for at, track in enumerate(ended) if at not in continued] + list(tracks)
        # What comes next begins after all of this, so older ends than that are out of reach.
        oldest_ms = max((track.last_ms for track in ended), default=0) - self._memory_ms
        self._ended = [track for track in ended if track.last_ms >= oldest_ms]

    @property
    def counts(self) -> dict[int, int]:
        """How many different things each class showed so far; by class_id, ascending."""
        return dict(sorted(self._counts.items()))


def stitches(before: Sequence[TrackSpan], after: Sequence[TrackSpan], memory_ms: int) -> list[tuple[int, int]]:
    """Pairs (position in `before`, position in `after`) that are one thing; no position twice."""
    candidates = []
    for left, ended in enumerate(before):
        for right, begun in enumerate(after):
            if ended.class_id != begun.class_id or not 0 <= begun.first_ms - ended.last_ms <= memory_ms:
                continue
            overlap_ppm = iou_ppm(ended.last_box, begun.first_box)
            if overlap_ppm >= MIN_STITCH_IOU_PPM:
                candidates.append((-overlap_ppm, ended.track_id, begun.track_id, left, right))
    pairs: list[tuple[int, int]] = []
    taken_left: set[int] = set()
    taken_right: set[int] = set()
    for _, _, _, left, right in sorted(candidates):
        if left not in taken_left and right not in taken_right:
            taken_left.add(left)
            taken_right.add(right)
            pairs.append((left, right))
    return pairs


def iou_ppm(one: Box, other: Box) -> int:
    """Intersection over union in parts per million, rounded down; 0 for boxes without area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0
    intersection = width * height
    return intersection * 1_000_000 // (_area(one) + _area(other) - intersection)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
