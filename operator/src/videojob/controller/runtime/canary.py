"""Proves that events still come: the watches must show what this process itself wrote.

A watch can end for good without a word while the process looks healthy. The Lease is renewed every few seconds anyhow,
and the watches show it: its renewals are the canary, so that no VideoJob is made that people would find in their lists.
A status that was written must come back, too, by the watch of VideoJobs. The liveness probe asks here,
so that Kubernetes restarts a controller that gets no events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from videojob.controller.keys import JobKey
from videojob.ports.clock import Clock

_MOST_UNSEEN = 1000
_MOST_SHOWN = 100


@dataclass(slots=True)
class Canary:
    """What was written and not shown yet; for all threads.

    Attributes:
        unseen_after_s: how long renewals may stay unseen before the process is of no use.
    """

    clock: Clock
    unseen_after_s: float = 120.0
    _renewals: deque[tuple[str, float]] = field(default_factory=deque)
    _shown: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_SHOWN))
    _statuses: dict[JobKey, float] = field(default_factory=dict)
    _begun: bool = False
    _lock: Lock = field(default_factory=Lock)

    def renewed(self, version: str) -> None:
        """The Lease was written, and has this resourceVersion since then; counts once there are watches.

        A watch may show a renewal before its own request has been answered. Renewals in one second change nothing, and
        have one version.
        """
        with self._lock:
            if version in self._shown:
                self._renewals.clear()  # all others are older
            elif self._begun and len(self._renewals) < _MOST_UNSEEN:
                self._renewals.append((version, self.clock.monotonic_s()))

    def wrote(self, key: JobKey) -> None:
        """A VideoJob's status was written."""
        with self._lock:
            self._statuses.setdefault(key, self.clock.monotonic_s())

    def saw_lease(self, body: Mapping[str, Any]) -> None:
        """A watch showed the Lease. A renewal is seen when it is shown itself, or one that came after it."""
        version = str(body["metadata"]["resourceVersion"])
        with self._lock:
            self._shown.append(version)
            last = max((at for at, (one, _) in enumerate(self._renewals) if one == version), default=-1)
            for _ in range(last + 1):
                self._renewals.popleft()

    def saw_job(self, key: JobKey) -> None:
        """A watch showed the VideoJob; which of its versions does not matter, since it is written again and again."""
        with self._lock:
            self._statuses.pop(key, None)

    def begin(self) -> None:
        """The watches are restarted: they list what there is, and say nothing of a VideoJob that has gone."""
        with self._lock:
            self._begun = True
            self._statuses.clear()

    @property
    def silent_s(self) -> float:
        """For how long anything that was written has been unseen; 0 when all of it was seen."""
        with self._lock:
            since_s = [*self._statuses.values(), *(at_s for _, at_s in self._renewals)]
        return 0.0 if not since_s else self.clock.monotonic_s() - min(since_s)

    @property
    def unseen_s(self) -> float:
        """For how long the Lease's renewals have been unseen, if that is too long; else 0."""
        with self._lock:
            oldest_s = self._renewals[0][1] if self._renewals else None
        silent_s = 0.0 if oldest_s is None else self.clock.monotonic_s() - oldest_s
        return silent_s if silent_s >= self.unseen_after_s else 0.0
