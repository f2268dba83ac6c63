"""The results tables as the controller reads them: one connection each, and no more reads than a decision needs.

Reading the commits of a large job costs read units, so they are read again only when there is a reason: time has gone
by, more for larger jobs, or Kubernetes says that the Job has moved on. Of a large job it says so at nearly every
reconcile, so that even then some time must have gone by; only at a Job's end it is read in any case.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from videojob.ports.clock import Clock
from videojob.ports.results import JobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import PlanHead

_MOST_REMEMBERED = 4096
_LEAST_AGE_S = 4.0
_SEGMENTS_PER_S = 20
_MOVED_SEGMENTS_PER_S = 100
_MOST_MOVED_S = 100.0
"""A Job that has moved on is read again after a second for each so many segments, at most after so long: how far it is
meanwhile, Kubernetes tells, and to read 1,400 commits takes more CPU time than all else in a reconcile."""


@dataclass(frozen=True, slots=True)
class Read:
    """Commits of a run: which, of how many others were refused, when they were read, and what Kubernetes said then
    (`marker`).
    """

    committed: frozenset[int]
    conflicts: int
    read_s: float
    marker: str


class Stores:
    """Connections by (table, region), and what was read of jobs lately; safe for threads.

    Args:
        connect: makes a connection.
        clock: the time.
    """

    def __init__(self, connect: Callable[[str, str | None], JobStore], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._lock = threading.Lock()
        self._stores: dict[tuple[str, str | None], JobStore] = {}
        self._turns: dict[tuple[str, str | None], threading.Lock] = {}
        self._heads: LRUCache[tuple[str, int], PlanHead] = LRUCache(_MOST_REMEMBERED)
        self._reads: LRUCache[tuple[str, int], Read] = LRUCache(_MOST_REMEMBERED)

    def store(self, table: str, region: str | None) -> JobStore:
        """The connection to a table. One that hangs keeps nobody but those who want the same. Raises SetupError."""
        key = table, region
        with self._lock:
            known = self._stores.get(key)
            turn = self._turns.setdefault(key, threading.Lock())
        if known is not None:
            return known
        with turn:
            with self._lock:
                known = self._stores.get(key)
            if known is not None:
                return known
            made = self._connect(table, region)
            with self._lock:
                self._stores[key] = made
            return made

    def head(self, store: JobStore, uid: str, attempt: int) -> PlanHead | None:
        """A plan's head; it never changes, so it is read until it is there and then remembered."""
        with self._lock:
            known = self._heads.get((uid, attempt))
        if known is not None:
            return known
        found = store.plan_head(uid, attempt)
        if found is not None:
            with self._lock:
                self._heads[uid, attempt] = found
        return found

    def committed(
        self, store: JobStore, run: RunRecord, marker: str, *, fresh: bool, most_age_s: float = math.inf
    ) -> Read:
        """Indexes of stored segments, read not long ago, and of how many others were refused.

        Args:
            store: of the job.
            run: which.
            marker: what Kubernetes says of the Job; when that changed, it is read again sooner.
            fresh: read now.
            most_age_s: read again when it was read so long ago, however large the job is.
        """
        now_s = self._clock.monotonic_s()
        key = (run.uid, run.epoch)
        with self._lock:
            known = self._reads.get(key)
        if known is not None and not fresh:
            has_moved = known.marker != marker
            least_s = max(_LEAST_AGE_S, run.segments / _SEGMENTS_PER_S)
            least_s = min(run.segments / _MOVED_SEGMENTS_PER_S, _MOST_MOVED_S) if has_moved else least_s
            if now_s - known.read_s < min(least_s, most_age_s):
                return known
        found = Read(store.committed(run), len(store.conflicts(run)), now_s, marker)
        with self._lock:
            self._reads[key] = found
        return found

    def forget(self, uid: str) -> None:
        """A job is over: nothing of it needs to be kept in memory."""
        with self._lock:
            for memory in (self._heads, self._reads):
                for key in [key for key in memory if key[0] == uid]:
                    del memory[key]

    def close(self) -> None:
        """Ends the connections."""
        with self._lock:
            for store in self._stores.values():
                store.close()
            self._stores.clear()
