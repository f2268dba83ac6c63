"""What every job asks of its server, as of its last look: the sum is what servers are sized by.

Kept in memory only. A controller that has just started does not know all of it before it has looked at every job once;
until then no server may get smaller. A look that fails counts, too: one job that always fails must not keep them all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from videojob.planning.desired import ServerDemand
from videojob.planning.observed import ServerKey

JobKey = tuple[str, str]
"""(namespace, name) of a VideoJob."""


class Demands:
    """The board; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_job: dict[JobKey, ServerDemand] = {}
        self._unseen: set[JobKey] | None = None

    @property
    def complete(self) -> bool:
        """Whether every job that was there at the start has been looked at, or tried."""
        with self._lock:
            return self._unseen is not None and not self._unseen

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
        """A job that cannot be looked at: its demand stays as it was, and servers do not wait for it any more."""
        with self._lock:
            demand = self._by_job.get(job)
        return self.set(job, demand)

    def set(self, job: JobKey, demand: ServerDemand | None) -> set[ServerKey]:
        """A job's demand now; returns the servers whose sum changed, all of them when the board has become complete."""
        with self._lock:
            before = self._by_job.get(job)
            if demand is None:
                self._by_job.pop(job, None)
            else:
                self._by_job[job] = demand
            last = self._unseen is not None and self._unseen == {job}
            if self._unseen is not None:
                self._unseen.discard(job)
            changed = {one.key for one in (before, demand) if one is not None} if before != demand else set()
            return changed | ({one.key for one in self._by_job.values()} if last else set())

    def of(self, server: ServerKey) -> list[ServerDemand]:
        """What is asked of a server."""
        with self._lock:
            return [demand for demand in self._by_job.values() if demand.key == server]

    def jobs_of(self, server: ServerKey) -> list[JobKey]:
        """Who asks."""
        with self._lock:
            return [job for job, demand in self._by_job.items() if demand.key == server]
