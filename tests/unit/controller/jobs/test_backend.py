"""A second backend is one module that decides and one that applies: this one only these tests have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from support.decisions import a_catalogue, a_head
from support.job_desk import KEY, JobDesk
from videojob.api.videojob import VideoJob
from videojob.errors import ClusterRefused
from videojob.kube.kinds import EVENTS, JOBS, VIDEOJOBS
from videojob.planning.lifecycle.backend import Run
from videojob.planning.lifecycle.conditions import fails, works
from videojob.planning.state.desired import Desired, EventDesired, ServerDemand
from videojob.planning.state.placement import Place, RecordedPlacement
from videojob.planning.state.snapshot import Snapshot
from videojob.worker.fold.messages import Folded
from videojob.worker.steps.finalise import FinalOutcome

SEGMENTS = 5
WINDOW = 2


# What its module in planning.lifecycle would be.


@dataclass(frozen=True, slots=True)
class CallsObserved:
    """Calls of a function: for the plan, and for segments of an epoch; `lost` is how many ended without a commit."""

    planning: bool = False
    segments: frozenset[int] = frozenset()
    epoch: int = 0
    lost: int = 0
    must_stop: bool = False
    placements: tuple[RecordedPlacement, ...] = ()

    @property
    def is_working(self) -> bool:
        return bool(self.segments)

    @property
    def has_ended(self) -> bool:
        return True  # a call leaves nothing behind: what it did, only the table knows

    @property
    def mark(self) -> str:
        return ""

    def has_started(self, epoch: int) -> bool:
        return bool(self.segments) and self.epoch >= epoch

    def segments_done(self, epoch: int) -> int:
        return 0

    def plan_attempt(self, *, has_begun: bool) -> int | None:
        return 1


@dataclass(frozen=True, slots=True)
class CallsDesired:
    """Calls to make; `stop` takes back those that are outstanding."""

    plan: bool = False
    segments: tuple[int, ...] = ()
    epoch: int = 0
    stop: bool = False

    @property
    def starts(self) -> bool:
        return self.plan or bool(self.segments)


def calls_of(snapshot: Snapshot) -> CallsObserved:
    found = snapshot.observed.backend
    assert isinstance(found, CallsObserved)
    return found


class CallsLifecycle:
    """`BackendLifecycle`: at most `WINDOW` calls are outstanding."""

    def plan(self, snapshot: Snapshot) -> Desired:
        if snapshot.job.spec.suspend:
            return replace(works(snapshot, "Suspended", "suspended"), backend=self.stopped(snapshot))
        plan = CallsDesired(plan=not calls_of(snapshot).planning)
        return replace(works(snapshot, "Probing", "a function plans"), started=True, backend=plan)

    def segments(self, run: Run) -> Desired:
        calls = calls_of(run.snapshot)
        if calls.lost > SEGMENTS:
            return fails("WorkerLost", "calls end without a commit")
        if run.snapshot.job.spec.suspend:
            return replace(works(run.snapshot, "Suspended", "suspended"), backend=self.stopped(run.snapshot))
        open_ones = [one for one in range(run.head.segments) if one not in run.results.committed | calls.segments]
        window = CallsDesired(segments=tuple(open_ones[: WINDOW - len(calls.segments)]), epoch=run.results.epoch)
        says = works(run.snapshot, "Processing", "functions run")
        return replace(says, started=True, backend=window, progress=run.progress(), requeue_s=5.0)

    def is_idle(self, run: Run) -> bool:
        return False

    def folding(self, run: Run) -> None:
        return None

    def stopped(self, snapshot: Snapshot) -> CallsDesired | None:
        calls = calls_of(snapshot)
        return CallsDesired(stop=True) if calls.planning or calls.segments else None

    def demand(self, snapshot: Snapshot, where: Place) -> ServerDemand | None:
        return None

    def events(self, snapshot: Snapshot, desired: Desired) -> list[EventDesired]:
        lost = calls_of(snapshot).lost
        return [EventDesired("Warning", "SegmentRetried", f"{lost} calls ended without a commit")] if lost else []


# What its module in controller.jobs would be.


@dataclass
class Calls:
    """`Backend`, with the function itself: calls are outstanding until a test lets them end."""

    desk: JobDesk
    observed: CallsObserved = CallsObserved()
    lifecycle: CallsLifecycle = field(default_factory=CallsLifecycle)
    name: str = "lambda"
    refuses: bool = False
    most: int = 0

    def observe(self, job: VideoJob, *, is_over: bool) -> CallsObserved:
        return self.observed

    def apply(self, job: VideoJob, observed: CallsObserved, desired: CallsDesired) -> None:
        if desired.stop:
            self.observed = replace(observed, planning=False, segments=frozenset())
            return
        if self.refuses and desired.starts:
            raise ClusterRefused("the function may not be called", retryable=True)
        segments = observed.segments | set(desired.segments)
        self.most = max(self.most, len(segments))
        self.observed = replace(
            observed, planning=observed.planning or desired.plan, segments=segments, epoch=desired.epoch
        )

    def end(self, *, commits: bool = True) -> None:
        """All outstanding calls end."""
        if self.observed.planning:
            self.desk.plan(a_head(segments=SEGMENTS))
        if commits:
            self.desk.table.committed_segments |= self.observed.segments
        lost = 0 if commits else len(self.observed.segments)
        self.observed = CallsObserved(epoch=self.observed.epoch, lost=self.observed.lost + lost)


@pytest.fixture
def desk() -> JobDesk:
    desk = JobDesk()
    desk.use(a_catalogue(backends=("kubernetes", "lambda")), Calls(desk))
    desk.start({"compute": {"backend": "lambda"}})
    return desk


def calls_at(desk: JobDesk) -> Calls:
    found = desk.reconciler.backends[1]
    assert isinstance(found, Calls)
    return found


def step(desk: JobDesk, *, commits: bool = True) -> str:
    """Calls end, and the job is reconciled; returns its reason."""
    calls_at(desk).end(commits=commits)
    desk.clock.seconds += 10
    desk.look()
    return desk.reason


def suspended(desk: JobDesk, *, suspend: bool) -> None:
    desk.cluster.put(VIDEOJOBS, desk.job | {"spec": desk.job["spec"] | {"suspend": suspend}})
    desk.clock.seconds += 10
    desk.look()


def test_a_job_comes_to_its_end(desk: JobDesk) -> None:
    desk.look()
    reasons = [desk.reason]
    while desk.reason != "Aggregating":
        reasons.append(step(desk))
    desk.folds.end(KEY, Folded(FinalOutcome("Completed", "", 3000)))
    reasons.append(step(desk))
    assert list(dict.fromkeys(reasons)) == ["Probing", "Processing", "Aggregating", "Completed"]
    assert (calls_at(desk).most, len(desk.table.committed_segments)) == (WINDOW, SEGMENTS)
    assert desk.status["progress"]["segmentsDone"] == SEGMENTS
    assert "completionTime" in desk.status
    assert desk.cluster.names(JOBS) == [], "no Job of Kubernetes was made"
    assert desk.demands.jobs == []


def test_nothing_runs_of_a_suspended_job_and_finished_segments_are_kept(desk: JobDesk) -> None:
    desk.look()
    step(desk)
    step(desk)
    suspended(desk, suspend=True)
    assert (desk.reason, calls_at(desk).observed.segments) == ("Suspended", frozenset())
    done = set(desk.table.committed_segments)
    suspended(desk, suspend=False)
    assert desk.reason == "Processing"
    assert done
    assert not done & calls_at(desk).observed.segments


def test_a_job_that_ends_badly_leaves_no_call(desk: JobDesk) -> None:
    desk.look()
    step(desk)
    for _ in range(SEGMENTS):
        step(desk, commits=False)
    assert desk.reason == "WorkerLost"
    assert calls_at(desk).observed.segments == frozenset()
    assert any("calls ended without a commit" in one["message"] for one in desk.cluster.list(EVENTS))


def test_the_limit_of_time_ends_it_too(desk: JobDesk) -> None:
    value = desk.job
    desk.cluster.put(VIDEOJOBS, value | {"spec": value["spec"] | {"activeDeadlineSeconds": 60}})
    desk.look()
    step(desk)
    assert calls_at(desk).observed.segments
    desk.clock.seconds += 60
    desk.look()
    assert (desk.reason, calls_at(desk).observed.segments) == ("DeadlineExceeded", frozenset())


def test_what_it_is_refused_the_job_tells(desk: JobDesk) -> None:
    calls_at(desk).refuses = True
    with pytest.raises(ClusterRefused):
        desk.look()
    assert "the function may not be called" in desk.status["message"]


def test_jobs_that_name_no_backend_run_in_pods(desk: JobDesk) -> None:
    desk.start({"compute": {"backend": "auto"}})
    desk.look()
    assert len(desk.jobs) == 1
    assert not calls_at(desk).observed.planning


def test_a_backend_that_is_offered_has_to_be_there() -> None:
    with pytest.raises(ValueError, match="lambda"):
        JobDesk(a_catalogue(backends=("kubernetes", "lambda")))


def test_a_backend_that_is_not_offered_is_rejected() -> None:
    desk = JobDesk()
    desk.start({"compute": {"backend": "lambda"}})
    desk.look()
    assert (desk.reason, desk.jobs) == ("UnsupportedField", [])
