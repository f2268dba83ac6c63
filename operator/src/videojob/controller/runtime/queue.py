"""The controller's own work queue: each key once, never twice at a time, with delays, and backoff for failures.

An event only says that something about a key may have changed, so any number of them is one entry. A key that comes in
while it is worked on runs again afterwards. One asyncio loop owns it; nothing here is for threads.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import random
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cachetools import TTLCache

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF_S = 1.0
MOST_BACKOFF_S = 300.0
MOST_PACE_S = 60.0
"""Longest time between two turns that `add_paced` can keep."""


def _now_s() -> float:
    return asyncio.get_running_loop().time()


@dataclass(slots=True)
class WorkQueue(Generic[K]):
    """Work queue depth.

    Attributes:
        spread: source of the spread in backoffs, so that many failures do not come back at one moment.
    """

    spread: random.Random = field(default_factory=random.Random)
    _ready: deque[K] = field(default_factory=deque)
    _waiting: set[K] = field(default_factory=set)
    _running: set[K] = field(default_factory=set)
    _again: set[K] = field(default_factory=set)
    _failures: dict[K, int] = field(default_factory=dict)
    _later: list[tuple[float, int, K]] = field(default_factory=list)
    _due: dict[K, float] = field(default_factory=dict)
    _taken: TTLCache[K, float] = field(default_factory=lambda: TTLCache(math.inf, MOST_PACE_S, _now_s))
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def __len__(self) -> int:
        """Keys that could run now."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Puts a key in, at once; one that waits already keeps its place."""
        self._due.pop(key, None)
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._changed.set()

    def add_after(self, key: K, delay_s: float) -> None:
        """Puts a key in after a while, unless it comes in earlier or is due earlier."""
        due_s = _now_s() + max(0.0, delay_s)
        if key in self._waiting or self._due.get(key, due_s + 1) <= due_s:
            return
        self._due[key] = due_s
        heapq.heappush(self._later, (due_s, next(self._numbers), key))
        self._changed.set()

    def add_paced(self, key: K, every_s: float) -> None:
        """Puts a key in: at once when it was not taken for so long, else when that time is over."""
        now_s = _now_s()
        taken_s = self._taken.get(key)
        if taken_s is None or now_s - taken_s >= every_s:
            self.add(key)
        else:
            self.add_after(key, taken_s + every_s - now_s)

    async def take(self) -> K | None:
        """The next key, when there is one; whoever takes it calls `done` or `failed`. None once the queue is closed."""
        while not self._closed:
            wait_s = self._promote()
            if self._ready:
                key = self._ready.popleft()
                self._waiting.discard(key)
                self._running.add(key)
                self._taken[key] = _now_s()
                if self._ready:
                    self._changed.set()
                return key
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), wait_s)
            except TimeoutError:
                continue
        self._changed.set()  # wakes the next one that waits
        return None

    def close(self) -> None:
        """No key is given out any more."""
        self._closed = True
        self._changed.set()

    def done(self, key: K, requeue_s: float | None = None) -> None:
        """A key was worked on; it comes again after `requeue_s`, or at once when it came in meanwhile."""
        self._failures.pop(key, None)
        self._release(key, requeue_s)

    def failed(self, key: K, *, least_s: float = 0.0, most_s: float = MOST_BACKOFF_S) -> float:
        """A key could not be worked on: it comes again, later each time; returns after how many seconds.

        Args:
            key: which.
            least_s: not earlier than this, as the other side asked for.
            most_s: how late at most.
        """
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        full_s = min(most_s, FIRST_BACKOFF_S * 2.0 ** min(failures - 1, 16))
        delay_s = max(least_s, full_s * (0.5 + self.spread.random() / 2))
        self._again.discard(key)
        self._release(key, delay_s)
        return delay_s

    def _release(self, key: K, requeue_s: float | None) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        elif requeue_s is not None:
            self.add_after(key, requeue_s)

    def _promote(self) -> float | None:
        """Moves what is due into the queue; returns the seconds until the next is."""
        now_s = _now_s()
        while self._later:
            due_s, _, key = self._later[0]
            if self._due.get(key) != due_s:
                heapq.heappop(self._later)  # it came in meanwhile, or is due at another time now
                continue
            if due_s > now_s:
                return due_s - now_s
            heapq.heappop(self._later)
            self.add(key)
        return None
