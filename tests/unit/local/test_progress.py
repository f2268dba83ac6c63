"""How far a job is, told from what its workers say."""

from __future__ import annotations

from support.segments import job_plan, video_plan
from videojob.errors import InputNotVideo
from videojob.local.progress import ProgressTracker
from videojob.worker.segment.task import Progress


def moved(segment: int, frames: int) -> Progress:
    return Progress(segment=segment, video=0, frames_done=frames, frames_inferred=frames)


def test_the_total_is_the_estimate_until_segments_have_reported() -> None:
    tracker = ProgressTracker(job_plan(), started_s=0.0)
    assert tracker.snapshot(0.0, None).frames_total == 1500
    tracker.finished(0, frames_selected=740)
    snapshot = tracker.snapshot(1.0, None)
    assert (snapshot.frames_done, snapshot.frames_total, snapshot.segments_done) == (740, 1490, 1)


def test_what_an_earlier_run_finished_counts_as_done_but_not_as_speed() -> None:
    tracker = ProgressTracker(job_plan(committed=frozenset({0})), started_s=0.0)
    tracker.moved(moved(1, 100))
    snapshot = tracker.snapshot(10.0, None)
    assert (snapshot.frames_done, snapshot.segments_done) == (850, 1)
    assert snapshot.frames_per_s == 10.0
    assert snapshot.remaining_s == 65.0


def test_nothing_is_promised_before_the_first_frame() -> None:
    snapshot = ProgressTracker(job_plan(), started_s=0.0).snapshot(5.0, None)
    assert snapshot.frames_per_s == 0.0
    assert snapshot.remaining_s is None


def test_a_lost_segment_takes_its_frames_back() -> None:
    tracker = ProgressTracker(job_plan(), started_s=0.0)
    tracker.moved(moved(0, 300))
    tracker.dropped(0)
    assert tracker.snapshot(1.0, None).frames_done == 0


def test_a_video_that_was_given_up_no_longer_counts() -> None:
    tracker = ProgressTracker(job_plan(videos=(video_plan(0), video_plan(1))), started_s=0.0)
    tracker.moved(moved(0, 300))
    tracker.video_failed(0)
    snapshot = tracker.snapshot(1.0, None)
    assert (snapshot.frames_done, snapshot.frames_total, snapshot.segments_total) == (0, 1500, 2)
    assert [video.failed for video in snapshot.videos] == [True, False]


def test_an_input_that_could_not_be_used_is_shown_as_failed_from_the_start() -> None:
    plan = job_plan(videos=(video_plan(0, error=InputNotVideo("text")), video_plan(1)))
    snapshot = ProgressTracker(plan, started_s=0.0).snapshot(0.0, None)
    assert [video.failed for video in snapshot.videos] == [True, False]
    assert snapshot.frames_total == 1500


def test_the_rate_is_that_of_the_last_seconds() -> None:
    tracker = ProgressTracker(job_plan(), started_s=0.0)
    for second in range(1, 31):
        tracker.moved(moved(0, 10 * second if second <= 15 else 150 + 30 * (second - 15)))
        snapshot = tracker.snapshot(float(second), None)
    assert snapshot.frames_per_s == 30.0
