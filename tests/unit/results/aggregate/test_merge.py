from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.results import planned, segment_result
from videojob.results.aggregate.accumulate import SegmentAccumulator
from videojob.results.aggregate.merge import JobResults, fold, merge_all, merge_gaps, merge_presence
from videojob.results.aggregate.segment_results import ClassStats, Gap, Presence, SegmentResult, Window
from videojob.video.info import Segment
from videojob.vision.tensors import Detections

GAP_MS = 100
WINDOW_MS = 250


@st.composite
def _frames(draw: st.DrawFn) -> list[tuple[int, Detections]]:
    """A short video's frames: rising times, few classes, coarse scores so that ties happen."""
    steps = draw(st.lists(st.integers(1, 150), min_size=1, max_size=24))
    frames, time_ms = [], -draw(st.integers(0, 20))
    for step in steps:
        rows = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 3)), max_size=4))
        boxes = [(x, x, x + 5, x + 5) for _, _, x in rows]
        frames.append(
            (
                time_ms,
                Detections(
                    np.array(boxes, np.float32).reshape(-1, 4),
                    np.array([score / 4 for _, score, _ in rows], np.float32),
                    np.array([class_id for class_id, _, _ in rows], np.int32),
                ),
            )
        )
        time_ms += step
    return frames


@st.composite
def _cut(draw: st.DrawFn, frames: list[tuple[int, Detections]], video: int, first_index: int) -> list[SegmentResult]:
    """The frames cut into segments anywhere; some segments are empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(frames)), max_size=5)))
    edges = [0, *cuts, len(frames)]
    results = []
    for at, (start, stop) in enumerate(pairwise(edges)):
        accumulator = SegmentAccumulator(
            Segment(first_index + at, video, start or None, stop), window_ms=WINDOW_MS, presence_gap_ms=GAP_MS
        )
        for time_ms, found in frames[start:stop]:
            accumulator.add(time_ms, found)
        gaps = [Gap(start * 10, stop * 10, "InputCorrupt")] if draw(st.booleans()) else []
        results.append(accumulator.finish(frames_decoded=2 * (stop - start), gaps=gaps))
    return results


@st.composite
def _job(draw: st.DrawFn) -> list[SegmentResult]:
    results: list[SegmentResult] = []
    for video in range(draw(st.integers(1, 3))):
        results += draw(_cut(draw(_frames()), video, len(results)))
    return results


def _group(parts: list[JobResults], choose: st.DataObject) -> JobResults:
    """Merges neighbours in a random order of operations until one is left."""
    while len(parts) > 1:
        at = choose.draw(st.integers(0, len(parts) - 2))
        parts[at : at + 2] = [merge_all(parts[at : at + 2], GAP_MS)]
    return parts[0]


@settings(max_examples=150, deadline=None)
@given(_job(), st.data())
def test_merging_is_associative_and_order_free(results: list[SegmentResult], choose: st.DataObject) -> None:
    expected = fold(results, GAP_MS)
    shuffled = choose.draw(st.permutations(results))
    parts = [JobResults.of(result, GAP_MS) for result in shuffled]
    assert _group(parts, choose) == expected


@settings(max_examples=100, deadline=None)
@given(_frames(), st.data())
def test_where_a_video_is_cut_does_not_show_in_its_windows_and_presence(
    frames: list[tuple[int, Detections]], choose: st.DataObject
) -> None:
    whole = SegmentAccumulator(Segment(0, 0, None, None), window_ms=WINDOW_MS, presence_gap_ms=GAP_MS)
    for time_ms, found in frames:
        whole.add(time_ms, found)
    (expected,) = fold([whole.finish(frames_decoded=2 * len(frames))], GAP_MS).videos
    (merged,) = fold(choose.draw(_cut(frames, 0, 0)), GAP_MS).videos
    assert merged.windows == expected.windows
    assert merged.presence == expected.presence
    assert merged.frames_decoded == expected.frames_decoded
    assert merged.frames_selected == expected.frames_selected


@given(_job())
def test_empty_is_neutral(results: list[SegmentResult]) -> None:
    merged = fold(results, GAP_MS)
    nothing = fold([], GAP_MS)
    assert merge_all([merged, nothing], GAP_MS) == merged == merge_all([nothing, merged], GAP_MS)


def test_window_that_spans_two_segments_adds_up() -> None:
    first, second, _ = planned(3)
    left = replace(segment_result(first), windows=(Window(1, 10, (ClassStats(0, 5, 4, 2, 500, 90),)),))
    right = replace(
        segment_result(second), windows=(Window(1, 3, (ClassStats(0, 2, 2, 1, 100, 95), ClassStats(4, 1, 1, 1, 7, 7))),)
    )
    (video,) = fold([right, left], GAP_MS).videos
    assert video.windows == (Window(1, 13, (ClassStats(0, 7, 6, 2, 600, 95), ClassStats(4, 1, 1, 1, 7, 7))),)
    assert video.class_totals() == video.windows[0].classes


def test_presence_that_crosses_a_border_is_one_interval_with_the_better_peak() -> None:
    box, better = (0, 0, 1, 1), (5, 5, 9, 9)
    spans = [Presence(0, 900, 1000, 950, 700, box), Presence(0, 1100, 1500, 1200, 800, better)]
    assert merge_presence(spans, 100) == (Presence(0, 900, 1500, 1200, 800, better),)
    assert merge_presence(spans, 99) == tuple(spans)


def test_presence_of_different_classes_stays_apart() -> None:
    spans = (Presence(0, 0, 10, 5, 7, (0, 0, 1, 1)), Presence(1, 5, 10, 5, 7, (0, 0, 1, 1)))
    assert merge_presence(reversed(spans), 100) == spans


@pytest.mark.parametrize(
    ("gaps", "merged"),
    [
        ((Gap(10, 20, "a"), Gap(0, 10, "a")), (Gap(0, 20, "a"),)),
        ((Gap(0, 30, "a"), Gap(5, 10, "a")), (Gap(0, 30, "a"),)),
        ((Gap(0, 10, "a"), Gap(11, 20, "a")), (Gap(0, 10, "a"), Gap(11, 20, "a"))),
        ((Gap(5, 20, "b"), Gap(0, 10, "a")), (Gap(0, 10, "a"), Gap(5, 20, "b"))),
        ((), ()),
    ],
)
def test_gaps_join_where_they_touch_for_one_reason(gaps: tuple[Gap, ...], merged: tuple[Gap, ...]) -> None:
    assert merge_gaps(gaps) == merged


def test_segment_that_comes_twice_is_refused() -> None:
    result = segment_result(planned()[0])
    with pytest.raises(ValueError, match="segment 0 was merged twice"):
        fold([result, result], GAP_MS)


def test_different_presence_gaps_do_not_mix() -> None:
    with pytest.raises(ValueError, match="presence gaps of 5 and 7"):
        merge_all([fold([], 5)], 7)
