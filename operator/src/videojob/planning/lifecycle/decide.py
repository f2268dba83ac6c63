"""The controller's one decision: from what was seen of a VideoJob to what should be done about it. Pure and total.

Level-triggered: it asks what is there, never what happened, so that it does not matter which event was lost or how
often the controller was killed in between. The order of the questions is the order of a job's life; `planning.lifecycle.run`
answers those that begin with an epoch.

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
from videojob.errors import VideoJobError
from videojob.planning.diagnosis.pods import NO_PODS, look_again_s, waiting_for
from videojob.planning.fleet.demand import demand_of
from videojob.planning.installation import Catalogue
from videojob.planning.lifecycle.attempts import is_resumed, life_of, next_attempt, tries_of
from videojob.planning.lifecycle.conditions import Fact, Look, concerns_one_video, fails, fails_with, succeeds, works
from videojob.planning.lifecycle.events import news_of
from videojob.planning.lifecycle.run import MAX_ATTEMPTS, QUEUE_LABEL, Run
from videojob.planning.lifecycle.stall import NO_STALL, counted
from videojob.planning.lifecycle.unsupported import check_supported
from videojob.planning.placement.choice import Place, frames_of
from videojob.planning.placement.pinned import place_for
from videojob.planning.state.desired import ConditionWanted, Desired, PlanJobWanted
from videojob.planning.state.last_status import recorded_of, seconds_of
from videojob.planning.state.observed import JobSeen, Observed, PodTrouble, ResultsSeen
from videojob.reasons import REASONS

__all__ = ["QUEUE_LABEL", "decide", "look_at", "seconds_of"]

_PLAN_POLL_S = 30.0
_STORE_POLL_S = 5.0
_GONE_POLL_S = 5.0
_END_BY_THEMSELVES_S = 30.0
"""For workers of a job that went well; those of one that did not are stopped at once."""


def decide(job: VideoJob, observed: Observed, catalogue: Catalogue, now_s: float) -> Desired:
    """What should be done now.

    Args:
        job: as it is stored, with its status.
        observed: everything else.
        catalogue: of this installation.
        now_s: seconds since the epoch.
    """
    look = look_at(job, observed, catalogue, now_s)
    observed = look.observed
    if job.metadata.deletion_timestamp is not None:
        return replace(_as_recorded(look), ended=look.recorded.ended_s is not None)
    if observed.namespace_ends:
        # Kubernetes deletes pods before Jobs, and an index's last failed pod stays until another one stands in for it,
        # which nobody may make there any more: both would wait for ever.
        return replace(_as_recorded(look), remove_jobs=tuple(one.name for one in observed.jobs if not one.deleting))
    if look.recorded.ended_s is not None:
        return _over(look, look.recorded.ended_s)
    desired = _decide(look)
    return replace(desired, events=news_of(look, desired))


def look_at(job: VideoJob, observed: Observed, catalogue: Catalogue, now_s: float) -> Look:
    """What a decision takes as one value; the arguments are those of `decide`."""
    recorded = recorded_of(job.status)
    if (
        observed.head is not None
        and observed.head.error is not None
        and life_of(observed.head.attempt) < job.spec.resumes
    ):
        observed = replace(observed, head=None, results=None)  # nothing could be run then; now it may be otherwise
    if not is_resumed(job):
        return Look(job, observed, catalogue, recorded, now_s)
    recorded = replace(recorded, ended_s=None, resumed_s=now_s, stall=NO_STALL)
    return Look(job, observed, catalogue, recorded, now_s, is_resumed=True)


def _decide(look: Look) -> Desired:
    spec, observed = look.job.spec, look.observed
    results, head = observed.results, observed.head
    if results is not None and results.finished is not None:
        return _finished(look, results, results.finished)
    try:
        check_supported(spec, look.catalogue)
        where = place_for(spec, frames_of(head, look.recorded), observed.jobs, results, look.catalogue)
    except VideoJobError as error:
        return fails_with(look, error.as_dict())
    hopeless = observed.store_refusal or (None if head is None else head.error)
    if hopeless is not None:
        return fails_with(look, hopeless)
    if observed.store_error:
        return _waits_for_store(look, where)
    if head is not None and results is not None and results.epoch:
        return Run(look, where, head, results).desired()
    return _before_epoch(look)


def _before_epoch(look: Look) -> Desired:
    if look.is_over_time:
        return fails(look, "DeadlineExceeded", look.over_time_words)
    if look.job.spec.suspend:
        return _held_plan(look)
    if look.observed.head is not None:
        return replace(works(look, "Probing", "the videos are looked at"), started=True, begin=True)
    return _plan(look)


# The end of a job.


def _over(look: Look, ended_s: float) -> Desired:
    """A job that is over: silence, until its time to live is over too."""
    ttl_s = look.job.spec.ttl_seconds_after_finished
    left_s = None if ttl_s is None else ended_s + ttl_s - look.now_s
    all_well = look.recorded.status_of("Succeeded") == "True"
    patience_s = ended_s + _END_BY_THEMSELVES_S - look.now_s if all_well and look.unfinished_jobs else 0.0
    waits = [one for one in (left_s, patience_s) if one is not None and one > 0]
    return replace(
        _as_recorded(look),
        started=True,
        ended=True,
        remove_jobs=() if patience_s > 0 else look.unfinished_jobs,
        delete_self=left_s is not None and left_s <= 0,
        recheck_s=min(waits, default=None),
    )


def _as_recorded(look: Look) -> Desired:
    recorded = look.recorded
    return Desired(
        reason=recorded.reason,
        message=recorded.message,
        conditions=tuple(
            ConditionWanted(one.type, one.status, one.reason, one.message) for one in recorded.conditions.values()
        ),
    )


def _finished(look: Look, results: ResultsSeen, state: str) -> Desired:
    if state == "Failed":
        return fails(look, results.reason or "InputInvalid", results.message or "no input could be worked on")
    return succeeds(look, state if state in REASONS else "Completed", results.message)


# The results table is away.


def _waits_for_store(look: Look, where: Place) -> Desired:
    """Everything stays as it is: what was committed while the table was away, nobody knows."""
    never_begun = look.job.status is None or look.job.status.epoch is None
    if never_begun and look.is_over_time:
        return fails(look, "DeadlineExceeded", look.over_time_words)
    words = f"the results table cannot be used now, work goes on when it can: {look.observed.store_error}"
    recorded = _as_recorded(look)
    known = {one.type: one for one in recorded.conditions}
    said = replace(works(look, recorded.reason, words), recheck_s=_STORE_POLL_S)
    conditions = tuple(one if one.type == "Succeeded" else known.get(one.type, one) for one in said.conditions)
    working = [one for one in look.jobs("work") if one.finished is None and not one.suspended and not one.deleting]
    demand = demand_of(look, where, look.recorded.frames_left) if working and not look.job.spec.suspend else None
    paid = counted(look.recorded.stall, progressed=False, paid=False, now_s=look.now_s)
    return replace(said, message=said.conditions[0].message, conditions=conditions, demand=demand, stall=paid)


# The plan.


def _plan(look: Look) -> Desired:
    jobs = look.jobs("plan")
    if any(one.deleting for one in jobs):
        return replace(_probing(look, None), recheck_s=_GONE_POLL_S)
    resumes = look.job.spec.resumes
    outdated = tuple(one.name for one in jobs) if jobs and jobs[-1].unlocked else ()
    if not jobs or outdated or (life_of(jobs[-1].attempt) < resumes and jobs[-1].finished is not None):
        following = next_attempt(jobs[-1].attempt if jobs else None, resumes)
        return replace(_probing(look, None), plan_job=PlanJobWanted(following), remove_jobs=outdated)
    latest = jobs[-1]
    # One of an older release failed over a single video, which this one plans as failed.
    is_over_one_video = concerns_one_video(latest.error) and tries_of(latest.attempt) < MAX_ATTEMPTS
    if latest.finished == "Failed" and not is_over_one_video:
        return _plan_failed(look, latest)
    if latest.finished is not None:
        # Its plan should be there. A planner is run again, in case the table was emptied.
        if tries_of(latest.attempt) >= MAX_ATTEMPTS:
            return fails(look, "ResultsIncomplete", "planners end well, and their plan is not in the table")
        return replace(_probing(look, None), plan_job=PlanJobWanted(latest.attempt + 1))
    return replace(_probing(look, latest.trouble), plan_job=PlanJobWanted(latest.attempt))


def _held_plan(look: Look) -> Desired:
    running = [one for one in look.jobs("plan") if one.finished is None and not one.deleting]
    held = PlanJobWanted(running[-1].attempt, suspended=True) if running else None
    return replace(works(look, "Suspended", "the job is held by spec.suspend"), plan_job=held)


def _probing(look: Look, trouble: PodTrouble | None) -> Desired:
    says = works(look, "Probing", "the videos are looked at")
    if trouble is not None and trouble.kind in NO_PODS:
        wait = waiting_for(trouble, "cpu", look.job.spec, look.catalogue, look.now_s, what="the planner")
        capacity = Fact("False", wait.capacity_reason or wait.reason, wait.message)
        says = works(look, wait.reason, wait.message, capacity=capacity, advise=not wait.is_refused)
    elif trouble is not None and trouble.kind == "crashed":
        says = works(look, "Probing", f"the planner ended in an error and is started again: {trouble.message}")
    poll_s = _PLAN_POLL_S if trouble is None else look_again_s(trouble, look.now_s)
    return replace(says, started=True, recheck_s=poll_s)


def _plan_failed(look: Look, job: JobSeen) -> Desired:
    """A planner that ended badly: its own words, else Kubernetes'."""
    if job.error is not None:
        return fails_with(look, job.error)
    if job.reason == "DeadlineExceeded":
        reason = "NoProgress" if look.job.spec.active_deadline_seconds is None else "DeadlineExceeded"
        return fails(look, reason, f"the planner did not end in time: {job.message}")
    trouble = "" if job.trouble is None else f"; {job.trouble.message}"
    words = f"the planner failed: {job.message or job.reason}{trouble}"
    return fails(look, "BackoffLimitExceeded", words)
