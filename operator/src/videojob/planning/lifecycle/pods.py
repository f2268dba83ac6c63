"""Pods as a backend: a planner's Job makes the plan, an Indexed Job of workers runs the segments. Pure.

`controller.jobs.pods` applies what is decided here. "Settled" is what the table says, never what Kubernetes says of its
pods: a Job that ended well with open segments is followed by another one, a few times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from videojob.planning.diagnosis.pods import NO_PODS, requeue_after_s, waiting_for
from videojob.planning.fleet.demand import demand_of
from videojob.planning.lifecycle.attempts import MAX_ATTEMPTS, life_of, next_attempt, tries_of
from videojob.planning.lifecycle.backend import BackendLifecycle, Run
from videojob.planning.lifecycle.conditions import Fact, concerns_one_video, fails, fails_with, works
from videojob.planning.lifecycle.workers import Workers
from videojob.planning.state.desired import Desired, EventDesired, ServerDemand
from videojob.planning.state.observed import PodProblem
from videojob.planning.state.placement import Place
from videojob.planning.state.pods import QUEUE_LABEL, JobObserved, PlannerDesired, PodsDesired, PodsObserved
from videojob.planning.state.snapshot import Snapshot

_PLAN_POLL_S = 30.0
_GONE_POLL_S = 5.0


@dataclass(frozen=True, slots=True)
class PodsLifecycle(BackendLifecycle):
    """`BackendLifecycle`."""

    def plan(self, snapshot: Snapshot) -> Desired:
        jobs = PodsObserved.of(snapshot.observed.backend).plan
        return _suspended(snapshot, jobs) if snapshot.job.spec.suspend else _planned(snapshot, jobs)

    def segments(self, run: Run) -> Desired:
        snapshot, epoch = run.snapshot, run.results.epoch
        mine = PodsObserved.of(snapshot.observed.backend)
        latest = mine.latest(epoch)
        workers = Workers(
            run,
            latest,
            running=latest if latest is not None and latest.finished is None else None,
            has_others=any(one.epoch != epoch or one.deleting for one in mine.work),
            is_queued=QUEUE_LABEL in snapshot.job.metadata.labels,
        )
        failure = workers.failure()
        if failure is not None:
            return failure
        says = workers.held() if snapshot.job.spec.suspend else workers.at_work()
        stale = tuple(one.name for one in mine.work if one.epoch != epoch and not one.deleting)
        if not stale:
            return says
        pods = says.backend if isinstance(says.backend, PodsDesired) else PodsDesired()
        return replace(says, backend=replace(pods, remove=(*stale, *pods.remove)))

    def is_idle(self, run: Run) -> bool:
        latest = PodsObserved.of(run.snapshot.observed.backend).latest(run.results.epoch)
        if latest is None or latest.finished is None:
            return False
        # How a Job of before a resume ended says nothing now.
        return life_of(latest.attempt) >= run.snapshot.job.spec.resumes

    def folding(self, run: Run) -> PodsDesired:
        work = PodsObserved.of(run.snapshot.observed.backend).work
        return PodsDesired(
            remove=tuple(one.name for one in work if one.epoch != run.results.epoch and not one.deleting)
        )

    def stopped(self, snapshot: Snapshot) -> PodsDesired | None:
        # Where the namespace ends, Jobs that are over go, too: Kubernetes deletes pods before Jobs, and an index's last
        # failed pod stays until another one stands in for it, which nobody may make there any more: both would wait for
        # ever.
        mine = PodsObserved.of(snapshot.observed.backend)
        left = [one for one in mine.jobs if not one.deleting and (one.finished is None or mine.must_stop)]
        return PodsDesired(remove=tuple(one.name for one in left)) if left else None

    def demand(self, snapshot: Snapshot, where: Place) -> ServerDemand | None:
        work = PodsObserved.of(snapshot.observed.backend).work
        at_work = any(one.finished is None and not one.suspended and not one.deleting for one in work)
        return demand_of(snapshot, where, snapshot.last_status.frames_left) if at_work else None

    def events(self, snapshot: Snapshot, desired: Desired) -> Iterator[EventDesired]:
        workers = desired.backend.workers if isinstance(desired.backend, PodsDesired) else None
        if workers is None:
            return
        mine = [one for one in PodsObserved.of(snapshot.observed.backend).work if one.attempt == workers.attempt]
        if tries_of(workers.attempt) > 1 and not mine:
            words = f"segments are missing: Job {workers.attempt} retries them"
            yield EventDesired("Warning", "SegmentRetried", words)
        running = next((one for one in mine if not one.deleting), None)
        if running is not None and running.disrupted:
            pods, their = ("1 pod", "its") if running.disrupted == 1 else (f"{running.disrupted} pods", "their")
            verb = "was" if running.disrupted == 1 else "were"
            words = f"{pods} of {running.name} {verb} disrupted; {their} segments will be retried"
            yield EventDesired("Normal", "Interrupted", words)
        if running is not None and running.failed:
            last = "" if running.error is None else f", the last with {running.error.get('reason')}"
            pods = "1 pod" if running.failed == 1 else f"{running.failed} pods"
            yield EventDesired("Warning", "SegmentRetried", f"{pods} of {running.name} failed{last}")


def _suspended(snapshot: Snapshot, jobs: tuple[JobObserved, ...]) -> Desired:
    running = [one for one in jobs if one.finished is None and not one.deleting]
    held = PodsDesired(PlannerDesired(running[-1].attempt, suspended=True)) if running else None
    return replace(works(snapshot, "Suspended", "the job is suspended by spec.suspend"), backend=held)


def _planned(snapshot: Snapshot, jobs: tuple[JobObserved, ...]) -> Desired:
    if any(one.deleting for one in jobs):
        return replace(_probing(snapshot, None), requeue_s=_GONE_POLL_S)
    resumes = snapshot.job.spec.resumes
    outdated = tuple(one.name for one in jobs) if jobs and jobs[-1].unlocked else ()
    if not jobs or outdated or (life_of(jobs[-1].attempt) < resumes and jobs[-1].finished is not None):
        following = next_attempt(jobs[-1].attempt if jobs else None, resumes)
        return replace(_probing(snapshot, None), backend=PodsDesired(PlannerDesired(following), remove=outdated))
    latest = jobs[-1]
    # One of an older release failed over a single video, which this one plans as failed.
    is_over_one_video = concerns_one_video(latest.error) and tries_of(latest.attempt) < MAX_ATTEMPTS
    if latest.finished == "Failed" and not is_over_one_video:
        return _plan_failed(snapshot, latest)
    if latest.finished is not None:
        # Its plan should be there. A planner is run again, in case the table was emptied.
        if tries_of(latest.attempt) >= MAX_ATTEMPTS:
            return fails("ResultsIncomplete", "the planner succeeded, but its plan is not in the table")
        return replace(_probing(snapshot, None), backend=PodsDesired(PlannerDesired(latest.attempt + 1)))
    return replace(_probing(snapshot, latest.problem), backend=PodsDesired(PlannerDesired(latest.attempt)))


def _probing(snapshot: Snapshot, problem: PodProblem | None) -> Desired:
    says = works(snapshot, "Probing", "probing the input videos")
    if problem is not None and problem.kind in NO_PODS:
        wait = waiting_for(problem, "cpu", snapshot.job.spec, snapshot.installation, snapshot.now_s, what="the planner")
        capacity = Fact("False", wait.capacity_reason or wait.reason, wait.message)
        says = works(snapshot, wait.reason, wait.message, capacity=capacity, advise=not wait.is_refused)
    elif problem is not None and problem.kind == "crashed":
        says = works(snapshot, "Probing", f"the planner ended in an error and is restarted: {problem.message}")
    poll_s = _PLAN_POLL_S if problem is None else requeue_after_s(problem, snapshot.now_s)
    return replace(says, started=True, requeue_s=poll_s)


def _plan_failed(snapshot: Snapshot, job: JobObserved) -> Desired:
    """A planner that ended badly: its own words, else Kubernetes'."""
    if job.error is not None:
        return fails_with(job.error)
    if job.reason == "DeadlineExceeded":
        reason = "NoProgress" if snapshot.job.spec.active_deadline_seconds is None else "DeadlineExceeded"
        return fails(reason, f"the planner did not finish in time: {job.message}")
    problem = "" if job.problem is None else f"; {job.problem.message}"
    words = f"the planner failed: {job.message or job.reason}{problem}"
    return fails("BackoffLimitExceeded", words)
