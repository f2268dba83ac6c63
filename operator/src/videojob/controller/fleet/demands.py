"""What every job demands of its server, as of its last reconcile: the sum is what servers are sized by.

Kept in memory only. A controller that has just started does not know all of it before it has reconciled every job once;
until then no server may get smaller. A reconcile that fails counts, too: one job that always fails must not keep them
all.

No demand is kept for ever: that of a job that could not be reconciled for half an hour is dropped, and after
that long servers may get smaller though some jobs were never reconciled. GPUs cost money; a job that goes on asks
again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from fractions import Fraction

from videojob.controller.keys import JobKey
from videojob.planning.state.desired import ServerDemand
from videojob.planning.state.placement import ServerKey

_LOG = logging.getLogger(__name__)
BELIEVED_S = 1800.0
"""How long what a job asked for counts without another reconcile."""


class Demands:
    """The board; safe for threads."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._made_s = monotonic_s()
        self._lock = threading.Lock()
        self._by_job: dict[JobKey, ServerDemand] = {}
        self._asked_s: dict[JobKey, float] = {}
        self._unseen: set[JobKey] | None = None

    @property
    def complete(self) -> bool:
        """Whether every job that was there at the start has been reconciled, or tried, or there was time enough."""
        with self._lock:
            all_seen = self._unseen is not None and not self._unseen
            return all_seen or self._monotonic_s() - self._made_s >= BELIEVED_S

    @property
    def jobs(self) -> list[JobKey]:
        """Who asks for a server."""
        with self._lock:
            return list(self._by_job)

    @property
    def servers(self) -> set[ServerKey]:
        """What is asked for."""
        with self._lock:
            return {demand.key for demand in self._by_job.values()}

    def expect(self, jobs: Iterable[JobKey]) -> None:
        """The jobs that there are, once, after the first listing."""
        with self._lock:
            if self._unseen is None:
                self._unseen = set(jobs)

    def keep(self, job: JobKey) -> set[ServerKey]:
        """A job that cannot be reconciled: its demand stays as it was, and servers do not wait for it any more."""
        with self._lock:
            return self._put(job, self._by_job.get(job))

    def _put(self, job: JobKey, demand: ServerDemand | None) -> set[ServerKey]:
        before = self._by_job.get(job)
        if demand is None:
            self._by_job.pop(job, None)
            self._asked_s.pop(job, None)
        else:
            self._by_job[job] = demand
        last = self._unseen is not None and self._unseen == {job}
        if self._unseen is not None:
            self._unseen.discard(job)
        changed = {one.key for one in (before, demand) if one is not None} if before != demand else set()
        return changed | ({one.key for one in self._by_job.values()} if last else set())

    def set(self, job: JobKey, demand: ServerDemand | None) -> set[ServerKey]:
        """A job's demand now; returns the servers whose sum changed, all of them when the board has become complete."""
        with self._lock:
            self._asked_s[job] = self._monotonic_s()
            return self._put(job, demand)

    def of(self, server: ServerKey) -> list[ServerDemand]:
        """What is requested of a server, by jobs that were reconciled lately."""
        with self._lock:
            self._drop_old()
            return [demand for demand in self._by_job.values() if demand.key == server]

    def others(self, job: JobKey, server: ServerKey) -> tuple[Fraction, ...] | None:
        """What every other job of a server could send there, in frames per second; None before all jobs are known."""
        if not self.complete:
            return None
        with self._lock:
            self._drop_old()
            found = [one for key, one in self._by_job.items() if key != job and one.key == server]
        return tuple(one.frames_per_second if one.usable is None else one.usable for one in found)

    def jobs_of(self, server: ServerKey) -> list[JobKey]:
        """Who asks."""
        with self._lock:
            return [job for job, demand in self._by_job.items() if demand.key == server]

    def _drop_old(self) -> None:
        now_s = self._monotonic_s()
        for job in [job for job, asked_s in self._asked_s.items() if now_s - asked_s >= BELIEVED_S]:
            del self._asked_s[job]
            if self._by_job.pop(job, None) is not None:
                about = {"namespace": job[0], "job": job[1]}
                _LOG.warning("a job could not be reconciled for long: its demand on a server is dropped", extra=about)
