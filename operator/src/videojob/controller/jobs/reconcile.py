"""One reconcile of one VideoJob: observe, decide, apply. Whoever calls may be killed between any two lines of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from videojob.api.videojob import VideoJob
from videojob.controller.fleet.demands import Demands
from videojob.controller.jobs.backend import Backend
from videojob.controller.jobs.folds import Folding
from videojob.controller.jobs.observe import Observer
from videojob.controller.jobs.stored_jobs import StoredJobs
from videojob.controller.keys import JobKey
from videojob.controller.runtime.event_poster import EventPoster
from videojob.controller.runtime.reconcilers import Reconciler
from videojob.errors import (
    ClusterError,
    ClusterRefused,
    FoldFailed,
    ItemTooLarge,
    JobTooLarge,
    ResultsIncomplete,
    SetupError,
    SinkError,
    SinkUnavailable,
)
from videojob.kube.kinds import VIDEOJOBS
from videojob.kube.names import results_uid
from videojob.kube.render.status import merge_patch, status_of, unreadable_status
from videojob.planning.diagnosis.messages import described
from videojob.planning.installation import DEFAULT_CONTROLLER, Installation
from videojob.planning.lifecycle.decide import decide, snapshot_of
from videojob.planning.lifecycle.rejected import held_up
from videojob.planning.placement.quantities import cpus_of
from videojob.planning.state.desired import Desired
from videojob.planning.state.observed import Observed, ResultsObserved
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.snapshot import Snapshot
from videojob.planning.state.stored_job import StoredJob
from videojob.planning.throughput.hardware import family_of
from videojob.planning.throughput.learn import Served
from videojob.ports.clock import Clock
from videojob.ports.cluster import Cluster, ClusterConflict, Object
from videojob.results.aggregate.segment_results import RunRecord
from videojob.results.stored.keys import summary_key
from videojob.worker.fold.messages import FoldRequest
from videojob.worker.steps.learning import Learned

_LOG = logging.getLogger(__name__)
_STATUS_EVERY_S = 5.0
_FOREIGN_S = 30.0
"""How often it is asked whether a namespace is still another installation's."""
_FOLDING_POLL_S = 60.0  # a fold's end wakes its job; this is for a wake that was lost


@dataclass(frozen=True, slots=True)
class _Written:
    """A status: when, and the version that the object had from then on."""

    at_s: float
    version: str


@dataclass(slots=True)
class JobReconciler(Reconciler):
    """Brings VideoJobs on their way.

    Attributes:
        backends: what runs jobs; the first one runs those that name none.
        demand_changed: told which servers' demands changed.
        wrote: notified of each job whose status was written, at that moment.
        learned: notified of what the commits of a folded job say of speeds.
        conflicted: notified of how many more segments a status says that they had a second, different result.
    """

    cluster: Cluster
    installation: Installation
    clock: Clock
    observer: Observer
    backends: Sequence[Backend]
    demands: Demands
    folds: Folding
    demand_changed: Callable[[ServerKey], None]
    wrote: Callable[[JobKey], None] = lambda _key: None
    conflicted: Callable[[float], None] = lambda _more: None
    serves: Callable[[Object], bool] = lambda _job: True
    gone: Callable[[str], None] = lambda _namespace: None
    requeues: Callable[[], bool] = lambda: True
    learned: Callable[[Learned], None] = lambda _found: None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _written: dict[JobKey, _Written] = field(default_factory=dict)
    _events: EventPoster = field(init=False)
    _stored: StoredJobs = field(init=False)

    def __post_init__(self) -> None:
        """Makes what it posts with, and what it reads by. Raises ValueError: a backend that is offered is missing."""
        missing = set(self.installation.backends) - {one.name for one in self.backends}
        if missing:
            raise ValueError(f"no backend runs the jobs of {', '.join(sorted(missing))}")
        self._stored = StoredJobs(self.installation)
        self._events = EventPoster(self.cluster, self.clock)

    @property
    def kind(self) -> str:
        return "job"

    def label(self, key: JobKey) -> dict[str, str]:
        return {"namespace": key[0], "job": key[1]}

    def changed(self, key: JobKey) -> tuple[()]:  # noqa: ARG002 - a Reconciler
        """Nothing is cached of a job, and no other kind depends on it."""
        return ()

    def listed(self) -> tuple[()]:
        """Nothing: `Resync` lists VideoJobs by their outlines."""
        return ()

    def remembered(self) -> list[JobKey]:
        """Jobs that ask for a server."""
        return self.demands.jobs

    def reconcile(self, key: JobKey) -> float | None:
        """Reconciles one VideoJob; returns after how many seconds to requeue it.

        However it ends, servers do not wait for another reconcile of this job before they may scale down.

        Raises:
            ClusterError, SinkError: requeue it with backoff; the status already says what Kubernetes rejects.
        """
        try:
            requeue_s = self._reconcile(key)
        finally:
            self._keep_demand(key)
        return requeue_s if self.requeues() else None

    def is_own(self, raw: Object) -> bool:
        """Whether an event shows what the last reconcile of a job left behind, and nothing newer. Any thread."""
        metadata = raw["metadata"]
        with self._lock:
            written = self._written.get((metadata["namespace"], metadata["name"]))
        return written is not None and written.version == metadata["resourceVersion"]

    def _reconcile(self, key: JobKey) -> float | None:
        namespace, name = key
        raw = self.cluster.get(VIDEOJOBS, namespace, name)
        if (
            raw is None
            or (raw["spec"].get("controllerName") or DEFAULT_CONTROLLER) != self.installation.controller_name
        ):
            self.gone(namespace)
            self._forget(key)
            return None
        if not self.serves(raw):
            self._forget(key)
            return _FOREIGN_S
        try:
            stored = self._stored.read(raw)
        except ValidationError as error:
            self._cannot_read(key, raw, error)
            return None
        is_going = stored.job.metadata.deletion_timestamp is not None
        if stored.last_status.reason == "Aggregating" and not is_going and self.folds.has(key):
            return _FOLDING_POLL_S  # to read its commits again would tell nothing new
        return self._act(key, raw, stored)

    def _act(self, key: JobKey, raw: Object, stored: StoredJob) -> float | None:
        """Observes, decides and applies; returns when to look again."""
        namespace, name = key
        job = stored.job
        # A job that names one that is not offered is rejected, whatever the first one observes.
        backend = next((one for one in self.backends if one.name == job.spec.compute.backend), self.backends[0])
        snapshot, desired = self._decided(stored, backend)
        observed, work = snapshot.observed, desired.backend
        if work is not None and work.starts and _is_unrecorded(job, observed):
            self._tell(job, desired)
            self._write(stored, raw, observed, desired, at_once=True)
            return 0.0
        if observed.backend.is_working:
            self._demand(key, desired, observed)  # first: whatever becomes of the rest, workers keep their server
        refusal: ClusterRefused | None = None
        try:
            if work is not None:
                backend.apply(job, observed.backend, work)
        except ClusterRefused as error:
            refusal, desired = error, held_up(snapshot, desired, error.as_dict(), backend.lifecycle)
        self._demand(key, desired, observed)
        if desired.events:
            self._tell(job, desired)
        wait_s = self._write(stored, raw, observed, desired, at_once=refusal is not None)
        if refusal is not None:
            raise refusal
        if desired.delete_self:
            self.cluster.delete(VIDEOJOBS, namespace, name, uid=job.metadata.uid)
        if desired.ended:
            self.observer.stores.forget(results_uid(job.metadata))
        waits = [one for one in (wait_s, desired.requeue_s) if one is not None]
        return min(waits, default=None)

    def _decided(self, stored: StoredJob, backend: Backend) -> tuple[Snapshot, Desired]:
        """The decision, made again after each step in the table that it asked for, with what it was made from."""
        job, observed = stored.job, self.observer.observe(stored, backend)
        if observed.placement is not None and observed.head is not None and observed.head.error is None:
            key = job.metadata.namespace, job.metadata.name
            observed = replace(observed, others=self.demands.others(key, observed.placement.key))
        if stored.is_resumed:
            self._forgive(stored, observed)

        def decided(observed: Observed) -> tuple[Snapshot, Desired]:
            snapshot = snapshot_of(stored, observed, self.installation, self.clock.now_s())
            return snapshot, decide(snapshot, backend.lifecycle)

        snapshot, desired = decided(observed)
        try:
            if desired.begin and observed.head is not None:
                store = self.observer.stores.store(stored.table, stored.region)
                run = store.begin(self.observer.run_record(job, observed.head))
                observed = replace(observed, results=ResultsObserved(run.epoch))
                snapshot, desired = decided(observed)
            if desired.finalise and observed.results is not None:
                results = self._finalised(stored, observed, observed.results)
                if results is None:
                    return snapshot, replace(desired, requeue_s=_FOLDING_POLL_S)
                snapshot, desired = decided(replace(observed, results=results))
        except (ItemTooLarge, ResultsIncomplete, JobTooLarge, FoldFailed) as error:
            return decided(replace(observed, store_refusal=error.as_dict()))
        except (SinkError, SetupError) as error:
            return decided(replace(observed, store_error=described(error)))
        return snapshot, desired

    def _forgive(self, stored: StoredJob, observed: Observed) -> None:
        """Videos that were given up for what may have passed get another chance; done again, it does nothing.

        Without the table nothing is resumed: the status would say that it has been done.
        """
        if observed.store_error:
            raise SinkUnavailable(f"the job cannot be resumed now: {observed.store_error}")
        if observed.head is not None and observed.results is not None and observed.results.finished is None:
            run = self.observer.run_record(stored.job, observed.head, observed.results.epoch)
            self.observer.stores.store(stored.table, stored.region).forgive(run)

    def _finalised(self, stored: StoredJob, observed: Observed, results: ResultsObserved) -> ResultsObserved | None:
        """What the table has once the commits are folded; None while they are."""
        head = observed.head
        if head is None:
            return results
        job, table, region = stored.job, stored.table, stored.region
        run: RunRecord = self.observer.run_record(job, head, results.epoch)
        key = (job.metadata.namespace, job.metadata.name)
        retention_s = self.installation.results.retention_s
        folded = self.folds.ask(
            key, FoldRequest(job, head, run, table, region, retention_s, self._served(job, observed))
        )
        if folded is None:
            return None
        self.learned(folded.learned)
        outcome = folded.outcome
        if outcome is None:
            return replace(results, open=True)
        described = replace(results, finished=outcome.state, message=outcome.message, reason=outcome.reason)
        return replace(described, frames_done=outcome.frames)

    def _served(self, job: VideoJob, observed: Observed) -> Served | None:
        """The server that the job's frames went to; None when it is none of this installation's any more."""
        if observed.placement is None:
            return None
        key = observed.placement.key
        model = self.installation.models.get(key.model)
        variant = None if model is None else model.variants.get(key.accelerator)
        if model is None or variant is None or model.version != key.version:
            return None
        placement = None if job.status is None else job.status.placement
        recorded = None if placement is None else placement.instance_type  # the server may have gone meanwhile
        node = (None if observed.server is None else observed.server.instance_type) or recorded or ""
        cpus = 0.0 if variant.gpus else float(cpus_of(variant.cpu))
        return Served(model.digest, model.name, variant.backend, key.gpu or family_of(node), cpus)

    def _demand(self, key: JobKey, desired: Desired, observed: Observed) -> None:
        changed = self.demands.set(key, desired.demand)
        if desired.demand is not None and (observed.server is None or not observed.server.replicas):
            changed.add(desired.demand.key)  # somebody else took it away
        for server in changed:
            self.demand_changed(server)

    def _keep_demand(self, key: JobKey) -> None:
        for server in self.demands.keep(key):
            self.demand_changed(server)

    def _forget(self, key: JobKey) -> None:
        self.folds.forget(key)
        for server in self.demands.set(key, None):
            self.demand_changed(server)
        with self._lock:
            self._written.pop(key, None)

    def _write(
        self, stored: StoredJob, raw: Object, observed: Observed, desired: Desired, *, at_once: bool = False
    ) -> float | None:
        """Stores the status if it says something new; returns when to come again if that has to wait.

        A new reason does not have to with `at_once`.
        """
        now_s = self.clock.now_s()
        job, results = stored.job, observed.results
        summary = ""
        if results is not None and results.finished is not None:
            summary = summary_key(results_uid(job.metadata), results.epoch)
        status = status_of(
            job,
            desired,
            observed,
            installation=self.installation,
            table=stored.table,
            summary_key=summary,
            now_s=now_s,
        )
        before = raw.get("status", {})
        if status == before:
            return None
        key = (job.metadata.namespace, job.metadata.name)
        with self._lock:
            written = self._written.get(key)
        since_s = _STATUS_EVERY_S if written is None else now_s - written.at_s
        # What is worth a write at once: from the start on the spec may not change, and the end is waited for.
        is_new = any((name in status) != (name in before) for name in ("startTime", "completionTime"))
        is_new = is_new or (at_once and (_reason(status) != _reason(before) or _epoch(status) != _epoch(before)))
        if not is_new and 0 <= since_s < _STATUS_EVERY_S:
            return _STATUS_EVERY_S - since_s
        patch = merge_patch(before, status)
        # The version guards against a status made from an older snapshot, as of a controller that lost its lease.
        guard = {"resourceVersion": raw["metadata"]["resourceVersion"]}
        try:
            answer = self.cluster.patch(VIDEOJOBS, *key, {"metadata": guard, "status": patch}, subresource="status")
        except ClusterConflict:
            return 0.0
        with self._lock:
            # What follows from the end is for the next snapshot, which that event brings.
            self._written.pop(key, None)
            if not desired.ended:
                version = "" if answer is None else str(answer["metadata"]["resourceVersion"])
                self._written[key] = _Written(self.clock.now_s(), version)
        self.wrote(key)
        more = status.get("conflictingSegments", 0) - before.get("conflictingSegments", 0)
        if more:
            self.conflicted(more)
            _LOG.warning("segments with two results", extra={"namespace": key[0], "job": key[1], "more": more})
        if answer is not None and _reason(before) != desired.reason:
            _LOG.info(desired.message, extra={"namespace": key[0], "job": key[1], "reason": desired.reason})
        return None

    def _tell(self, job: VideoJob, desired: Desired) -> None:
        try:
            self._events.post(job, desired.events)
        except ClusterError as error:
            # An Event is a courtesy: the status says the same, and stands.
            _LOG.warning("event not posted", extra={"error": str(error)})

    def _cannot_read(self, key: JobKey, raw: Object, error: ValidationError) -> None:
        """The API server let through what this version does not understand: CRD and controller differ."""
        namespace, name = key
        words = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        about = {"namespace": namespace, "job": name, "problems": words}
        _LOG.error("a VideoJob cannot be read: CRD and controller are of different versions", extra=about)
        patch = merge_patch(raw.get("status", {}), unreadable_status(raw, words, self.clock.now_s()))
        if not patch:
            return
        guard = {"resourceVersion": raw["metadata"]["resourceVersion"]}
        try:
            self.cluster.patch(VIDEOJOBS, namespace, name, {"metadata": guard, "status": patch}, subresource="status")
        except (ClusterRefused, ClusterConflict) as refusal:
            _LOG.warning("its status cannot be updated", extra=about | {"error": str(refusal)})
            return
        self.wrote(key)


def _reason(status: Object) -> str:
    return next((one["reason"] for one in status.get("conditions", ()) if one["type"] == "Succeeded"), "")


def _epoch(status: Object) -> int:
    """Of the placement that is recorded; 0 for none."""
    return int((status.get("placement") or {}).get("epoch") or 0)


def _is_unrecorded(job: VideoJob, observed: Observed) -> bool:
    """Whether the status must say more before anything is made.

    From startTime on the spec may not change. Whoever reads the job after that begins its work, so that this does what
    the job shows: an edit comes before, and fails this write, or is refused. A placement that was chosen by price just
    now is there for its whole epoch before anything is made by it.
    """
    status, place = job.status, observed.placement
    if status is None or status.start_time is None:
        return True
    if place is None or place.estimate is None or observed.results is None or not observed.results.epoch:
        return False
    return status.placement is None or status.placement.epoch != observed.results.epoch
