"""What people are shown of a VideoJob, from its stored object."""

from __future__ import annotations

import pytest

from support.job_states import a_state, condition, job_object, new_state
from videojob.kube.read.job_state import job_state
from videojob.reasons import Phase


@pytest.mark.parametrize(
    ("reason", "succeeded", "phase", "has_ended"),
    [
        ("Queued", "Unknown", Phase.WAITING, False),
        ("Processing", "Unknown", Phase.WORKING, False),
        ("Completed", "True", Phase.SUCCEEDED, True),
        ("PartiallyCompleted", "True", Phase.SUCCEEDED, True),
        ("InputNotFound", "False", Phase.FAILED, True),
        # Words of a controller that is newer than this program.
        ("Levitating", "Unknown", Phase.WAITING, False),
        ("Levitated", "True", Phase.SUCCEEDED, True),
        ("Fallen", "False", Phase.FAILED, True),
    ],
)
def test_the_condition_says_whether_a_job_has_ended_and_how(
    reason: str, succeeded: str, phase: Phase, has_ended: bool
) -> None:
    state = a_state(reason, succeeded)
    assert (state.reason, state.phase, state.has_ended) == (reason, phase, has_ended)


def test_a_job_that_no_controller_has_looked_at_has_no_phase() -> None:
    state = new_state()
    assert (state.phase, state.reason, state.message, state.progress, state.has_ended) == (None, "", "", None, False)


def test_times_are_counted_from_the_start_to_the_end_or_to_now() -> None:
    assert a_state().lasted_s(1e12) is None
    running = a_state(startTime="1970-01-01T00:01:00Z")
    assert running.lasted_s(100) == 40
    assert running.lasted_s(30) == 0  # clocks differ
    ended = a_state("Completed", "True", startTime="1970-01-01T00:01:00Z", completionTime="1970-01-01T00:02:00Z")
    assert ended.lasted_s(1e12) == 60


def test_progress_is_taken_as_far_as_it_is_known() -> None:
    assert a_state().progress is None
    progress = a_state(progress={"framesDone": 3, "segmentsDone": 1}).progress
    assert progress is not None
    assert (progress.frames_done, progress.frames_total, progress.remaining_s) == (3, None, None)
    progress = a_state(
        progress={"framesDone": 3, "framesTotal": 9, "segmentsDone": 1, "segmentsTotal": 2},
        throughput={"framesPerSecond": "12.5"},
    ).progress
    assert progress is not None
    assert (progress.frames_total, progress.segments_total, progress.frames_per_s) == (9, 2, 12.5)


def test_the_other_conditions_are_kept_apart() -> None:
    state = a_state(conditions=(condition("CapacityReady", "False", "InsufficientCapacity", "no node"),))
    (found,) = state.conditions
    assert (found.type, found.status, found.reason) == ("CapacityReady", "False", "InsufficientCapacity")
    assert found.message == "no node"


def test_what_was_asked_for_is_read_from_the_spec_and_the_metadata() -> None:
    value = job_object(
        spec={"suspend": True},
        metadata={"labels": {"kueue.x-k8s.io/queue-name": "gpus"}, "deletionTimestamp": "2026-11-25T10:00:00Z"},
        results={"table": "videojob-results", "summaryKey": "k"},
    )
    state = job_state(value)
    assert (state.suspend, state.queue, state.deleting, state.table) == (True, "gpus", True, "videojob-results")
