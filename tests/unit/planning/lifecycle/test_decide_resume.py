"""What is decided about a VideoJob that ended badly and is resumed."""

from __future__ import annotations

from typing import Any

import pytest

from support.decisions import (
    ERROR,
    INSTALLATION,
    NOW_S,
    READY,
    a_head,
    a_job,
    a_plan_job,
    a_work_job,
    ended_status,
    look,
    observed_jobs,
    results,
    running,
    stored,
)
from videojob.api.videojob import VideoJob
from videojob.kube.render.status import timestamp
from videojob.planning.lifecycle.attempts import is_resumed, life_of, next_attempt, tries_of
from videojob.planning.state.pods import JobObserved, PlannerDesired

SLOW = {"reason": "InferenceTimeout", "message": "no answer"}
RESUMED: dict[str, Any] = {"resumes": 1}
FAILED = ended_status("BackoffLimitExceeded")
GAVE_UP = a_work_job(finished="Failed", reason="MaxFailedIndexesExceeded", error=SLOW)


@pytest.mark.parametrize(
    ("latest", "resumes", "following"), [(None, 0, 1), (1, 0, 2), (None, 1, 11), (3, 1, 11), (11, 1, 12), (13, 3, 31)]
)
def test_jobs_of_each_life_have_numbers_of_their_own(latest: int | None, resumes: int, following: int) -> None:
    assert next_attempt(latest, resumes) == following
    assert life_of(following) == resumes


@pytest.mark.parametrize(("attempt", "tries"), [(1, 1), (3, 3), (11, 1), (13, 3), (1003, 3)])
def test_tries_are_counted_anew_in_each_life(attempt: int, tries: int) -> None:
    assert tries_of(attempt) == tries


@pytest.mark.parametrize(
    ("spec", "status", "asked"),
    [
        ({"resumes": 1}, FAILED, True),
        ({}, FAILED, False),
        ({"resumes": 1}, FAILED | {"resumes": 1}, False),
        ({"resumes": 3}, FAILED | {"resumes": 1}, True),
        ({"resumes": 1}, ended_status(), False),
        ({"resumes": 1}, {"startTime": timestamp(NOW_S)}, False),
        ({"resumes": 1}, None, False),
    ],
)
def test_only_a_job_that_ended_badly_is_resumed_and_once_for_each_step(
    spec: dict[str, Any], status: dict[str, Any] | None, asked: bool
) -> None:
    assert is_resumed(a_job(spec, status=status)) is asked
    assert not is_resumed(a_job(spec, status=status, deletionTimestamp="2027-01-15T08:00:00Z"))


def test_it_goes_on_with_plan_epoch_and_commits_and_a_job_of_a_new_number() -> None:
    seen = running(GAVE_UP, server=READY, results=results(4, open=True))
    job, desired = stored(a_job(RESUMED, status=FAILED), seen, INSTALLATION, NOW_S)
    assert desired.work_job is not None
    assert (desired.work_job.attempt, desired.work_job.plan_attempt, desired.work_job.epoch) == (11, 1, 1)
    assert (desired.reason, desired.ended, desired.begin, desired.remove_jobs) == ("Processing", False, False, ())
    assert desired.demand is not None
    assert desired.demand.frames_left == 1800
    told = [one.message for one in desired.events if one.reason == "Resumed"]
    assert told == ["spec.resumes is 1: the job resumes, 4 of 10 segments are kept"]
    assert job.status is not None
    assert (job.status.completion_time, job.status.resumes) == (None, 1)
    assert job.status.start_time == FAILED["startTime"], "from the start on the spec is fixed"
    assert job.status.resume_time == timestamp(NOW_S)


def test_the_next_look_is_as_any_other() -> None:
    seen = running(GAVE_UP, server=READY, results=results(4, open=True))
    job, _ = stored(a_job(RESUMED, status=FAILED), seen, INSTALLATION, NOW_S)
    busy = running(GAVE_UP, a_work_job(11), server=READY, results=results(5))
    job, desired = stored(job, busy, INSTALLATION, NOW_S + 10)
    assert desired.work_job is not None
    assert (desired.reason, desired.work_job.attempt) == ("Processing", 11)
    assert "Resumed" not in [one.reason for one in desired.events]
    assert job.status is not None
    assert job.status.resume_time == timestamp(NOW_S)
    again = running(GAVE_UP, a_work_job(11, finished="Failed", reason="x", error=SLOW), results=results(5, open=True))
    job, desired = stored(job, again, INSTALLATION, NOW_S + 20)
    assert (desired.reason, desired.ended) == ("BackoffLimitExceeded", True)
    assert job.status is not None
    assert job.status.completion_time == timestamp(NOW_S + 20)
    job = VideoJob.from_manifest(job.as_manifest() | {"spec": a_job({"resumes": 2}).as_manifest()["spec"]})
    job, desired = stored(job, again, INSTALLATION, NOW_S + 30)
    assert desired.work_job is not None
    assert desired.work_job.attempt == 21


def test_limits_of_time_count_from_the_resume() -> None:
    spec = {"resumes": 1, "activeDeadlineSeconds": 60, "deadline": {"completeWithin": "50s"}}
    seen = running(server=READY, results=results(4, open=True))
    job, desired = stored(a_job(spec, status=ended_status("DeadlineExceeded")), seen, INSTALLATION, NOW_S)
    assert not desired.ended
    assert "DeadlineAtRisk" not in [one.reason for one in desired.events]
    assert not stored(job, seen, INSTALLATION, NOW_S + 59)[1].ended
    assert stored(job, seen, INSTALLATION, NOW_S + 60)[1].reason == "DeadlineExceeded"


def test_an_end_in_the_look_that_resumes_it_is_a_new_end() -> None:
    seen = observed_jobs(store_refusal=ERROR)
    job, desired = stored(a_job(RESUMED, status=FAILED), seen, INSTALLATION, NOW_S)
    assert (desired.ended, desired.reason) == (True, "InputNotFound")
    assert job.status is not None
    assert (job.status.completion_time, job.status.resumes) == (timestamp(NOW_S), 1)


@pytest.mark.parametrize(
    ("jobs", "head", "wanted"),
    [
        ((a_plan_job(finished="Failed", error=SLOW),), None, 11),
        ((a_plan_job(finished="Complete"),), a_head(error=ERROR, segments=0), 11),
        ((), a_head(error=ERROR, segments=0), 11),
        ((a_plan_job(11, finished="Failed", error=ERROR),), None, 12),
    ],
)
def test_without_a_plan_that_can_be_run_another_one_is_made(
    jobs: tuple[JobObserved, ...], head: Any, wanted: int
) -> None:
    desired = look(observed_jobs(jobs=jobs, head=head), RESUMED, status=FAILED)
    assert (desired.plan_job, desired.reason) == (PlannerDesired(wanted), "Probing")


def test_a_second_plan_of_which_nothing_can_be_run_ends_it_again() -> None:
    head = a_head(attempt=11, error=ERROR, segments=0)
    status = FAILED | {"resumes": 1}
    del status["completionTime"]
    assert look(observed_jobs(jobs=(a_plan_job(11, finished="Complete"),), head=head), RESUMED, status=status).ended


def test_a_job_in_a_queue_waits_in_it_again() -> None:
    labels = {"kueue.x-k8s.io/queue-name": "gpus"}
    desired = look(running(GAVE_UP, results=results(4, open=True)), RESUMED, status=FAILED, labels=labels)
    assert desired.work_job is not None
    assert (desired.reason, desired.work_job.suspended, desired.demand) == ("Queued", None, None)


def test_a_resumed_job_that_is_held_waits() -> None:
    spec = RESUMED | {"suspend": True}
    job, desired = stored(
        a_job(spec, status=FAILED), running(GAVE_UP, results=results(4, open=True)), INSTALLATION, NOW_S
    )
    assert (desired.reason, desired.work_job, desired.ended) == ("Suspended", None, False)
    assert job.status is not None
    assert job.status.completion_time is None


def test_its_time_to_live_counts_from_its_new_end() -> None:
    spec = RESUMED | {"ttlSecondsAfterFinished": 5}
    desired = look(running(GAVE_UP, server=READY, results=results(4, open=True)), spec, status=FAILED)
    assert (desired.delete_self, desired.ended) == (False, False)


def test_a_job_that_failed_while_it_was_asked_to_go_on_goes_on() -> None:
    status = {name: value for name, value in FAILED.items() if name != "completionTime"} | {"resumes": 1}
    desired = look(running(GAVE_UP, server=READY, results=results(4, open=True)), RESUMED, status=status)
    assert desired.work_job is not None
    assert (desired.ended, desired.work_job.attempt) == (False, 11)
