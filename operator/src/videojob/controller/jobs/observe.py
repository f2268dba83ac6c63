"""Reads everything that one decision about a VideoJob takes: live reads of the cluster and of the results table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from videojob.api.videojob import VideoJob
from videojob.controller.fleet.servers import ServerObserver
from videojob.controller.jobs.backend import Backend
from videojob.controller.jobs.stores import Stores
from videojob.errors import SetupError, SinkError
from videojob.kube.names import results_uid
from videojob.planning.diagnosis.messages import described
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.stall import LEAST_BOUND_S
from videojob.planning.placement.market import Market, NoMarket
from videojob.planning.placement.pinned import is_due, placed
from videojob.planning.state.backend import BackendObserved
from videojob.planning.state.observed import Observed, ResultsObserved
from videojob.planning.state.stored_job import StoredJob
from videojob.ports.cluster import Cluster
from videojob.ports.results import JobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import PlanHead
from videojob.worker.steps.finalise import stored_outcome

_SUSPECT_S, _SUSPECT_AGE_S = LEAST_BOUND_S / 2, 60.0


@dataclass(frozen=True, slots=True)
class Observer:
    """Reads for `planning.lifecycle.decide`.

    Attributes:
        market: what a choice by price is made from, read when one is due; None where prices decide nothing.
    """

    cluster: Cluster
    stores: Stores
    installation: Installation
    servers: ServerObserver
    market: Callable[[VideoJob], Market | NoMarket | None] = lambda _job: None

    def observe(self, stored: StoredJob, backend: Backend) -> Observed:
        """All that is to be seen now; of a job that is over only what might be left of it.

        Raises:
            ClusterError: the API server does not answer.
        """
        job, is_over = stored.job, stored.is_over
        observed = Observed(backend.observe(job, is_over=is_over))
        if observed.backend.must_stop or is_over:
            return observed
        if not stored.may_use_table:
            return self._placed(stored, observed)  # nothing is read from that table
        try:
            store = self.stores.store(stored.table, stored.region)
            attempt = observed.backend.plan_attempt(has_begun=job.status is not None and bool(job.status.epoch))
            head = None if attempt is None else self.stores.head(store, results_uid(job.metadata), attempt)
            results = None if head is None else self._results(job, head, observed.backend, store)
        except (SinkError, SetupError) as error:
            return self._placed(stored, replace(observed, store_error=described(error)))
        return self._placed(stored, replace(observed, head=head, results=results))

    def run_record(self, job: VideoJob, head: PlanHead, epoch: int = 0) -> RunRecord:
        """The job's run, as the table knows it."""
        metadata = job.metadata
        uid = results_uid(metadata)
        run = RunRecord(uid, metadata.namespace, metadata.name, head.plan_digest, head.segments, epoch=epoch)
        return replace(run, keys=head.keys)

    def _results(self, job: VideoJob, head: PlanHead, mine: BackendObserved, store: JobStore) -> ResultsObserved | None:
        # A controller that was killed after it began the work left no epoch in the status: the backend has it, too.
        epoch = (None if job.status is None else job.status.epoch) or mine.epoch
        if not epoch or head.error is not None:
            return None
        run = self.run_record(job, head, epoch)
        # Of a job that may have stalled nobody shall believe it because the commits were read long ago.
        may_stall = job.status is not None and job.status.stall is not None and job.status.stall.seconds >= _SUSPECT_S
        most_age_s = _SUSPECT_AGE_S if may_stall else math.inf
        read = self.stores.committed(store, run, mine.mark, fresh=mine.has_ended, most_age_s=most_age_s)
        outcome = stored_outcome(store, run) if len(read.committed) >= head.segments or mine.has_ended else None
        seen = ResultsObserved(epoch, read.committed, conflicts=read.conflicts)
        if outcome is None:
            return seen
        described = replace(seen, finished=outcome.state, message=outcome.message, reason=outcome.reason)
        return replace(described, frames_done=outcome.frames)

    def _placed(self, stored: StoredJob, observed: Observed) -> Observed:
        """The same with the job's placement, and with its server as it is."""
        market = self.market(stored.job) if is_due(stored, observed, self.installation) else None
        found = placed(stored, observed, self.installation, market)
        if found.placement is None or found.head is None or found.head.error is not None:
            return found
        return replace(found, server=self.servers.observe(found.placement.key))
