"""Reconcilers as a list: another kind is one more entry, and nothing else has to know it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from support.fakes import FakeClock
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.controller.runtime.reconcile_loop import Work
from videojob.controller.runtime.reconcilers import Key, Reconcilers
from videojob.controller.runtime.threads import Threads


@dataclass
class Lamps:
    """A kind that only this test has: lamps are switched on; a changed switch changes its lamp."""

    kind: str = "lamp"
    on: list[str] = field(default_factory=list)

    def reconcile(self, of: str) -> float | None:
        """Switches it on, once."""
        self.on.append(of)
        return None

    def label(self, of: str) -> dict[str, str]:
        """Its name."""
        return {"lamp": of}

    def changed(self, of: str) -> list[Key]:
        """Nothing depends on a lamp."""
        return []

    def listed(self) -> list[str]:
        """Those of the hall."""
        return ["hall"]

    def remembered(self) -> list[str]:
        """One that was taken away."""
        return ["attic"]


@dataclass
class Switches(Lamps):
    """A second one."""

    kind: str = "switch"

    def changed(self, of: str) -> list[Key]:
        """Its lamp."""
        return [Key("lamp", of)]


def test_the_loop_reconciles_a_kind_that_it_does_not_know() -> None:
    lamps, switches, metrics, threads = Lamps(), Switches(), ControllerMetrics(), Threads(1, "test")
    kinds = Reconcilers(lamps, switches)

    async def until_closed() -> None:
        loop = asyncio.get_running_loop()

        def reconcile(key: Key) -> float | None:
            loop.call_soon_threadsafe(work.close)
            return kinds.reconcile(key)

        work = Work(reconcile, kinds.label, threads, metrics, FakeClock(), side_by_side=1)
        work.add(Key("lamp", "kitchen"))
        async with asyncio.timeout(10):
            assert await work.run(5.0)

    asyncio.run(until_closed())
    threads.close()
    assert (lamps.on, switches.on) == (["kitchen"], [])
    assert metrics.registry.get_sample_value("videojob_reconciles_total", {"kind": "lamp", "outcome": "done"}) == 1


def test_a_resync_takes_what_every_kind_lists_and_remembers() -> None:
    kinds = Reconcilers(Lamps(), Switches())
    assert kinds.listed() == [Key("lamp", "hall"), Key("switch", "hall")]
    assert kinds.remembered() == [Key("lamp", "attic"), Key("switch", "attic")]


def test_an_event_about_one_kind_reconciles_what_depends_on_it() -> None:
    kinds = Reconcilers(Lamps(), Switches())
    assert list(kinds.changed(Key("switch", "hall"))) == [Key("lamp", "hall")]
    assert list(kinds.changed(Key("lamp", "hall"))) == []


def test_a_line_of_the_log_names_kind_and_object() -> None:
    assert Reconcilers(Lamps()).label(Key("lamp", "hall")) == {"kind": "lamp", "lamp": "hall"}


def test_two_reconcilers_of_one_kind_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="one kind"):
        Reconcilers(Lamps(), Lamps())
