from __future__ import annotations

import numpy as np
import pytest

from videojob.errors import InvalidModelOutput
from videojob.results.aggregate.accumulate import SegmentAccumulator
from videojob.results.aggregate.segment_results import ClassStats, Gap, Presence, SegmentResult, TrackSpan, Window
from videojob.video.info import Segment
from videojob.vision.tensors import Detections

SEGMENT = Segment(4, 1, 1000, 2000)
BOX = (1.0, 2.0, 11.0, 12.0)

Row = tuple[int, float] | tuple[int, float, tuple[float, float, float, float]]


def detections(*rows: Row, tracks: list[int] | None = None) -> Detections:
    """Boxes as (class_id, score[, box])."""
    return Detections(
        boxes=np.array([row[2] if len(row) == 3 else BOX for row in rows], np.float32).reshape(-1, 4),
        scores=np.array([row[1] for row in rows], np.float32),
        class_ids=np.array([row[0] for row in rows], np.int32),
        track_ids=None if tracks is None else np.array(tracks, np.int32),
    )


def accumulate(
    *frames: tuple[int, Detections], window_ms: int = 1000, presence_gap_ms: int = 100, gated: tuple[int, ...] = ()
) -> SegmentResult:
    accumulator = SegmentAccumulator(SEGMENT, window_ms=window_ms, presence_gap_ms=presence_gap_ms)
    for time_ms, found in frames:
        accumulator.add(time_ms, found, gated=time_ms in gated)
    return accumulator.finish(frames_decoded=7)


def test_result_names_its_segment_and_counts_its_frames() -> None:
    result = accumulate((0, Detections.empty()), (40, Detections.empty()), gated=(40,))
    assert (result.segment, result.video, result.start_pts, result.end_pts) == (4, 1, 1000, 2000)
    assert (result.frames_decoded, result.frames_selected, result.frames_gated) == (7, 2, 1)


def test_segment_without_frames_is_empty() -> None:
    result = accumulate()
    assert (result.frames_selected, result.windows, result.presence, result.tracks) == (0, (), (), ())


def test_frames_without_boxes_still_count_in_their_window() -> None:
    assert accumulate((0, Detections.empty()), (2100, Detections.empty())).windows == (
        Window(0, 1, ()),
        Window(2, 1, ()),
    )


def test_window_adds_up_boxes_frames_and_scores_per_class() -> None:
    result = accumulate(
        (0, detections((3, 0.75), (0, 0.5), (0, 0.25))),
        (500, detections((0, 0.125))),
        (999, Detections.empty()),
        (1000, detections((0, 1.0))),
    )
    assert result.windows == (
        Window(0, 3, (ClassStats(0, 3, 2, 2, 875_000, 500_000), ClassStats(3, 1, 1, 1, 750_000, 750_000))),
        Window(1, 1, (ClassStats(0, 1, 1, 1, 1_000_000, 1_000_000),)),
    )


def test_frame_before_the_first_one_falls_into_a_window_before() -> None:
    assert [window.index for window in accumulate((-1, Detections.empty()), (0, Detections.empty())).windows] == [-1, 0]


def test_score_is_rounded_to_parts_per_million() -> None:
    score = float(np.float32(0.1234567))
    (window,) = accumulate((0, detections((0, score)))).windows
    assert window.classes[0].score_sum_ppm == 123_457


@pytest.mark.parametrize(
    ("times_ms", "intervals"),
    [
        ((0,), [(0, 0)]),
        ((0, 100, 200), [(0, 200)]),
        ((0, 101), [(0, 0), (101, 101)]),
        ((0, 50, 500, 600), [(0, 50), (500, 600)]),
    ],
)
def test_presence_joins_over_breaks_up_to_the_gap(times_ms: tuple[int, ...], intervals: list[tuple[int, int]]) -> None:
    result = accumulate(*((time_ms, detections((2, 0.5))) for time_ms in times_ms))
    assert [(span.first_ms, span.last_ms) for span in result.presence] == intervals


def test_presence_is_kept_per_class_in_order() -> None:
    result = accumulate((0, detections((5, 0.5), (1, 0.5))), (300, detections((1, 0.5))))
    assert [(span.class_id, span.first_ms) for span in result.presence] == [(1, 0), (1, 300), (5, 0)]


def test_peak_is_the_best_box_of_the_interval() -> None:
    result = accumulate(
        (0, detections((0, 0.5, (0, 0, 9, 9)))),
        (50, detections((0, 0.75, (10.4, 20.6, 30.5, 40.49)), (0, 0.5, (1, 1, 2, 2)))),
        (90, detections((0, 0.25))),
    )
    assert result.presence == (Presence(0, 0, 90, 50, 750_000, (10, 21, 30, 40)),)


def test_of_equal_peaks_the_earlier_wins_and_of_equal_boxes_the_lower() -> None:
    result = accumulate(
        (0, detections((0, 0.5, (7, 7, 9, 9)), (0, 0.5, (6, 8, 9, 9)))),
        (50, detections((0, 0.5, (1, 1, 2, 2)))),
    )
    assert result.presence[0].peak_ms == 0
    assert result.presence[0].peak_box == (6, 8, 9, 9)


def test_two_frames_at_one_time_compare_their_boxes() -> None:
    result = accumulate((0, detections((0, 0.5, (7, 7, 9, 9)))), (0, detections((0, 0.5, (1, 1, 2, 2)))))
    assert result.presence[0].peak_box == (1, 1, 2, 2)


def test_order_of_boxes_within_a_frame_does_not_matter() -> None:
    rows: list[Row] = [(0, 0.5, (7, 7, 9, 9)), (1, 0.9), (0, 0.5, (6, 8, 9, 9)), (0, 0.7)]
    assert accumulate((0, detections(*rows))) == accumulate((0, detections(*reversed(rows))))


def test_gated_frame_repeats_the_boxes_of_the_frame_before() -> None:
    found = detections((0, 0.5))
    repeated = accumulate((0, found), (40, found), gated=(40,))
    fresh = accumulate((0, found), (40, detections((0, 0.5))), gated=(40,))
    assert repeated == fresh
    assert repeated.windows[0].classes[0].frames == 2


def test_tracks_keep_their_first_and_last_box() -> None:
    result = accumulate(
        (0, detections((0, 0.9, (0, 0, 4, 4)), (1, 0.5, (9, 9, 12, 12)), tracks=[7, 3])),
        (40, detections((0, 0.9, (1, 0, 5, 4)), (0, 0.5), tracks=[7, -1])),
    )
    assert result.tracks == (
        TrackSpan(3, 1, 0, 0, (9, 9, 12, 12), (9, 9, 12, 12)),
        TrackSpan(7, 0, 0, 40, (0, 0, 4, 4), (1, 0, 5, 4)),
    )


def test_gaps_are_kept_in_order() -> None:
    accumulator = SegmentAccumulator(SEGMENT, window_ms=1000, presence_gap_ms=0)
    later, earlier = Gap(50, 60, "InputCorrupt"), Gap(10, 20, "InputCorrupt")
    assert accumulator.finish(frames_decoded=0, gaps=(later, earlier)).gaps == (earlier, later)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan"), float("inf")])
def test_score_that_is_none_is_refused(score: float) -> None:
    with pytest.raises(InvalidModelOutput, match="score"):
        accumulate((0, detections((0, score))))


@pytest.mark.parametrize("edge", [float("nan"), float("inf")])
def test_box_that_is_not_finite_is_refused(edge: float) -> None:
    with pytest.raises(InvalidModelOutput, match="box"):
        accumulate((0, detections((0, 0.5, (0, 0, edge, 1)))))


def test_frames_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="came after"):
        accumulate((40, Detections.empty()), (39, Detections.empty()))


@pytest.mark.parametrize(("window_ms", "presence_gap_ms"), [(0, 0), (-1, 0), (1, -1)])
def test_settings_without_meaning_are_refused(window_ms: int, presence_gap_ms: int) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        SegmentAccumulator(SEGMENT, window_ms=window_ms, presence_gap_ms=presence_gap_ms)
