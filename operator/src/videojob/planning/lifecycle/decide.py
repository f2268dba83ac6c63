"""The controller's one decision: from the observed state of a VideoJob to the desired one. Pure and total.

Level-triggered: it asks what exists, never what happened, so that it does not matter which event was lost or how often
the controller was killed in between. The order of the questions is the order of a job's life. What plans the job and
runs its segments is a backend (`planning.lifecycle.backend`), and nothing here depends on which.

What Kubernetes' own words mean here:

- `suspend`: nothing of the job runs, and pods end within the grace period; the server's demand ends. A job that is held
  before it began has no startTime, so that its spec may still change.
- `activeDeadlineSeconds` counts as Kubernetes counts it: from the start, again from each resume, not while held.
  startTime itself stays, because the spec is immutable from then on.
- `deadline.completeWithin` counts from startTime, whatever was held.
- `resumes`: a job that ended badly goes on when it grows, as if it had not ended: same plan, epoch and commits, both
  limits from now on, attempts with numbers of their own (`planning.lifecycle.attempts`).
- A results table that does not answer decides nothing: work and servers stay as they are until it does.
"""

from __future__ import annotations

from dataclasses import replace

from videojob.planning.diagnosis.messages import sentence
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.attempts import life_of
from videojob.planning.lifecycle.backend import BackendLifecycle, Run
from videojob.planning.lifecycle.conditions import fails, fails_with, succeeds, works
from videojob.planning.lifecycle.events import events_of
from videojob.planning.lifecycle.progress import frames_left
from videojob.planning.lifecycle.stall import counted
from videojob.planning.state.desired import ConditionDesired, Desired
from videojob.planning.state.observed import Observed, ResultsObserved
from videojob.planning.state.placement import Place
from videojob.planning.state.snapshot import Snapshot
from videojob.planning.state.stall import NO_STALL
from videojob.planning.state.stored_job import StoredJob
from videojob.reasons import REASONS

_POLL_S = 5.0
_STORE_POLL_S = 5.0
_STORE_ADVICE = "The job continues when the table answers. Check the table's capacity if it lasts."
_END_BY_ITSELF_S = 30.0
"""For the work of a job that went well; that of one that did not is stopped at once."""


def snapshot_of(stored: StoredJob, observed: Observed, installation: Installation, now_s: float) -> Snapshot:
    """What a decision is made from.

    Args:
        stored: the job.
        observed: everything else.
        installation: of this installation.
        now_s: seconds since the epoch.
    """
    job, recorded = stored.job, stored.last_status
    if (
        observed.head is not None
        and observed.head.error is not None
        and life_of(observed.head.attempt) < job.spec.resumes
    ):
        observed = replace(observed, head=None, results=None)  # nothing could be run then; now it may be otherwise
    if not stored.is_resumed:
        return Snapshot(job, observed, installation, recorded, now_s)
    recorded = replace(recorded, ended_s=None, resumed_s=now_s, stall=NO_STALL)
    return Snapshot(job, observed, installation, recorded, now_s, is_resumed=True)


def decide(snapshot: Snapshot, backend: BackendLifecycle) -> Desired:
    """What should be done now.

    Args:
        snapshot: of the job.
        backend: that runs it.
    """
    ended_s = snapshot.last_status.ended_s
    if snapshot.job.metadata.deletion_timestamp is not None:
        return replace(_as_recorded(snapshot), ended=ended_s is not None)
    if snapshot.observed.backend.must_stop:
        return replace(_as_recorded(snapshot), backend=backend.stopped(snapshot))
    if ended_s is not None:
        return _over(snapshot, ended_s, backend)
    desired = _decide(snapshot, backend)
    if desired.ended:
        # Work of a job that went well ends by itself, and leaves its logs.
        went_well = desired.conditions[0].status == "True"
        desired = replace(desired, backend=None if went_well else backend.stopped(snapshot))
    return replace(desired, events=events_of(snapshot, desired, backend.events(snapshot, desired)))


def _decide(snapshot: Snapshot, backend: BackendLifecycle) -> Desired:
    observed = snapshot.observed
    results, head = observed.results, observed.head
    if results is not None and results.finished is not None:
        return _finished(results, results.finished)
    error = observed.cannot_run or observed.store_refusal or (None if head is None else head.error)
    if error is not None:
        return fails_with(error)
    where = observed.placement
    if where is None:
        raise ValueError("a running job was observed without its placement")
    if observed.store_error:
        return _waits_for_store(snapshot, where, backend)
    if head is not None and results is not None and results.epoch:
        described = min(observed.backend.segments_done(results.epoch), head.segments)
        done = max(len(results.committed), described)
        return _run(Run(snapshot, where, head, results, done, frames_left(head, done)), backend)
    return _before_epoch(snapshot, backend)


def _before_epoch(snapshot: Snapshot, backend: BackendLifecycle) -> Desired:
    if snapshot.is_over_time:
        return fails("DeadlineExceeded", snapshot.over_time_words)
    if snapshot.observed.head is not None and not snapshot.job.spec.suspend:
        return replace(works(snapshot, "Probing", "probing the input videos"), started=True, begin=True)
    return backend.plan(snapshot)


def _run(run: Run, backend: BackendLifecycle) -> Desired:
    """A job whose epoch has begun: its segments are folded once they may all be settled, and run until then."""
    snapshot, results = run.snapshot, run.results
    if not results.open and (len(results.committed) >= run.head.segments or backend.is_idle(run)):
        says = works(snapshot, "Aggregating", "all segments are done, the summary is being written")
        says = replace(says, started=True, finalise=True, requeue_s=_POLL_S, progress=run.progress())
        return replace(says, backend=backend.folding(run))
    if snapshot.is_over_time:
        return fails("DeadlineExceeded", snapshot.over_time_words)
    return backend.segments(run)


# The end of a job.


def _over(snapshot: Snapshot, ended_s: float, backend: BackendLifecycle) -> Desired:
    """A job that is over: silence, until its time to live is over too."""
    ttl_s = snapshot.job.spec.ttl_seconds_after_finished
    left_s = None if ttl_s is None else ended_s + ttl_s - snapshot.now_s
    went_well, stopped = snapshot.last_status.status_of("Succeeded") == "True", backend.stopped(snapshot)
    patience_s = ended_s + _END_BY_ITSELF_S - snapshot.now_s if went_well and stopped is not None else 0.0
    waits = [one for one in (left_s, patience_s) if one is not None and one > 0]
    return replace(
        _as_recorded(snapshot),
        started=True,
        ended=True,
        backend=None if patience_s > 0 else stopped,
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


def _finished(results: ResultsObserved, state: str) -> Desired:
    if state == "Failed":
        return fails(results.reason or "InputInvalid", results.message or "no input could be processed")
    return succeeds(state if state in REASONS else "Completed", results.message)


# The results table is away.


def _waits_for_store(snapshot: Snapshot, where: Place, backend: BackendLifecycle) -> Desired:
    """Everything stays as it is: what was committed while the table was away, nobody knows."""
    never_begun = snapshot.job.status is None or snapshot.job.status.epoch is None
    if never_begun and snapshot.is_over_time:
        return fails("DeadlineExceeded", snapshot.over_time_words)
    words = sentence(f"the results table is unavailable: {snapshot.observed.store_error}", _STORE_ADVICE)
    recorded = _as_recorded(snapshot)
    known = {one.type: one for one in recorded.conditions}
    said = replace(works(snapshot, recorded.reason, words, advise=False), requeue_s=_STORE_POLL_S)
    conditions = tuple(one if one.type == "Succeeded" else known.get(one.type, one) for one in said.conditions)
    demand = None if snapshot.job.spec.suspend else backend.demand(snapshot, where)
    paid = counted(snapshot.last_status.stall, progressed=False, paid=False, now_s=snapshot.now_s)
    return replace(said, message=said.conditions[0].message, conditions=conditions, demand=demand, stall=paid)
