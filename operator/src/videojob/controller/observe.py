"""Looks at everything that one decision about a VideoJob takes: live reads of the cluster and of the results table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from videojob.api.videojob import VideoJob
from videojob.controller.servers import ServerLook
from videojob.controller.stores import Stores
from videojob.errors import SetupError, SinkError, TableNotAllowed, VideoJobError
from videojob.manifests.jobs import results_table
from videojob.manifests.kinds import EVENTS, JOBS, NAMESPACES, PODS
from videojob.manifests.names import JOB_UID, results_uid
from videojob.manifests.seen import NOT_MADE, job_seen, lingers, may_lack_pods
from videojob.planning.catalogue import Catalogue
from videojob.planning.jobplan import PlanHead
from videojob.planning.observed import JobSeen, Observed, ResultsSeen, ServerSeen
from videojob.planning.pinning import place_for
from videojob.planning.refusals import check_table
from videojob.planning.stall import LEAST_BOUND_S
from videojob.planning.words import told
from videojob.ports import Cluster, JobStore, Object
from videojob.results.values import RunRecord
from videojob.worker.finalise import stored_outcome

_SUSPECT_S, _SUSPECT_AGE_S = LEAST_BOUND_S / 2, 60.0
_JOB_NAME = "batch.kubernetes.io/job-name"


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads for `planning.decide`."""

    cluster: Cluster
    stores: Stores
    catalogue: Catalogue
    servers: ServerLook

    def observe(self, job: VideoJob) -> Observed:
        """All that is to be seen now; of a job that is over only what might be left of it.

        Raises:
            ClusterError: the API server does not answer.
        """
        jobs, namespace_ends = self._jobs(job)
        if namespace_ends:
            return Observed(jobs=jobs, namespace_ends=True)
        if job.status is not None and job.status.completion_time is not None:
            return Observed(jobs=jobs)
        try:
            check_table(job.spec, self.catalogue)
        except TableNotAllowed:
            return Observed(jobs=jobs)  # nothing is asked of that table; the decision says why
        try:
            store = self.store(job)
            attempt = max((one.attempt for one in jobs if one.kind == "plan"), default=1)
            head = self.stores.head(store, results_uid(job.metadata), attempt)
            results = None if head is None else self._results(job, head, jobs, store)
        except (SinkError, SetupError) as error:
            return Observed(jobs=jobs, store_error=told(error))
        return Observed(jobs=jobs, head=head, results=results, server=self._server(job, head, jobs, results))

    def store(self, job: VideoJob) -> JobStore:
        """The job's results table."""
        return self.stores.store(*results_table(job, self.catalogue))

    def run_record(self, job: VideoJob, head: PlanHead, epoch: int = 0) -> RunRecord:
        """The job's run, as the table knows it."""
        metadata = job.metadata
        uid = results_uid(metadata)
        run = RunRecord(uid, metadata.namespace, metadata.name, head.plan_digest, head.segments, epoch=epoch)
        return replace(run, keys=head.keys)

    def _results(self, job: VideoJob, head: PlanHead, jobs: Sequence[JobSeen], store: JobStore) -> ResultsSeen | None:
        work = [one for one in jobs if one.kind == "work"]
        # A controller that was killed after it made the Job left no epoch in the status: the Job has it, too.
        epoch = (None if job.status is None else job.status.epoch) or max((one.epoch for one in work), default=0)
        if not epoch or head.error is not None:
            return None
        run = self.run_record(job, head, epoch)
        marker = " ".join(f"{one.name}:{one.completed_indexes}:{one.finished}" for one in work)
        fresh = any(one.finished is not None for one in work)
        # Of a job that may have stalled nobody shall believe it because the commits were read long ago.
        may_stall = job.status is not None and job.status.stall is not None and job.status.stall.seconds >= _SUSPECT_S
        most_age_s = _SUSPECT_AGE_S if may_stall else math.inf
        committed = self.stores.committed(store, run, marker, fresh=fresh, most_age_s=most_age_s)
        outcome = stored_outcome(store, run) if len(committed) >= head.segments or fresh else None
        seen = ResultsSeen(epoch, committed, conflicts=self.stores.conflicts(run))
        if outcome is None:
            return seen
        told = replace(seen, finished=outcome.state, message=outcome.message, reason=outcome.reason)
        return replace(told, frames_done=outcome.frames)

    def _server(
        self, job: VideoJob, head: PlanHead | None, jobs: Sequence[JobSeen], results: ResultsSeen | None
    ) -> ServerSeen | None:
        if head is None or head.error is not None:
            return None
        try:
            where = place_for(job.spec, head.frames, jobs, results, self.catalogue)
        except VideoJobError:
            return None  # the decision says so, with its words
        return self.servers.look(where.key)

    def _jobs(self, job: VideoJob) -> tuple[tuple[JobSeen, ...], bool]:
        """The job's Jobs, and whether its namespace is being deleted and waits for one of their pods."""
        namespace = job.metadata.namespace
        selector = f"{JOB_UID}={job.metadata.uid}"
        found = list(self.cluster.list(JOBS, namespace, labels=selector))
        pods = list(self.cluster.list(PODS, namespace, labels=selector)) if any(map(_needs_pods, found)) else []
        by_job: dict[str, list[Object]] = {}
        for pod in pods:
            by_job.setdefault(pod["metadata"].get("labels", {}).get(_JOB_NAME, ""), []).append(pod)
        events = pod_events(self.cluster, namespace, pods)
        for one in filter(may_lack_pods, found):
            fields = f"involvedObject.uid={one['metadata']['uid']},reason={NOT_MADE}"
            events.extend(self.cluster.list(EVENTS, namespace, fields=fields))
        seen = tuple(job_seen(one, by_job.get(one["metadata"]["name"], ()), events) for one in found)
        return seen, any(map(lingers, pods)) and self._ends(namespace)

    def _ends(self, namespace: str) -> bool:
        found = self.cluster.get(NAMESPACES, None, namespace)
        return found is not None and "deletionTimestamp" in found["metadata"]


def _needs_pods(job: Object) -> bool:
    """Whether its pods can tell something: why they do not run, or why the Job failed."""
    status = job.get("status", {})
    ended_well = any(one["type"] == "Complete" and one["status"] == "True" for one in status.get("conditions", ()))
    all_ready = status.get("active", 0) == status.get("ready", 0) and not status.get("failed", 0)
    return not ended_well and not job["spec"].get("suspend", False) and not (status.get("active") and all_ready)


def pod_events(cluster: Cluster, namespace: str, pods: Sequence[Object]) -> list[Object]:
    """Events about pods that found no place; those of all others tell nothing that their status does not."""
    found: list[Object] = []
    for pod in pods:
        conditions = pod.get("status", {}).get("conditions", ())
        if any(one["type"] == "PodScheduled" and one["status"] == "False" for one in conditions):
            fields = f"involvedObject.uid={pod['metadata']['uid']}"
            found.extend(cluster.list(EVENTS, namespace, fields=fields))
            break  # what refuses one of a Job's pods refuses the others
    return found
