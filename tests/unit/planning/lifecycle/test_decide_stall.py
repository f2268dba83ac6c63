"""A server that is paid without a commit: when workers are held, when it is tried again, and when the job fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decisions import (
    ERROR,
    INSTALLATION,
    NOW_S,
    READY,
    PodsDecision,
    a_head,
    a_job,
    a_work_job,
    problem,
    results,
    running,
    stored,
)
from videojob.api.videojob import VideoJob
from videojob.planning.lifecycle.stall import NOTE_EVERY_S, bound_s
from videojob.planning.state.observed import ServerObserved
from videojob.planning.state.pods import JobObserved

BOUND_S = 1800.0
QUEUE = {"kueue.x-k8s.io/queue-name": "gpus"}
NO_NODE = ServerObserved(1, 0, problem("unschedulable"))


@dataclass
class Course:
    """A job through time: each reconcile stores its status, and what it decides about workers is done."""

    job: VideoJob = field(default_factory=a_job)
    now_s: float = NOW_S
    workers: JobObserved | None = field(default_factory=a_work_job)
    server: ServerObserved | None = READY
    committed: int = 1
    desired: PodsDecision | None = None
    writes: int = 0

    def look(self, **changes: Any) -> PodsDecision:
        """One reconcile."""
        jobs = () if self.workers is None else (self.workers,)
        observed = running(*jobs, server=self.server, results=results(self.committed))
        before = self.job.status
        self.job, self.desired = stored(self.job, replace(observed, **changes), INSTALLATION, self.now_s)
        self.writes += before != self.job.status
        wanted = self.desired.work_job
        if self.workers is not None and self.workers.name in self.desired.remove_jobs:
            self.workers = None
        elif wanted is not None and wanted.suspended is not None:
            known = self.workers or a_work_job()
            self.workers = replace(known, suspended=wanted.suspended)
        return self.desired

    def lasts(self, seconds: float, *, step_s: float = 60.0, **changes: Any) -> PodsDecision:
        """Looks again and again until so much time has passed."""
        end_s = self.now_s + seconds
        desired = self.look(**changes)
        while self.now_s < end_s:
            self.now_s = min(end_s, self.now_s + step_s)
            desired = self.look(**changes)
        return desired


@pytest.mark.parametrize(
    ("segment_s", "start_s", "bound"),
    [(10, 60, 1800), (180, 60, 1800), (181, 60, 1810), (10, 900, 1800), (1, 901, 1802)],
)
def test_the_bound_is_half_an_hour_or_ten_segments(segment_s: float, start_s: float, bound: float) -> None:
    assert bound_s(segment_s, start_s) == bound


@pytest.mark.parametrize(("seconds", "stalled"), [(BOUND_S - 1, False), (BOUND_S, True), (BOUND_S + 60, True)])
def test_a_paid_server_without_a_commit_is_let_go_at_the_bound(seconds: float, stalled: bool) -> None:
    course = Course()
    desired = course.lasts(seconds)
    assert (desired.reason == "Stalled") is stalled
    assert (desired.demand is None) is stalled
    assert desired.work_job is not None
    assert desired.work_job.suspended is stalled
    assert not desired.ended


def test_the_look_comes_in_time() -> None:
    course = Course()
    course.lasts(BOUND_S - 100, step_s=50)
    desired = course.look()
    assert desired.requeue_s is not None
    assert desired.requeue_s <= 100


def test_long_segments_have_more_time() -> None:
    """One segment of the job takes 200 s of a worker: 2,000 s may pass."""
    head = a_head(frames=40_000, segments=10, longest_ms=30_000)
    course = Course()
    assert course.lasts(1999, head=head).reason == "Processing"
    assert course.lasts(1, head=head).reason == "Stalled"


def test_a_commit_begins_anew() -> None:
    course = Course()
    course.lasts(BOUND_S - 1)
    course.committed += 1
    assert course.lasts(BOUND_S - 1).reason == "Processing"
    assert course.lasts(1).reason == "Stalled"


@pytest.mark.parametrize(
    ("changes", "observed"),
    [
        ({"server": NO_NODE}, {}),
        ({"server": None}, {}),
        ({"workers": a_work_job(suspended=True, active=0, ready=0), "server": NO_NODE}, {}),
        ({"job": a_job(labels=QUEUE), "workers": a_work_job(suspended=True)}, {}),
        ({"job": a_job({"suspend": True})}, {}),
        ({"workers": a_work_job(ready=0, active=0, problem=problem("refused"))}, {}),
        ({}, {"store_error": "away"}),
    ],
    ids=["no node", "no server", "held", "queued", "suspended", "refused", "no table"],
)
def test_time_that_nobody_pays_a_server_for_does_not_count(changes: dict[str, Any], observed: dict[str, Any]) -> None:
    course = Course()
    course.lasts(BOUND_S - 1)
    job = changes.pop("job", course.job)
    course.job = VideoJob.from_manifest(job.as_manifest() | {"status": course.job.as_manifest()["status"]})
    for name, value in changes.items():
        setattr(course, name, value)
    desired = course.lasts(10 * BOUND_S, **observed)
    assert (desired.reason != "Stalled", desired.ended) == (True, False)


@pytest.mark.parametrize("gap_s", [3600.0, 30 * 86_400.0])
def test_time_in_which_no_controller_looked_counts_for_little(gap_s: float) -> None:
    course = Course()
    course.lasts(600)
    course.now_s += gap_s
    assert course.look().reason == "Processing"
    assert course.lasts(300).reason == "Processing"
    assert course.lasts(BOUND_S).reason == "Stalled"


@given(steps=st.lists(st.floats(1, NOTE_EVERY_S), min_size=40, max_size=80))
def test_however_often_a_new_controller_begins_it_ends_at_the_bound(steps: list[float]) -> None:
    """All that is known stands in the status, in whole seconds: each reconcile is one of another controller."""
    course, passed_s = Course(), 0.0
    assert course.look().reason == "Processing"
    for step_s in steps:
        course.now_s += step_s
        passed_s += step_s
        if course.look().reason == "Stalled":
            assert passed_s >= BOUND_S - 1 - 2 * NOTE_EVERY_S / 60
            return
    assert passed_s <= BOUND_S + len(steps)


def test_writes_are_rare() -> None:
    course = Course()
    course.look()
    course.writes = 0
    course.lasts(BOUND_S - 10, step_s=5)
    assert course.writes <= 2 + BOUND_S / NOTE_EVERY_S


def test_commits_now_and_then_leave_the_whole_bound_after_the_last_one() -> None:
    course = Course()
    course.look()
    for _ in range(7):
        course.committed += 1
        course.lasts(NOTE_EVERY_S - 50, step_s=NOTE_EVERY_S - 50)
    assert course.lasts(BOUND_S - 2 * NOTE_EVERY_S).reason == "Processing"
    course.committed += 1
    course.look()
    assert course.lasts(BOUND_S - 1).reason == "Processing"
    assert course.lasts(1).reason == "Stalled"


def test_it_is_tried_again_and_heals() -> None:
    course = Course()
    course.lasts(BOUND_S)
    assert course.lasts(BOUND_S - 1).reason == "Stalled"
    desired = course.lasts(1)
    assert (desired.reason, desired.demand is not None) == ("Processing", True)
    course.committed += 1
    assert course.lasts(BOUND_S - 1).reason == "Processing"
    assert course.job.status is not None
    assert course.job.status.stall is not None
    assert course.job.status.stall.tries == 0


def test_after_three_bounds_the_job_fails_with_the_cause() -> None:
    course = Course(workers=a_work_job(failed=3, error=ERROR))
    paid_s, ended = 0.0, False
    while not ended:
        desired = course.look()
        paid_s += 30.0 if desired.demand is not None else 0.0
        course.now_s += 30.0
        ended = desired.ended
    assert desired.reason == "NoProgress"
    assert "there is no such object" in desired.message
    assert "in 3 tries" in desired.message
    assert abs(paid_s - 3 * BOUND_S) <= 120
    assert course.now_s - NOW_S <= 5 * BOUND_S + 300
    assert course.look().demand is None


def test_a_resume_tries_at_once_and_begins_anew() -> None:
    course = Course()
    course.lasts(BOUND_S)
    status = course.job.as_manifest()["status"]
    course.job = VideoJob.from_manifest(a_job({"suspend": True}).as_manifest() | {"status": status})
    assert course.look().reason == "Suspended"
    status = course.job.as_manifest()["status"]
    assert "stall" not in status
    course.job = VideoJob.from_manifest(a_job().as_manifest() | {"status": status})
    assert course.lasts(BOUND_S - 1).reason == "Processing"


def test_kueues_workers_are_removed_and_made_anew() -> None:
    course = Course(job=a_job(labels=QUEUE))
    assert course.lasts(BOUND_S).remove_jobs == ("entrance-work-1",)
    assert course.workers is None
    desired = course.lasts(BOUND_S)
    assert desired.work_job is not None
    assert (desired.reason, desired.work_job.suspended) == ("Queued", None)


def test_the_table_that_is_away_does_not_forget_why() -> None:
    course = Course(workers=a_work_job(failed=3, error=ERROR))
    course.lasts(BOUND_S)
    course.look(store_error="away")
    desired = course.look()
    assert desired.reason == "Stalled"
    assert "there is no such object" in desired.message


def stuck(**changes: Any) -> JobObserved:
    return a_work_job(ready=0, **changes)


@pytest.mark.parametrize(
    ("workers", "server", "words"),
    [
        (stuck(problem=problem("unschedulable", "0/3 nodes")), READY, "the workers cannot be scheduled: 0/3 nodes"),
        (
            stuck(problem=problem("image", "ErrImagePull: x")),
            READY,
            "the workers' image cannot be pulled: ErrImagePull: x",
        ),
        (
            stuck(problem=problem("crashed", "OOMKilled", exit_code=137)),
            READY,
            "the workers crash with exit code 137: OOMKilled",
        ),
        (
            stuck(
                problem=problem("crashed", "gone", exit_code=75),
                error={"reason": "ServerUnavailable", "message": "gone"},
            ),
            READY,
            "the workers end repeatedly without a commit, the last with ServerUnavailable: gone",
        ),
        (stuck(problem=problem("crashed", "gone", exit_code=75)), READY, "repeatedly without a commit: gone"),
        (stuck(problem=problem("starting")), READY, "the workers do not become ready"),
        (a_work_job(), READY, "the workers run but commit nothing"),
        (
            stuck(suspended=True, active=0),
            ServerObserved(1, 0, problem("image", "ErrImagePull: y"), placed=1),
            "the inference server cannot start: ErrImagePull: y",
        ),
        (
            stuck(suspended=True, active=0),
            ServerObserved(1, 0, problem("crashed", "it broke", restarts=2), placed=1),
            "the inference server ended in an error and is restarted: it broke",
        ),
    ],
)
def test_the_cause_is_told(workers: JobObserved, server: ServerObserved, words: str) -> None:
    course = Course(workers=workers, server=server)
    desired = course.lasts(BOUND_S)
    assert desired.reason == "Stalled"
    assert words in desired.message
    assert "suspend and resume the job" in desired.message
    assert [(one.type, one.reason) for one in desired.events if one.reason == "Stalled"] == [("Warning", "Stalled")]
    assert course.lasts(60).message == desired.message


def test_a_job_of_an_earlier_release_has_its_half_hour() -> None:
    """Its status says nothing of it, and when something was committed last: nobody counts that."""
    observed = running(a_work_job(), server=READY, results=results(1))
    status = stored(a_job(), observed, INSTALLATION, NOW_S - 86_400)[0].as_manifest()["status"]
    del status["stall"]
    course = Course(job=VideoJob.from_manifest(a_job().as_manifest() | {"status": status}))
    assert course.lasts(BOUND_S - 1).reason == "Processing"
