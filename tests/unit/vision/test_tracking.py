from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.segments import run_settings, video_info
from support.unique_counts import unique_counts
from videojob.results.aggregate.accumulate import SegmentAccumulator
from videojob.results.aggregate.segment_results import SegmentResult, TrackSpan
from videojob.video.identity import track_memory_ms
from videojob.video.info import Sampling, Segment
from videojob.vision.tensors import Detections
from videojob.vision.tracking import UNTRACKED, MotionTracker, overlaps

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


def sampled(times_ms: Sequence[int], segment_ms: int, memory_ms: int, scene: Scene) -> list[SegmentResult]:
    """One result per segment, as the runner makes them."""
    results: list[SegmentResult] = []
    for index, (_, group) in enumerate(itertools.groupby(times_ms, lambda time_ms: time_ms // segment_ms)):
        tracker = MotionTracker(memory_ms)
        accumulator = SegmentAccumulator(Segment(index, 0, None, None), window_ms=1000, presence_gap_ms=2000)
        for time_ms in group:
            found = tracker.update(time_ms, detections(scene(time_ms)))
            accumulator.add(time_ms, found, begun=tracker.begun())
        results.append(accumulator.finish(frames_decoded=1))
    return results


@pytest.mark.parametrize(
    ("sampling", "step_ms"),
    [
        (Sampling(frames_per_second=Fraction(9, 10)), Fraction(10_000, 9)),
        (Sampling(frames_per_second=Fraction(1, 5)), Fraction(5000)),
        (Sampling(frames_per_second=Fraction(1, 20)), Fraction(20_000)),
        (Sampling(every_nth_frame=100), Fraction(4000)),
        (Sampling(keyframes_only=True), Fraction(10_000)),
        (Sampling(keyframes_only=True), Fraction(7300)),
    ],
    ids=str,
)
def test_thing_that_stands_still_over_many_sparsely_sampled_segments_counts_once(
    sampling: Sampling, step_ms: Fraction
) -> None:
    memory_ms = track_memory_ms(
        replace(run_settings(sampling=sampling), presence_gap_ms=2000), video_info(frame_rate=Fraction(25))
    )
    times_ms = [int(at * step_ms) for at in range(int(300_000 / step_ms))]
    results = sampled(times_ms, 30_000, memory_ms, lambda _: [(0, square(100, 100))])
    assert len(results) == 10
    assert unique_counts((result.tracks for result in results), memory_ms) == {0: 1}


def test_track_begins_at_its_first_sighting() -> None:
    [result] = sampled([0, 1000, 2000], 30_000, 2000, lambda time_ms: [(0, square(0.01 * time_ms, 50))])
    [track] = result.tracks
    assert (track.first_ms, track.first_box[0]) == (0, -20)
    assert (track.last_ms, track.last_box[0]) == (2000, 0)


@settings(max_examples=40, deadline=None)
@given(
    step_ms=st.integers(200, 6000),
    missed=st.sets(st.integers(0, 100)),
    segment_ms=st.integers(20_000, 60_000),
)
def test_whether_the_video_is_cut_does_not_change_the_count_of_what_stands_still(
    step_ms: int, missed: set[int], segment_ms: int
) -> None:
    memory_ms = max(2000, 2 * step_ms)
    times_ms = [at * step_ms for at in range(3 * segment_ms // step_ms)]

    def scene(time_ms: int) -> list[tuple[int, Box]]:
        at = time_ms // step_ms
        is_missed = at in missed and at - 1 not in missed and at + 1 not in missed
        return [] if is_missed else [(0, square(100, 100))]

    cut = sampled(times_ms, segment_ms, memory_ms, scene)
    whole = sampled(times_ms, 10**9, memory_ms, scene)
    # A thing is one from its second sighting in a segment; without it, its segment knows nothing of it.
    assume(all(result.tracks for result in cut))
    assert unique_counts((result.tracks for result in cut), memory_ms) == unique_counts([whole[0].tracks], memory_ms)


def test_thing_that_stands_still_in_a_gated_video_keeps_its_track() -> None:
    # The gate lets a frame pass every 2 s at the most; at 29.97 frames per second that is a little more.
    tracker = MotionTracker(2000)
    found = [(0, square(10, 10))]
    ids = []
    for time_ms in (0, 2002, 4004, 6006):
        track_ids = tracker.update(time_ms, detections(found)).track_ids
        assert track_ids is not None
        ids.append(track_ids.tolist())
        for still_ms in range(time_ms + 33, time_ms + 2000, 33):
            tracker.hold(still_ms)
    assert ids == [[-1], [1], [1], [1]]


def test_held_frame_does_not_bring_back_what_was_gone() -> None:
    tracker = MotionTracker(2000)
    tracker.update(0, detections([(0, square(10, 10))]))
    tracker.update(1000, detections([]))
    for time_ms in (1500, 2000, 2500):
        tracker.hold(time_ms)
    again = tracker.update(2600, detections([(0, square(10, 10))])).track_ids
    assert again is not None
    assert again.tolist() == [-1]
    assert tracker.begun() == ()


def test_tracker_that_forgets_at_once_is_refused() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        MotionTracker(0)


def test_overlap_of_boxes_without_area_is_zero() -> None:
    flat = np.array([[5.0, 5.0, 5.0, 5.0]])
    assert overlaps(flat, flat).tolist() == [[0.0]]
