"""kill -9 of the controller at each single write, and two controllers at once, before a real kube-apiserver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from threading import Event

import pytest

from support.api_faults import Break, Request
from support.cluster.processes import wait_for
from support.controller_world import QUICK, SERVER, SERVICE, TEAM, ControllerWorld, controller_world
from support.controllers import RunningController
from support.dynamodb import AWS_ENVIRONMENT, settings_for
from support.played_jobs import TABLE
from videojob.adapters.dynamodb_jobs import DynamoDbJobStore

pytestmark = pytest.mark.timeout(600)
MOST_WRITES = 40


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControllerWorld]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
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


def demand_right_end(world: ControllerWorld, name: str, uid: str, at: str) -> None:
    """One Job per attempt, one run, one summary, no orphan, and the server back at zero."""
    assert world.reason(name) == "Completed", at
    kinds = sorted(one["metadata"]["labels"]["app.kubernetes.io/component"] for one in world.children(name))
    assert kinds == ["planner", "worker"], at
    identity = f"{TEAM}.{uid}"
    assert {run for run in world.played.begun if run[0] == identity} == {(identity, 1)}, at
    assert world.status(name)["epoch"] == 1, at
    with closing(DynamoDbJobStore(settings_for(world.table_url, table=TABLE))) as store:
        assert store.summary(identity) is not None, at
    assert world.client.get(SERVICE).is_success, at
    wait_for(f"the server at zero after a kill at {at}", lambda: world.replicas() == 0, 30)


@pytest.mark.parametrize("forward", [False, True], ids=["before", "after"])
def test_a_controller_killed_at_any_write_is_followed_by_one_that_finishes_its_job(
    world: ControllerWorld, forward: bool
) -> None:
    struck: list[str] = []
    for number in range(MOST_WRITES):
        name = f"killed-{'after' if forward else 'before'}-{number}"
        for path in (SERVER, SERVICE):  # to be made anew
            world.client.delete(path)
        with world.controller(*QUICK) as first:
            first.ready()
            killer = Killer(first, number, forward=forward)
            world.faults.rule = killer
            uid = world.start(name)
            wait_for("a kill or the end", partial(killed_or_over, world, killer, name), 60)
            if not killer.at:
                break
        world.faults.rule = lambda _request: None
        with world.controller(*QUICK) as second:
            second.wait(f"the end after a kill at {killer.at}", partial(world.has_ended, name))
            demand_right_end(world, name, uid, killer.at)
        struck.append(killer.at)
    assert len(struck) > 12, struck
    for part in ("/configmaps", "/jobs", "/status", "/deployments/", "/services/", "/events"):
        assert any(part in one for one in struck), (part, struck)
