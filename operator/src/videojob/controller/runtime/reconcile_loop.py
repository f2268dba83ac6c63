"""The work itself: keys from the queue, one reconcile at each in a thread, and what follows from how it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.controller.runtime.polls import Polls
from videojob.controller.runtime.queue import MOST_BACKOFF_S, WorkQueue
from videojob.controller.runtime.reconcilers import Key
from videojob.controller.runtime.threads import Threads
from videojob.errors import ClusterUnavailable, VideoJobError
from videojob.ports.clock import Clock
from videojob.ports.cluster import AlreadyThere, ClusterConflict

_LOG = logging.getLogger(__name__)

CHILDREN_EVERY_S = 2.0
"""A Job with many pods changes its status several times a second, and nothing in it is worth a reconcile each time."""
PATIENCE_S = 15.0
"""The longest pause after a failure that passes by itself: what an outage may cost beyond its own length."""


@dataclass(slots=True)
class Work:
    """Looks at keys, some side by side, none twice at a time.

    Attributes:
        reconcile: one reconcile; returns when to reconcile again, in seconds, or None.
        name: what a log's line says of a key.
        threads: where looks run.
        side_by_side: how many.
    """

    reconcile: Callable[[Key], float | None]
    name: Callable[[Key], dict[str, str]]
    threads: Threads
    metrics: ControllerMetrics
    clock: Clock
    side_by_side: int
    _queue: WorkQueue[Key] = field(default_factory=WorkQueue)
    _event_s: dict[Key, float] = field(default_factory=dict)
    _working_event_s: dict[Key, float] = field(default_factory=dict)
    _in_hand_s: dict[Key, float] = field(default_factory=dict)
    _polls: Polls[Key] = field(default_factory=Polls)

    def __post_init__(self) -> None:
        """The queue's length is read when it is asked for."""
        self.metrics.queue_length.set_function(lambda: len(self._queue))

    def add(self, key: Key) -> None:
        """Something about a key may have changed; for the loop's thread."""
        self._queue.add(key)

    def event_arrived(self, key: Key) -> None:
        """An event about a key: as `add`, and the time to its effect is measured."""
        self._event_s.setdefault(key, self.clock.monotonic_s())
        self.add(key)

    def child_changed(self, key: Key) -> None:
        """An event that only tells how far a key's work is: as `event_arrived`, but paced."""
        self._event_s.setdefault(key, self.clock.monotonic_s())
        self.add_paced(key)

    def add_paced(self, key: Key) -> None:
        """As `add`, at once after a quiet time, and no more than one reconcile in `CHILDREN_EVERY_S` by this way."""
        self._queue.add_paced(key, CHILDREN_EVERY_S)

    def add_after(self, key: Key, delay_s: float) -> None:
        """As `add`, after a while."""
        self._queue.add_after(key, delay_s)

    def wrote(self, key: Key) -> None:
        """The reconcile of a key has written its status just now; from that reconcile's thread."""
        event_s = self._working_event_s.pop(key, None)
        if event_s is not None:
            self.metrics.event_to_write_s.observe(self.clock.monotonic_s() - event_s)

    @property
    def longest_s(self) -> float:
        """For how long the oldest look has been going on."""
        began_s = min(self._in_hand_s.values(), default=None)
        return 0.0 if began_s is None else self.clock.monotonic_s() - began_s

    async def run(self, finish_s: float) -> bool:
        """Until it is closed or cancelled; returns whether all looks in hand came to their end within `finish_s`."""
        workers = [asyncio.create_task(self._work(), name=f"work-{at}") for at in range(self.side_by_side)]
        try:
            await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
            _, unfinished = await asyncio.wait(workers, timeout=finish_s)
            for task in workers:
                if task.done() and not task.cancelled():
                    task.result()
            return not unfinished
        finally:
            for task in workers:
                task.cancel()

    def close(self) -> None:
        """Begins no further reconcile."""
        self._queue.close()

    async def _work(self) -> None:
        while (key := await self._queue.take()) is not None:
            event_s = self._event_s.pop(key, None)
            if event_s is not None:
                self._working_event_s[key] = event_s
            self._in_hand_s[key] = self.clock.monotonic_s()
            try:
                await self._one(key)
            finally:
                self._in_hand_s.pop(key, None)
                self._working_event_s.pop(key, None)  # an event that led to no write has no time to its write

    async def _one(self, key: Key) -> None:
        with self.metrics.reconcile_s.labels(key.kind).time():
            try:
                requeue_s = await self.threads.run(self.reconcile, key)
            except (VideoJobError, ClusterConflict, AlreadyThere) as error:
                self._failed(key, error)
                return
            except Exception:  # noqa: BLE001 - a fault of one reconcile is reported by name, and its key comes back
                # A fault of the program: it must not take the other jobs down, and comes back later each time.
                delay_s = self._queue.failed(key)
                self.metrics.reconciles.labels(key.kind, "crashed").inc()
                _LOG.exception("a reconcile failed", extra={**self.name(key), "delay_s": round(delay_s, 1)})
                return
        self.metrics.reconciles.labels(key.kind, "done").inc()
        self._queue.done(key, self._polls.after_s(key, requeue_s))

    def _failed(self, key: Key, error: VideoJobError | ClusterConflict | AlreadyThere) -> None:
        event_s = self._working_event_s.pop(key, None)
        if event_s is not None:
            self._event_s[key] = event_s  # its effect is still to come; an event since then is younger
        passes = not isinstance(error, VideoJobError) or error.retryable
        least_s = error.retry_after_s if isinstance(error, ClusterUnavailable) else 0.0
        delay_s = self._queue.failed(key, least_s=least_s, most_s=PATIENCE_S if passes else MOST_BACKOFF_S)
        self.metrics.reconciles.labels(key.kind, "failed").inc()
        _LOG.warning(
            "reconcile will be retried", extra={**self.name(key), "delay_s": round(delay_s, 1), "error": str(error)}
        )
