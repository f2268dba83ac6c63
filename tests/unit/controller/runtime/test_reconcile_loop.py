"""The controller's loop over its queue: what a reconcile's end leads to, and what is measured of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support.fakes import FakeClock
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.controller.runtime.reconcile_loop import Work
from videojob.controller.runtime.reconcilers import Key
from videojob.controller.runtime.threads import Threads
from videojob.errors import ClusterUnavailable, VideoJobError

ENTRANCE = Key("job", "entrance")
Look = Callable[["Looks"], float | None]


class Looks:
    """A `Work` whose looks follow a script; it is closed with the last of them."""

    def __init__(self, *script: Look) -> None:
        self.clock = FakeClock()
        self.metrics = ControllerMetrics()
        self.script = list(script)
        self.threads = Threads(1, "looks")
        self.work = Work(
            self._look,
            lambda key: {"kind": key.kind, "job": str(key.of)},
            self.threads,
            self.metrics,
            self.clock,
            side_by_side=1,
        )

    def _look(self, key: Key) -> float | None:
        look = self.script.pop(0)
        try:
            return look(self)
        finally:
            if not self.script:
                self._loop.call_soon_threadsafe(self.work.close)

    def run(self, *, heard: bool = True) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            (self.work.event_arrived if heard else self.work.add)(ENTRANCE)
            async with asyncio.timeout(10):
                assert await self.work.run(5.0)

        asyncio.run(main())
        self.threads.close()

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def wrote(looks: Looks) -> None:
    looks.clock.seconds += 2.0
    looks.work.wrote(ENTRANCE)
    looks.clock.seconds += 100.0  # what comes after the write does not count


def found_nothing_new(looks: Looks) -> None:
    looks.clock.seconds += 2.0


def again(looks: Looks) -> float:
    looks.clock.seconds += 2.0
    return 0.0


def fails(looks: Looks) -> None:
    looks.clock.seconds += 3.0
    raise ClusterUnavailable("away")


@pytest.mark.parametrize(
    ("script", "heard", "count", "seconds"),
    [
        pytest.param([wrote], True, 1, 2.0, id="a write"),
        pytest.param([found_nothing_new], True, 0, 0.0, id="no write"),
        pytest.param([again, wrote], True, 0, 0.0, id="a write of a later look, which no event asked for"),
        pytest.param([wrote], False, 0, 0.0, id="a write that no event led to"),
        pytest.param([fails, wrote], True, 1, 5.0, id="a failure on the way"),
    ],
)
def test_the_time_from_an_event_to_its_write_is_measured_and_no_other(
    script: list[Look], heard: bool, count: int, seconds: float
) -> None:
    looks = Looks(*script)
    looks.run(heard=heard)
    assert looks.metric("videojob_event_to_write_seconds_count") == count
    assert looks.metric("videojob_event_to_write_seconds_sum") == pytest.approx(seconds, abs=0.01)


def crashes(looks: Looks) -> None:
    raise ZeroDivisionError


def is_refused(looks: Looks) -> None:
    raise VideoJobError("no")


@pytest.mark.parametrize(
    ("look", "outcome"),
    [(found_nothing_new, "done"), (fails, "failed"), (is_refused, "failed"), (crashes, "crashed")],
)
def test_every_look_is_counted_by_how_it_ended_and_none_ends_the_work(look: Look, outcome: str) -> None:
    looks = Looks(look)
    looks.run()
    assert looks.metric("videojob_reconciles_total", kind="job", outcome=outcome) == 1
    assert looks.metric("videojob_reconcile_seconds_count", kind="job") == 1
