"""Which segment runs next and what a failure means."""

from __future__ import annotations

import pytest

from support.segments import segment_task
from videojob.errors import (
    Cancelled,
    DecoderCrashed,
    DecodeTimeout,
    InputCorrupt,
    InputUnavailable,
    ModelSignatureMismatch,
    ServerUnavailable,
    SinkUnavailable,
    VideoJobError,
    WorkerLost,
)
from videojob.worker.steps.dispatch import Dispatcher, Verdict


def dispatcher(*, videos: tuple[int, ...] = (0, 0, 1), backoff_limit: int = 1) -> Dispatcher:
    return Dispatcher([segment_task(index, video=video) for index, video in enumerate(videos)], backoff_limit)


def next_index(state: Dispatcher) -> int | None:
    task = state.next_task()
    return None if task is None else task.segment.index


def test_segments_are_given_out_in_order_and_once() -> None:
    state = dispatcher()
    assert [next_index(state) for _ in range(4)] == [0, 1, 2, None]
    assert not state.finished


def test_the_job_is_finished_when_all_have_succeeded() -> None:
    state = dispatcher(videos=(0,))
    next_index(state)
    state.succeeded(0)
    assert state.finished
    assert not state.unfinished


@pytest.mark.parametrize("error", [WorkerLost("gone"), ServerUnavailable("away")])
def test_a_passing_error_is_tried_again_before_anything_else(error: VideoJobError) -> None:
    state = dispatcher()
    next_index(state)
    assert state.failed(0, error) is Verdict.RETRY
    assert next_index(state) == 0


def test_a_video_that_cannot_be_had_now_is_tried_again_behind_all_others() -> None:
    state = dispatcher(videos=(0, 0, 1), backoff_limit=2)
    next_index(state)
    assert state.failed(0, InputUnavailable("away")) is Verdict.RETRY
    assert next_index(state) == 2
    state.succeeded(2)
    assert next_index(state) == 0
    assert state.failed(0, InputUnavailable("away")) is Verdict.RETRY
    assert [next_index(state), next_index(state)] == [0, 1]


def test_a_segment_may_be_left_to_somebody_else() -> None:
    state = Dispatcher([segment_task(0), segment_task(1), segment_task(2, video=1)], 0, lambda *_: True)
    next_index(state)
    away = InputUnavailable("away")
    assert state.failed(0, away) is Verdict.LEFT
    assert next_index(state) == 2, "no segment of a video that is away is asked for again"
    state.succeeded(2)
    assert (state.finished, state.unfinished, state.left, state.failures) == (True, False, (away,), ())


def test_a_passing_input_error_fails_the_video_when_the_limit_is_reached() -> None:
    state = dispatcher(videos=(0,), backoff_limit=1)
    next_index(state)
    state.failed(0, InputUnavailable("slow"))
    next_index(state)
    assert state.failed(0, InputUnavailable("slow")) is Verdict.VIDEO_FAILED


def test_a_bad_video_is_given_up_without_a_second_try_and_the_others_go_on() -> None:
    state = dispatcher()
    next_index(state)
    assert state.failed(0, InputCorrupt("broken")) is Verdict.VIDEO_FAILED
    assert next_index(state) == 2
    state.succeeded(2)
    assert state.finished
    assert not state.unfinished
    assert [(failure.video, failure.error.reason) for failure in state.failures] == [(0, "InputCorrupt")]


@pytest.mark.parametrize("error", [ModelSignatureMismatch("shape"), SinkUnavailable("down", retryable=False)])
def test_what_no_video_is_to_blame_for_fails_the_job(error: VideoJobError) -> None:
    state = dispatcher()
    next_index(state)
    assert state.failed(0, error) is Verdict.JOB_FAILED
    assert state.job_error is error
    assert state.finished


def test_the_first_reason_of_a_failed_job_is_kept() -> None:
    state = dispatcher()
    next_index(state)
    next_index(state)
    first = ModelSignatureMismatch("first")
    state.failed(0, first)
    state.failed(1, ModelSignatureMismatch("second"))
    assert state.job_error is first


def test_a_stop_gives_out_nothing_more_and_leaves_the_rest_for_a_rerun() -> None:
    state = dispatcher()
    next_index(state)
    state.stop()
    assert next_index(state) is None
    assert state.failed(0, Cancelled("stop")) is Verdict.DROPPED
    assert state.finished
    assert state.unfinished


def test_segments_of_a_failed_video_do_not_make_a_job_unfinished() -> None:
    state = dispatcher(videos=(0, 0))
    next_index(state)
    state.failed(0, InputCorrupt("broken"))
    assert not state.unfinished


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_video_fails_with_the_error_of_its_first_bad_segment_whichever_came_first(order: tuple[int, int]) -> None:
    state = dispatcher(videos=(0, 0))
    next_index(state)
    next_index(state)
    for index in order:
        state.failed(index, InputCorrupt(f"segment {index}"))
    assert [failure.error.message for failure in state.failures] == ["segment 0"]


@pytest.mark.parametrize("error", [DecodeTimeout("silent"), DecoderCrashed("signal 11")])
def test_a_stuck_or_crashed_decoder_gets_one_more_try(error: VideoJobError) -> None:
    state = dispatcher(backoff_limit=3)
    next_index(state)
    assert state.failed(0, error) is Verdict.RETRY
    next_index(state)
    assert state.failed(0, error) is Verdict.VIDEO_FAILED


def test_a_video_that_kills_worker_after_worker_is_given_up_and_the_others_go_on() -> None:
    state = dispatcher(backoff_limit=1)
    verdicts = []
    for _ in range(2):
        next_index(state)
        verdicts.append(state.failed(0, WorkerLost("killed")))
    assert verdicts == [Verdict.RETRY, Verdict.VIDEO_FAILED]
    assert next_index(state) == 2


def test_a_fault_of_the_program_is_blamed_on_the_video_that_met_it() -> None:
    state = dispatcher()
    next_index(state)
    assert state.failed(0, VideoJobError("KeyError: 'x'")) is Verdict.VIDEO_FAILED
