"""The controller's one decision: from the observed state of a VideoJob to the desired one. Pure and total.

Level-triggered: it asks what exists, never what happened, so that it does not matter which event was lost or how often
the controller was killed in between. The order of the questions is the order of a job's life; `planning.lifecycle.run`
answers those that come once an epoch has begun.

What Kubernetes' own words mean here:

- `suspend`: Jobs are held, which ends their pods within the grace period; the server's demand ends. A job that is held
  before it began has no startTime, so that its spec may still change.
- `activeDeadlineSeconds` counts as a batch Job's does: from the start, anew from each resume, not while held. startTime
  itself stays, because the spec is immutable from then on.
- `deadline.completeWithin` counts from startTime, whatever was held.
- `resumes`: a job that ended badly goes on when it grows, as if it had not ended: same plan, epoch and commits, both
  limits from now on, Jobs with numbers of their own (`planning.lifecycle.attempts`).
- A results table that does not answer decides nothing: Jobs and servers stay as they are until it does.
"""

from __future__ import annotations

from dataclasses import replace

from videojob.api.videojob import VideoJob
from videojob.planning.diagnosis.pods import NO_PODS, requeue_after_s, waiting_for
from videojob.planning.fleet.demand import demand_of
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.attempts import is_resumed, life_of, next_attempt, tries_of
from videojob.planning.lifecycle.conditions import Fact, concerns_one_video, fails, fails_with, succeeds, works
from videojob.planning.lifecycle.events import events_of
from videojob.planning.lifecycle.run import MAX_ATTEMPTS, QUEUE_LABEL, Run
from videojob.planning.lifecycle.stall import counted
from videojob.planning.state.desired import ConditionDesired, Desired, PlannerDesired
from videojob.planning.state.last_status import last_status_of, seconds_of
from videojob.planning.state.observed import JobObserved, Observed, PodProblem, ResultsObserved
from videojob.planning.state.placement import Place
from videojob.planning.state.snapshot import Snapshot
from videojob.planning.state.stall import NO_STALL
from videojob.reasons import REASONS

__all__ = ["QUEUE_LABEL", "decide", "seconds_of", "snapshot_of"]

_PLAN_POLL_S = 30.0
_STORE_POLL_S = 5.0
_GONE_POLL_S = 5.0
_END_BY_THEMSELVES_S = 30.0
"""For workers of a job that went well; those of one that did not are stopped at once."""


def decide(job: VideoJob, observed: Observed, installation: Installation, now_s: float) -> Desired:
    """What should be done now.

    Args:
        job: as it is stored, with its status.
        observed: everything else.
        installation: of this installation.
        now_s: seconds since the epoch.
    """
    snapshot = snapshot_of(job, observed, installation, now_s)
    observed = snapshot.observed
    if job.metadata.deletion_timestamp is not None:
        return replace(_as_recorded(snapshot), ended=snapshot.last_status.ended_s is not None)
    if observed.namespace_ends:
        # Kubernetes deletes pods before Jobs, and an index's last failed pod stays until another one stands in for it,
        # which nobody may make there any more: both would wait for ever.
        return replace(_as_recorded(snapshot), remove_jobs=tuple(one.name for one in observed.jobs if not one.deleting))
    if snapshot.last_status.ended_s is not None:
        return _over(snapshot, snapshot.last_status.ended_s)
    desired = _decide(snapshot)
    return replace(desired, events=events_of(snapshot, desired))


def snapshot_of(job: VideoJob, observed: Observed, installation: Installation, now_s: float) -> Snapshot:
    """What a decision takes as one value; the arguments are those of `decide`."""
    recorded = last_status_of(job.status)
    if (
        observed.head is not None
        and observed.head.error is not None
        and life_of(observed.head.attempt) < job.spec.resumes
    ):
        observed = replace(observed, head=None, results=None)  # nothing could be run then; now it may be otherwise
    if not is_resumed(job):
        return Snapshot(job, observed, installation, recorded, now_s)
    recorded = replace(recorded, ended_s=None, resumed_s=now_s, stall=NO_STALL)
    return Snapshot(job, observed, installation, recorded, now_s, is_resumed=True)


def _decide(snapshot: Snapshot) -> Desired:
    observed = snapshot.observed
    results, head = observed.results, observed.head
    if results is not None and results.finished is not None:
        return _finished(snapshot, results, results.finished)
    error = observed.cannot_run or observed.store_refusal or (None if head is None else head.error)
    if error is not None:
        return fails_with(snapshot, error)
    where = observed.placement
    if where is None:
        raise ValueError("a job that goes on was observed without its placement")
    if observed.store_error:
        return _waits_for_store(snapshot, where)
    if head is not None and results is not None and results.epoch:
        return Run(snapshot, where, head, results).desired()
    return _before_epoch(snapshot)


def _before_epoch(snapshot: Snapshot) -> Desired:
    if snapshot.is_over_time:
        return fails(snapshot, "DeadlineExceeded", snapshot.over_time_words)
    if snapshot.job.spec.suspend:
        return _held_plan(snapshot)
    if snapshot.observed.head is not None:
        return replace(works(snapshot, "Probing", "the videos are looked at"), started=True, begin=True)
    return _plan(snapshot)


# The end of a job.


def _over(snapshot: Snapshot, ended_s: float) -> Desired:
    """A job that is over: silence, until its time to live is over too."""
    ttl_s = snapshot.job.spec.ttl_seconds_after_finished
    left_s = None if ttl_s is None else ended_s + ttl_s - snapshot.now_s
    all_well = snapshot.last_status.status_of("Succeeded") == "True"
    patience_s = ended_s + _END_BY_THEMSELVES_S - snapshot.now_s if all_well and snapshot.unfinished_jobs else 0.0
    waits = [one for one in (left_s, patience_s) if one is not None and one > 0]
    return replace(
        _as_recorded(snapshot),
        started=True,
        ended=True,
        remove_jobs=() if patience_s > 0 else snapshot.unfinished_jobs,
        delete_self=left_s is not None and left_s <= 0,
        requeue_s=min(waits, default=None),
    )


def _as_recorded(snapshot: Snapshot) -> Desired:
    recorded = snapshot.last_status
    return Desired(
        reason=recorded.reason,
        message=recorded.message,
        conditions=tuple(
            ConditionDesired(one.type, one.status, one.reason, one.message) for one in recorded.conditions.values()
        ),
    )


def _finished(snapshot: Snapshot, results: ResultsObserved, state: str) -> Desired:
    if state == "Failed":
        return fails(snapshot, results.reason or "InputInvalid", results.message or "no input could be worked on")
    return succeeds(snapshot, state if state in REASONS else "Completed", results.message)


# The results table is away.


def _waits_for_store(snapshot: Snapshot, where: Place) -> Desired:
    """Everything stays as it is: what was committed while the table was away, nobody knows."""
    never_begun = snapshot.job.status is None or snapshot.job.status.epoch is None
    if never_begun and snapshot.is_over_time:
        return fails(snapshot, "DeadlineExceeded", snapshot.over_time_words)
    words = f"the results table cannot be used now, work goes on when it can: {snapshot.observed.store_error}"
    recorded = _as_recorded(snapshot)
    known = {one.type: one for one in recorded.conditions}
    said = replace(works(snapshot, recorded.reason, words), requeue_s=_STORE_POLL_S)
    conditions = tuple(one if one.type == "Succeeded" else known.get(one.type, one) for one in said.conditions)
    working = [one for one in snapshot.jobs("work") if one.finished is None and not one.suspended and not one.deleting]
    demand = (
        demand_of(snapshot, where, snapshot.last_status.frames_left)
        if working and not snapshot.job.spec.suspend
        else None
    )
    paid = counted(snapshot.last_status.stall, progressed=False, paid=False, now_s=snapshot.now_s)
    return replace(said, message=said.conditions[0].message, conditions=conditions, demand=demand, stall=paid)


# The plan.


def _plan(snapshot: Snapshot) -> Desired:
    jobs = snapshot.jobs("plan")
    if any(one.deleting for one in jobs):
        return replace(_probing(snapshot, None), requeue_s=_GONE_POLL_S)
    resumes = snapshot.job.spec.resumes
    outdated = tuple(one.name for one in jobs) if jobs and jobs[-1].unlocked else ()
    if not jobs or outdated or (life_of(jobs[-1].attempt) < resumes and jobs[-1].finished is not None):
        following = next_attempt(jobs[-1].attempt if jobs else None, resumes)
        return replace(_probing(snapshot, None), plan_job=PlannerDesired(following), remove_jobs=outdated)
    latest = jobs[-1]
    # One of an older release failed over a single video, which this one plans as failed.
    is_over_one_video = concerns_one_video(latest.error) and tries_of(latest.attempt) < MAX_ATTEMPTS
    if latest.finished == "Failed" and not is_over_one_video:
        return _plan_failed(snapshot, latest)
    if latest.finished is not None:
        # Its plan should be there. A planner is run again, in case the table was emptied.
        if tries_of(latest.attempt) >= MAX_ATTEMPTS:
            return fails(snapshot, "ResultsIncomplete", "planners end well, and their plan is not in the table")
        return replace(_probing(snapshot, None), plan_job=PlannerDesired(latest.attempt + 1))
    return replace(_probing(snapshot, latest.problem), plan_job=PlannerDesired(latest.attempt))


def _held_plan(snapshot: Snapshot) -> Desired:
    running = [one for one in snapshot.jobs("plan") if one.finished is None and not one.deleting]
    held = PlannerDesired(running[-1].attempt, suspended=True) if running else None
    return replace(works(snapshot, "Suspended", "the job is held by spec.suspend"), plan_job=held)


def _probing(snapshot: Snapshot, problem: PodProblem | None) -> Desired:
    says = works(snapshot, "Probing", "the videos are looked at")
    if problem is not None and problem.kind in NO_PODS:
        wait = waiting_for(problem, "cpu", snapshot.job.spec, snapshot.installation, snapshot.now_s, what="the planner")
        capacity = Fact("False", wait.capacity_reason or wait.reason, wait.message)
        says = works(snapshot, wait.reason, wait.message, capacity=capacity, advise=not wait.is_refused)
    elif problem is not None and problem.kind == "crashed":
        says = works(snapshot, "Probing", f"the planner ended in an error and is started again: {problem.message}")
    poll_s = _PLAN_POLL_S if problem is None else requeue_after_s(problem, snapshot.now_s)
    return replace(says, started=True, requeue_s=poll_s)


def _plan_failed(snapshot: Snapshot, job: JobObserved) -> Desired:
    """A planner that ended badly: its own words, else Kubernetes'."""
    if job.error is not None:
        return fails_with(snapshot, job.error)
    if job.reason == "DeadlineExceeded":
        reason = "NoProgress" if snapshot.job.spec.active_deadline_seconds is None else "DeadlineExceeded"
        return fails(snapshot, reason, f"the planner did not end in time: {job.message}")
    problem = "" if job.problem is None else f"; {job.problem.message}"
    words = f"the planner failed: {job.message or job.reason}{problem}"
    return fails(snapshot, "BackoffLimitExceeded", words)
