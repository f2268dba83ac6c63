from __future__ import annotations

import pytest

from support.unique_counts import unique_counts
from videojob.results.aggregate.segment_results import TrackSpan
from videojob.results.aggregate.tracks import iou_ppm, stitches

Box = tuple[int, int, int, int]
HERE: Box = (100, 100, 200, 200)
NEAR: Box = (120, 100, 220, 200)
FAR: Box = (170, 100, 270, 200)


def span(
    track_id: int = 1, *, first_ms: int = 0, last_ms: int = 1000, first: Box = HERE, last: Box = HERE, class_id: int = 0
) -> TrackSpan:
    return TrackSpan(track_id, class_id, first_ms, last_ms, first, last)


def test_track_that_goes_on_behind_the_border_is_one_thing() -> None:
    before, after = [span(last=HERE)], [span(first_ms=1040, last_ms=2000, first=NEAR)]
    assert unique_counts([before, after], 500) == {0: 1}


@pytest.mark.parametrize(
    "after",
    [
        span(first_ms=1501, last_ms=2000),
        span(first_ms=1040, last_ms=2000, first=FAR),
        span(first_ms=1040, last_ms=2000, class_id=1),
        span(first_ms=900, last_ms=2000),
    ],
    ids=["too late", "elsewhere", "another class", "both seen at once"],
)
def test_track_that_does_not_fit_is_another_thing(after: TrackSpan) -> None:
    assert sum(unique_counts([[span()], [after]], 500).values()) == 2


def test_thing_seen_in_three_segments_counts_once() -> None:
    segments = [[span()], [span(first_ms=1010, last_ms=2000)], [span(first_ms=2010, last_ms=3000)]]
    assert unique_counts(segments, 500) == {0: 1}


def test_best_overlap_is_stitched_first_and_nothing_twice() -> None:
    before = [span(1, last=HERE), span(2, last=NEAR)]
    after = [span(1, first_ms=1010, last_ms=2000, first=NEAR), span(2, first_ms=1010, last_ms=2000, first=HERE)]
    assert stitches(before, after, 500) == [(0, 1), (1, 0)]
    assert stitches(before, after[:1], 500) == [(1, 0)]


@pytest.mark.parametrize(("first_ms", "things"), [(31_000, 1), (31_001, 2)])
def test_memory_decides_also_across_a_segment_without_tracks(first_ms: int, things: int) -> None:
    assert unique_counts([[span()], [], [span(first_ms=first_ms, last_ms=50_000)]], 30_000) == {0: things}


def test_track_that_was_continued_is_not_continued_again() -> None:
    segments = [[span()], [span(first_ms=1010, last_ms=1200)], [span(first_ms=1210, last_ms=2000)]]
    assert unique_counts([*segments, [span(first_ms=2010)]], 5000) == {0: 1}
    assert unique_counts([segments[0], segments[1], [*segments[2], span(2, first_ms=1210, last_ms=2000)]], 5000) == {
        0: 2
    }


def test_no_tracks_count_nothing() -> None:
    assert unique_counts([], 500) == {}


@pytest.mark.parametrize(
    ("one", "other", "expected_ppm"),
    [
        (HERE, HERE, 1_000_000),
        (HERE, (200, 100, 300, 200), 0),
        (HERE, (100, 100, 200, 150), 500_000),
        (HERE, (150, 150, 250, 250), 142_857),
        ((5, 5, 5, 9), (5, 5, 5, 9), 0),
    ],
)
def test_overlap_is_intersection_over_union(one: Box, other: Box, expected_ppm: int) -> None:
    assert iou_ppm(one, other) == expected_ppm
