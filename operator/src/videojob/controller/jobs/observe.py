"""Looks at everything that one decision about a VideoJob takes: live reads of the cluster and of the results table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from videojob.api.videojob import VideoJob
from videojob.controller.fleet.servers import ServerLook
from videojob.controller.jobs.backend import Backend
from videojob.controller.jobs.stores import Stores
from videojob.errors import SetupError, SinkError, TableNotAllowed
from videojob.kube.names import results_uid
from videojob.kube.render.jobs import results_table
from videojob.planning.diagnosis.messages import told
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.attempts import is_resumed
from videojob.planning.lifecycle.stall import LEAST_BOUND_S
from videojob.planning.placement.pinned import placed
from videojob.planning.placement.unsupported import check_table
from videojob.planning.state.backend import BackendObserved
from videojob.planning.state.observed import Observed, ResultsObserved
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

    def observe(self, job: VideoJob, backend: Backend) -> Observed:
        """All that is to be seen now; of a job that is over only what might be left of it.

        Raises:
            ClusterError: the API server does not answer.
        """
        is_over = _is_over(job)
        observed = Observed(backend.observe(job, is_over=is_over))
        if observed.backend.must_stop or is_over:
            return observed
        try:
            check_table(job.spec, self.installation)
        except TableNotAllowed:
            return self._placed(job, observed)  # nothing is read from that table
        try:
            store = self.store(job)
            head = self._head(job, observed.backend, store)
            results = None if head is None else self._results(job, head, observed.backend, store)
        except (SinkError, SetupError) as error:
            return self._placed(job, replace(observed, store_error=told(error)))
        return self._placed(job, replace(observed, head=head, results=results))

    def store(self, job: VideoJob) -> JobStore:
        """The job's results table."""
        return self.stores.store(*results_table(job, self.installation))

    def run_record(self, job: VideoJob, head: PlanHead, epoch: int = 0) -> RunRecord:
        """The job's run, as the table knows it."""
        metadata = job.metadata
        uid = results_uid(metadata)
        run = RunRecord(uid, metadata.namespace, metadata.name, head.plan_digest, head.segments, epoch=epoch)
        return replace(run, keys=head.keys)

    def _head(self, job: VideoJob, mine: BackendObserved, store: JobStore) -> PlanHead | None:
        attempt = mine.plan_attempt(has_begun=job.status is not None and bool(job.status.epoch))
        return None if attempt is None else self.stores.head(store, results_uid(job.metadata), attempt)

    def _results(self, job: VideoJob, head: PlanHead, mine: BackendObserved, store: JobStore) -> ResultsObserved | None:
        # A controller that was killed after it began the work left no epoch in the status: the backend has it, too.
        epoch = (None if job.status is None else job.status.epoch) or mine.epoch
        if not epoch or head.error is not None:
            return None
        run = self.run_record(job, head, epoch)
        # Of a job that may have stalled nobody shall believe it because the commits were read long ago.
        may_stall = job.status is not None and job.status.stall is not None and job.status.stall.seconds >= _SUSPECT_S
        most_age_s = _SUSPECT_AGE_S if may_stall else math.inf
        committed = self.stores.committed(store, run, mine.mark, fresh=mine.has_ended, most_age_s=most_age_s)
        outcome = stored_outcome(store, run) if len(committed) >= head.segments or mine.has_ended else None
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


def _is_over(job: VideoJob) -> bool:
    return job.status is not None and job.status.completion_time is not None and not is_resumed(job)
