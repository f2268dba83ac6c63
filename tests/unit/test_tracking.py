from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from videojob.planning.video import Segment
from videojob.results.accumulate import SegmentAccumulator
from videojob.results.tracks import unique_counts
from videojob.results.values import TrackSpan
from videojob.vision.tracking import UNTRACKED, MotionTracker, overlaps
from videojob.vision.values import Detections

Box = tuple[float, float, float, float]
Scene = Callable[[int], list[tuple[int, Box]]]


def square(x: float, y: float, side: float = 40) -> Box:
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def detections(rows: Iterable[tuple[int, Box]]) -> Detections:
    listed = list(rows)
    return Detections(
        np.array([box for _, box in listed], np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.5, len(listed), dtype=np.float32),
        np.array([class_id for class_id, _ in listed], np.int32),
    )


def track(scene: Scene, times_ms: Iterable[int], max_lost_ms: int = 1000) -> list[list[int]]:
    tracker = MotionTracker(max_lost_ms)
    found = [tracker.update(time_ms, detections(scene(time_ms))).track_ids for time_ms in times_ms]
    return [[] if ids is None else ids.tolist() for ids in found]


def every(step_ms: int, until_ms: int = 4000) -> range:
    return range(0, until_ms, step_ms)


def things(ids: list[list[int]]) -> set[int]:
    return {one for frame in ids for one in frame} - {UNTRACKED}


def test_track_gets_its_id_at_the_second_sighting_and_keeps_it() -> None:
    assert track(lambda _: [(0, square(100, 100))], every(40, 200)) == [[-1], [1], [1], [1], [1]]


def test_single_false_alarm_is_no_thing() -> None:
    scene: Scene = lambda time_ms: [(0, square(100, 100))] if time_ms == 400 else []  # noqa: E731 (short)
    assert things(track(scene, every(40))) == set()


@pytest.mark.parametrize("step_ms", [20, 40, 200, 500])
def test_moving_thing_is_one_thing_at_any_frame_rate(step_ms: int) -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [(0, square(50 + 0.1 * time_ms, 100))]

    assert things(track(scene, every(step_ms), 2000)) == {1}


def test_uneven_frame_times_do_not_lose_it() -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [(0, square(0.25 * time_ms, 100))]

    assert things(track(scene, [0, 40, 50, 200, 320, 330, 700, 1000, 1040], 2000)) == {1}


def test_two_things_that_cross_keep_their_ids() -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [(0, square(0.1 * time_ms, 100)), (0, square(400 - 0.1 * time_ms, 118))]

    ids = track(scene, every(40))
    assert ids[1] == [1, 2]
    assert ids[-1] == [1, 2]


def test_thing_hidden_for_a_while_is_the_same_thing() -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [] if 1000 <= time_ms < 1800 else [(0, square(0.1 * time_ms, 100))]

    assert things(track(scene, every(40))) == {1}


def test_thing_that_stopped_while_hidden_is_the_same_thing() -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [] if 1000 <= time_ms < 1900 else [(0, square(0.1 * min(time_ms, 1100), 100))]

    assert things(track(scene, every(40))) == {1}


def test_thing_that_was_away_for_longer_is_another() -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [] if 1000 <= time_ms < 2200 else [(0, square(100, 100))]

    assert things(track(scene, every(40))) == {1, 2}


def test_classes_never_share_a_track() -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [(time_ms // 1000 % 2, square(100, 100))]

    assert things(track(scene, every(40, 2000))) == {1, 2}


def test_jitter_and_missed_frames_do_not_split_tracks() -> None:
    """Five walkers, a detector that shakes by 4 pixels and misses every fifth box."""
    noise = np.random.default_rng(11)

    def scene(time_ms: int) -> list[tuple[int, Box]]:
        rows = []
        for walker in range(5):
            x, y = noise.normal(0, 4, 2)
            if noise.random() > 0.2:
                rows.append((0, square(60 + 0.05 * time_ms + x, 80 * walker + 50 + y)))
        return rows

    assert things(track(scene, every(40, 8000))) == {1, 2, 3, 4, 5}


def test_boxes_come_back_unchanged_in_their_order() -> None:
    found = detections([(0, square(10, 10)), (3, square(300, 300)), (0, square(90, 10))])
    tracked = MotionTracker(500).update(0, found)
    assert tracked.boxes is found.boxes
    assert tracked.scores is found.scores
    assert tracked.track_ids is not None
    assert tracked.track_ids.dtype == np.int32


def test_frame_without_boxes_is_fine_at_any_time() -> None:
    assert track(lambda time_ms: [(0, square(1, 1))] if time_ms == 40 else [], [0, 40, 80, 5000]) == [[], [-1], [], []]


def test_reset_starts_afresh() -> None:
    tracker, fresh = MotionTracker(1000), MotionTracker(1000)
    frames = [(time_ms, detections([(0, square(0.1 * time_ms, 50))])) for time_ms in every(40, 400)]
    for time_ms, found in frames:
        tracker.update(time_ms, found)
    tracker.reset()
    for time_ms, found in frames:
        again, first = tracker.update(time_ms, found).track_ids, fresh.update(time_ms, found).track_ids
        assert again is not None
        assert first is not None
        assert again.tolist() == first.tolist()


def test_things_that_cross_a_segment_border_are_counted_once() -> None:
    def scene(time_ms: int) -> list[tuple[int, Box]]:
        return [(0, square(0.1 * time_ms, 100)), (0, square(100, 300))]

    spans: list[tuple[TrackSpan, ...]] = []
    for index, start_ms in enumerate((0, 2000)):
        tracker = MotionTracker(1000)
        accumulator = SegmentAccumulator(Segment(index, 0, None, None), window_ms=1000, presence_gap_ms=1000)
        for time_ms in range(start_ms, start_ms + 2000, 40):
            accumulator.add(time_ms, tracker.update(time_ms, detections(scene(time_ms))))
        spans.append(accumulator.finish(frames_decoded=50).tracks)
    assert [len(tracks) for tracks in spans] == [2, 2]
    assert unique_counts(spans, 1000) == {0: 2}


def test_tracker_that_forgets_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        MotionTracker(0)


def test_overlap_of_boxes_without_area_is_zero() -> None:
    flat = np.array([[5.0, 5.0, 5.0, 5.0]])
    assert overlaps(flat, flat).tolist() == [[0.0]]
