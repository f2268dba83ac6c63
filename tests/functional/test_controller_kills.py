"""kill -9 of the controller at each single write, before a real kube-apiserver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from threading import Event

import pytest

from support.api_faults import Break, Request
from support.cluster.processes import wait_for
from support.controller_world import QUICK, SERVER, SERVICE, ControllerWorld, controller_world
from support.controllers import RunningController

pytestmark = pytest.mark.timeout(600)
MOST_WRITES = 40


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControllerWorld]:
    with controller_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(autouse=True)
def _harmless(world: ControllerWorld) -> Iterator[None]:
    yield
    world.faults.rule = lambda _request: None


class Killer:
    """Kills a controller at its n-th write for jobs, before or after the server got that."""

    def __init__(self, running: RunningController, number: int, *, forward: bool) -> None:
        self.struck = Event()
        self.at = ""
        self._running, self._left, self._forward = running, number, forward

    def __call__(self, request: Request) -> Break | None:
        if not request.is_work or self.struck.is_set():
            return None
        self._left -= 1
        if self._left >= 0:
            return None
        self.at = f"{request.method} {request.path}"
        return Break(self._forward, self._strike)

    def _strike(self) -> None:
        self._running.kill()
        self.struck.set()


def killed_or_over(world: ControllerWorld, killer: Killer, name: str) -> bool:
    """Whether the kill has been carried out, or there was no such write; the last write may be the one that kills."""
    return killer.struck.is_set() or (world.has_ended(name) and not killer.at)


class Succession:
    """A controller that leads and one that stands by, each of which has started before it is needed."""

    def __init__(self, world: ControllerWorld, stack: ExitStack) -> None:
        self._world, self._stack = world, stack
        self.leading = self._another()
        self.leading.ready()
        self._next = self._another()

    def go_on(self) -> None:
        """The one that leads is dead; the next need not wait until that is certain by its lease."""
        self._world.free_lease()
        self.leading, self._next = self._next, self._another()

    def wait_for_next(self) -> None:
        """Whoever stands by has started, and can be asked to end."""
        self._next.wait("health", lambda: self._next.ok("/healthz"))

    def _another(self) -> RunningController:
        return self._stack.enter_context(self._world.controller(*QUICK))


@pytest.mark.parametrize("forward", [False, True], ids=["before", "after"])
def test_a_controller_killed_at_any_write_is_followed_by_one_that_finishes_its_job(
    world: ControllerWorld, forward: bool
) -> None:
    struck: list[str] = []
    with ExitStack() as stack:
        line = Succession(world, stack)
        for number in range(MOST_WRITES):
            name = f"killed-{'after' if forward else 'before'}-{number}"
            for path in (SERVER, SERVICE):  # to be recreated
                world.client.delete(path)
            killer = Killer(line.leading, number, forward=forward)
            world.faults.rule = killer
            uid = world.start(name)
            wait_for("a kill or the end", partial(killed_or_over, world, killer, name), 60)
            if not killer.at:
                break
            world.faults.rule = lambda _request: None
            line.go_on()
            line.leading.wait(f"the end after a kill at {killer.at}", partial(world.has_ended, name))
            world.demand_right_end(name, uid, f"a kill at {killer.at}")
            struck.append(killer.at)
        line.wait_for_next()
    assert len(struck) > 12, struck
    for part in ("/configmaps", "/jobs", "/status", "/deployments/", "/services/", "/events"):
        assert any(part in one for one in struck), (part, struck)
