"""Looks at everything that one decision about a VideoJob takes: live reads of the cluster and of the results table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from videojob.api.videojob import VideoJob
from videojob.controller.fleet.servers import ServerLook
from videojob.controller.jobs.stores import Stores
from videojob.controller.pods import holds_namespace, job_events, needs_pods, telling_pods
from videojob.errors import SetupError, SinkError, TableNotAllowed
from videojob.kube.kinds import JOBS
from videojob.kube.names import JOB_UID, results_uid
from videojob.kube.read.objects import job_observed
from videojob.kube.render.jobs import results_table
from videojob.planning.diagnosis.messages import told
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.attempts import is_resumed
from videojob.planning.lifecycle.stall import LEAST_BOUND_S
from videojob.planning.placement.pinned import placed
from videojob.planning.placement.unsupported import check_table
from videojob.planning.state.observed import JobObserved, Observed, ResultsObserved
from videojob.ports.cluster import Cluster
from videojob.ports.results import JobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import PlanHead
from videojob.worker.steps.finalise import stored_outcome

_SUSPECT_S, _SUSPECT_AGE_S = LEAST_BOUND_S / 2, 60.0


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads for `planning.lifecycle.decide`."""

    cluster: Cluster
    stores: Stores
    installation: Installation
    servers: ServerLook

    def observe(self, job: VideoJob) -> Observed:
        """All that is to be seen now; of a job that is over only what might be left of it.

        Raises:
            ClusterError: the API server does not answer.
        """
        jobs, namespace_ends = self._jobs(job)
        if namespace_ends:
            return Observed(jobs=jobs, namespace_ends=True)
        if _is_over(job):
            return Observed(jobs=jobs)
        try:
            check_table(job.spec, self.installation)
        except TableNotAllowed:
            return self._placed(job, Observed(jobs=jobs))  # nothing is read from that table
        try:
            store = self.store(job)
            head = self._head(job, jobs, store)
            results = None if head is None else self._results(job, head, jobs, store)
        except (SinkError, SetupError) as error:
            return self._placed(job, Observed(jobs=jobs, store_error=told(error)))
        return self._placed(job, Observed(jobs=jobs, head=head, results=results))

    def store(self, job: VideoJob) -> JobStore:
        """The job's results table."""
        return self.stores.store(*results_table(job, self.installation))

    def run_record(self, job: VideoJob, head: PlanHead, epoch: int = 0) -> RunRecord:
        """The job's run, as the table knows it."""
        metadata = job.metadata
        uid = results_uid(metadata)
        run = RunRecord(uid, metadata.namespace, metadata.name, head.plan_digest, head.segments, epoch=epoch)
        return replace(run, keys=head.keys)

    def _head(self, job: VideoJob, jobs: Sequence[JobObserved], store: JobStore) -> PlanHead | None:
        latest = max((one for one in jobs if one.kind == "plan"), key=lambda one: one.attempt, default=None)
        has_begun = any(one.kind == "work" for one in jobs) or (job.status is not None and bool(job.status.epoch))
        if latest is not None and latest.unlocked and not has_begun:
            return None  # it will be planned anew: that plan may be of an older spec
        return self.stores.head(store, results_uid(job.metadata), 1 if latest is None else latest.attempt)

    def _results(
        self, job: VideoJob, head: PlanHead, jobs: Sequence[JobObserved], store: JobStore
    ) -> ResultsObserved | None:
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
        seen = ResultsObserved(epoch, committed, conflicts=self.stores.conflicts(run))
        if outcome is None:
            return seen
        told = replace(seen, finished=outcome.state, message=outcome.message, reason=outcome.reason)
        return replace(told, frames_done=outcome.frames)

    def _placed(self, job: VideoJob, observed: Observed) -> Observed:
        """The same with the job's placement, and with its server as it is."""
        found = placed(job, observed, self.installation)
        if found.placement is None or found.head is None or found.head.error is not None:
            return found
        return replace(found, server=self.servers.look(found.placement.key))

    def _jobs(self, job: VideoJob) -> tuple[tuple[JobObserved, ...], bool]:
        """The job's Jobs, and whether its namespace is being deleted and waits for one of their pods."""
        namespace, is_over = job.metadata.namespace, _is_over(job)
        seen, ends = [], False
        for one in self.cluster.list(JOBS, namespace, labels=f"{JOB_UID}={job.metadata.uid}"):
            # What pods tell of a job that is over, nobody asks any more.
            pods = telling_pods(self.cluster, namespace, one) if needs_pods(one) and not is_over else []
            events = [] if is_over else job_events(self.cluster, namespace, one, pods)
            seen.append(job_observed(one, pods, events))
            ends = ends or holds_namespace(self.cluster, namespace, pods)
        return tuple(seen), ends


def _is_over(job: VideoJob) -> bool:
    return job.status is not None and job.status.completion_time is not None and not is_resumed(job)
