"""What is decided about a VideoJob that ends, is held, or stands in a queue."""

from __future__ import annotations

from typing import Any

import pytest

from support.decisions import (
    INSTALLATION,
    NOW_S,
    READY,
    a_head,
    a_job,
    a_plan_job,
    a_status,
    a_work_job,
    condition,
    ended_status,
    look,
    observed_jobs,
    results,
    running,
    stored,
)
from videojob.planning.state.observed import Observed
from videojob.planning.state.pods import JobObserved, PlannerDesired, PodsObserved

# The end.


@pytest.mark.parametrize(
    ("seen", "reason", "status", "words"),
    [
        ({"finished": "Completed"}, "Completed", "True", "Every frame"),
        ({"finished": "PartiallyCompleted", "message": "a gap"}, "PartiallyCompleted", "True", "a gap"),
        ({"finished": "Failed", "reason": "NoFrames", "message": "nothing"}, "NoFrames", "False", "nothing"),
        ({"finished": "Failed"}, "InputInvalid", "False", "no input"),
        ({"finished": "Unheard"}, "Completed", "True", "Every frame"),
    ],
)
def test_the_summary_decides_how_a_job_ended(seen: dict[str, Any], reason: str, status: str, words: str) -> None:
    left = a_work_job()
    desired = look(running(left, results=results(10, **seen)))
    assert (desired.reason, condition(desired, "Succeeded"), desired.ended) == (reason, (status, reason), True)
    assert words in desired.message
    stopped = () if status == "True" else (left.name,)
    assert (desired.remove_jobs, desired.demand, desired.requeue_s) == (stopped, None, None)


def test_a_job_that_is_over_says_and_wants_nothing_new() -> None:
    desired = look(observed_jobs(jobs=(a_work_job(finished="Complete"),)), status=ended_status())
    assert (desired.reason, desired.message, desired.events) == ("Completed", "it is over", ())
    assert (desired.plan_job, desired.work_job, desired.demand, desired.requeue_s) == (None, None, None, None)
    assert (desired.remove_jobs, desired.delete_self) == ((), False)


@pytest.mark.parametrize(
    ("ago_s", "removed", "requeue_s"), [(1.0, (), 29.0), (31.0, ("entrance-work-1",), None)], ids=["at first", "later"]
)
def test_workers_with_nothing_left_to_do_may_end_by_themselves(
    ago_s: float, removed: tuple[str, ...], requeue_s: float | None
) -> None:
    desired = look(observed_jobs(jobs=(a_work_job(),)), status=ended_status(ago_s=ago_s))
    assert (desired.remove_jobs, desired.requeue_s) == (removed, requeue_s)


def test_what_a_killed_controller_left_of_it_is_removed() -> None:
    desired = look(
        observed_jobs(jobs=(a_work_job(), a_work_job(2, deleting=True))), status=ended_status("ModelInvalid")
    )
    assert desired.remove_jobs == ("entrance-work-1",)


@pytest.mark.parametrize(("ttl_s", "gone", "requeue_s"), [(0, True, None), (10, True, None), (60, False, 50.0)])
def test_a_job_that_is_over_goes_when_its_time_is_over(ttl_s: int, gone: bool, requeue_s: float | None) -> None:
    desired = look(observed_jobs(), {"ttlSecondsAfterFinished": ttl_s}, status=ended_status(ago_s=10))
    assert (desired.delete_self, desired.requeue_s) == (gone, requeue_s)


def test_a_job_that_is_being_deleted_is_left_alone() -> None:
    desired = look(running(), status=a_status(), deletionTimestamp="2027-01-15T08:00:00Z")
    assert (desired.reason, desired.work_job, desired.demand, desired.ended) == ("Processing", None, None, False)
    over = look(observed_jobs(), status=ended_status(), deletionTimestamp="2027-01-15T08:00:00Z")
    assert (over.reason, over.ended) == ("Completed", True)


@pytest.mark.parametrize(
    ("limit_s", "status", "suspended", "over"),
    [
        (100, a_status(began_s=99), False, False),
        (100, a_status(began_s=100), False, True),
        (100, a_status(began_s=500), True, False),
        (100, a_status(began_s=500, Suspended="True"), False, False),
        (100, a_status(began_s=500, since_s=99, Suspended="False"), False, False),
        (100, a_status(began_s=500, since_s=100, Suspended="False"), False, True),
        (100, None, False, False),
        (None, a_status(began_s=10**6), False, False),
    ],
)
@pytest.mark.parametrize("seen", [observed_jobs(), running(a_work_job(), server=READY)], ids=["planning", "running"])
def test_the_limit_counts_as_a_batch_jobs_does(
    seen: Observed, limit_s: int | None, status: dict[str, Any] | None, suspended: bool, over: bool
) -> None:
    spec = {"suspend": suspended} | ({} if limit_s is None else {"activeDeadlineSeconds": limit_s})
    desired = look(seen, spec, status=status)
    assert (desired.reason == "DeadlineExceeded") is over
    assert desired.ended is over
    if over:
        assert desired.remove_jobs == tuple(one.name for one in PodsObserved.of(seen.backend).jobs)


def test_what_was_settled_in_time_is_folded_though_the_time_is_over() -> None:
    observed = running(a_work_job(finished="Complete"), results=results(10))
    desired = look(observed, {"activeDeadlineSeconds": 50}, status=a_status(began_s=100))
    assert desired.finalise


# Suspend and resume.


def test_before_it_began_nothing_is_made_and_the_spec_stays_open() -> None:
    desired = look(observed_jobs(), {"suspend": True})
    assert (desired.reason, desired.started, desired.plan_job) == ("Suspended", False, None)
    assert condition(desired, "Suspended") == ("True", "Suspended")


def test_a_planner_is_held() -> None:
    desired = look(observed_jobs(jobs=(a_plan_job(),)), {"suspend": True})
    assert desired.plan_job == PlannerDesired(1, suspended=True)
    ended = look(observed_jobs(jobs=(a_plan_job(finished="Failed"),)), {"suspend": True})
    assert (ended.plan_job, ended.ended) == (None, False)


def test_no_epoch_begins() -> None:
    desired = look(observed_jobs(head=a_head()), {"suspend": True})
    assert (desired.begin, desired.reason) == (False, "Suspended")


def test_workers_are_held_and_capacity_is_given_back() -> None:
    desired = look(running(a_work_job(), server=READY, results=results(4)), {"suspend": True}, status=a_status())
    assert desired.work_job is not None
    assert desired.progress is not None
    assert (desired.work_job.suspended, desired.work_job.attempt, desired.demand) == (True, 1, None)
    assert (desired.progress.segments_done, desired.progress.remaining_s) == (4, None)
    assert [condition(desired, kind)[0] for kind in ("CapacityReady", "ServerReady")] == ["False", "False"]


def test_without_a_job_none_is_made() -> None:
    assert look(running(server=READY), {"suspend": True}).work_job is None


def test_it_goes_on_where_it_was() -> None:
    held = a_work_job(suspended=True, active=0, ready=0)
    status = a_status("Suspended", Suspended="True")
    desired = look(running(held, server=READY, results=results(4)), status=status)
    assert desired.work_job is not None
    assert (desired.work_job.suspended, desired.reason) == (False, "Processing")
    assert "Resumed" in [one.reason for one in desired.events]


# Kueue.


QUEUED = {"kueue.x-k8s.io/queue-name": "gpus"}


@pytest.mark.parametrize("jobs", [(), (a_work_job(suspended=True),)], ids=["new", "held"])
def test_a_queued_job_is_left_to_kueue_and_needs_no_server_yet(jobs: tuple[JobObserved, ...]) -> None:
    desired = look(running(*jobs, server=READY), labels=QUEUED)
    assert desired.work_job is not None
    assert (desired.reason, desired.work_job.suspended, desired.demand) == ("Queued", None, None)


def test_the_limit_does_not_count_in_the_queue() -> None:
    spec = {"activeDeadlineSeconds": 100}
    queue = running(a_work_job(suspended=True), server=READY)
    job, _ = stored(a_job(spec, labels=QUEUED), queue, INSTALLATION, NOW_S)
    job, waiting = stored(job, queue, INSTALLATION, NOW_S + 1000)
    assert (waiting.reason, condition(waiting, "Suspended")) == ("Queued", ("True", "Queued"))
    admitted = running(a_work_job(), server=READY)
    job, working = stored(job, admitted, INSTALLATION, NOW_S + 2000)
    assert (working.reason, "Admitted" in [one.reason for one in working.events]) == ("Processing", True)
    assert stored(job, admitted, INSTALLATION, NOW_S + 2099)[1].reason == "Processing"
    assert stored(job, admitted, INSTALLATION, NOW_S + 2100)[1].reason == "DeadlineExceeded"


def test_an_admitted_job_gets_its_server_and_is_never_held_by_us() -> None:
    desired = look(running(a_work_job(), server=None), labels=QUEUED, status=a_status(ServerReady="False"))
    assert desired.work_job is not None
    assert desired.demand is not None
    assert (desired.work_job.suspended, desired.reason) == (None, "Processing")


def test_as_many_workers_as_kueue_admitted_stay() -> None:
    desired = look(running(a_work_job(parallelism=7), server=READY), labels=QUEUED)
    assert desired.work_job is not None
    assert desired.work_job.parallelism == 7


def test_suspend_takes_its_job_away() -> None:
    desired = look(running(a_work_job(), server=READY), {"suspend": True}, labels=QUEUED)
    assert (desired.work_job, desired.remove_jobs) == (None, ("entrance-work-1",))
