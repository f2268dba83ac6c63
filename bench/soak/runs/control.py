"""The controller and what jobs leave behind: memory and CPU time with 20 and with 1,400 pods that have ended, and with
eight such jobs while it is killed and started again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.soak.table import Row
from support.dynamodb import AWS_ENVIRONMENT
from support.finished_pods import MIB, Object, Soak, soak

FEW, MANY, JOBS = 20, 1400, 8
MOST_MEMORY_MIB = 250.0
MOST_GROWTH = 1.5
"""Of CPU time per reconcile from few pods to many: more would be more than this measures anyway."""
FIRST_STATUS_S = 5.0
NEW_JOBS = 40
_APART_S = 2.1
"""Longer than a key's children are paced: each event leads to a reconcile."""
_TURNS = 20
_SETTLES_S = 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of reconciles, the process's idle time left out."""

    reconciles: int
    cpu_s: float
    wall_s: float

    @property
    def ms_per_reconcile(self) -> float:
        """CPU milliseconds."""
        return 1000 * self.cpu_s / max(1, self.reconciles)


def rows() -> Iterator[Row]:
    """See the module."""
    os.environ.update(AWS_ENVIRONMENT)
    few = many = Cost(0, 0.0, 0.0)
    for ended in (FEW, MANY):
        with soak() as one, one.controller():
            work = one.at_work("one", ended)
            cost = spent(one, [work], _TURNS, _APART_S)
            few, many = (cost, many) if ended == FEW else (few, cost)
            about = f"1 job with {ended:,} pods that ended"
            limit = MOST_MEMORY_MIB if ended == MANY else None
            yield Row(f"{about}: memory, peak", one.readings().rss_peak_bytes / MIB, "MiB", limit)
            yield Row(
                f"{about}: CPU time per reconcile", cost.ms_per_reconcile, "ms", note=f"{cost.reconciles} reconciles"
            )
            burst = spent(one, [work], 100, 0.2)
            rate = burst.reconciles / burst.wall_s
            yield Row(f"{about}: reconciles at 5 changes of its Job per second", rate, "1/s", 0.7)
            yield Row(f"{about}: CPU time for that", 1000 * burst.cpu_s / burst.wall_s, "ms/s")
    growth = many.ms_per_reconcile / few.ms_per_reconcile
    yield Row(f"CPU time per reconcile, {MANY:,} pods / {FEW}", growth, "", MOST_GROWTH)
    with soak() as eight:
        yield from _eight(eight)


def spent(one: Soak, works: list[Object], turns: int, apart_s: float) -> Cost:
    """What reconciles take while the status of each Job changes so often."""
    settle(one)
    idle = idle_cpu_s(one)
    before, began_s = one.readings(), time.monotonic()
    for turn in range(turns):
        one.watched.read_until(began_s + turn * apart_s)
        for work in works:
            one.move(work)
    settle(one)
    after, wall_s = one.readings(), time.monotonic() - began_s
    return Cost(after.looks - before.looks, after.cpu_s - before.cpu_s - idle * wall_s, wall_s)


def settle(one: Soak) -> None:
    """Until what was asked for is done."""
    one.watched.read_until(time.monotonic() + _SETTLES_S)


def idle_cpu_s(one: Soak) -> float:
    """CPU seconds per second without anything to do."""
    before, began_s = one.readings(), time.monotonic()
    one.watched.read_until(began_s + _SETTLES_S)
    after = one.readings()
    reconciles = after.looks - before.looks
    return 0.0 if reconciles else (after.cpu_s - before.cpu_s) / (time.monotonic() - began_s)


def _eight(one: Soak) -> Iterator[Row]:
    about = f"{JOBS} jobs with {MANY:,} pods each"
    with one.controller() as first:
        works = [one.at_work(f"job-{number}", MANY) for number in range(JOBS)]
        cost = spent(one, works, _TURNS, _APART_S)
        yield Row(f"{about}: CPU time per reconcile", cost.ms_per_reconcile, "ms", note=f"{cost.reconciles} reconciles")
        yield Row(f"{about}: memory, peak before a kill", one.readings().rss_peak_bytes / MIB, "MiB", MOST_MEMORY_MIB)
        first.kill()
    one.world.free_lease()
    with one.controller() as second:
        one.world.played.plans = False
        first_s = []
        for number in range(NEW_JOBS):
            for work in works:
                one.move(work)
            first_s.append(one.first_status_s(f"new-{number}"))
            one.watched.read_until(time.monotonic() + 0.5)
        first_s.sort()
        peak = one.readings().rss_peak_bytes / MIB
        yield Row(f"{about}: memory, peak of both controllers", peak, "MiB", MOST_MEMORY_MIB)
        note = f"{NEW_JOBS} jobs, while the others' Jobs change twice a second"
        yield Row("a new job's first status, median", first_s[NEW_JOBS // 2], "s", note=note)
        yield Row("a new job's first status, p99", first_s[-1], "s", FIRST_STATUS_S, note="the slowest of them")
        second.ready()
