"""Events that never come, objects and their kind that go and come back, and controllers that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from support.api_faults import Refuse, Request
from support.apiserver import CRDS, ApiServer
from support.cluster.processes import wait_for
from support.controller_world import CONFIG, JOBS, LEASE, SERVER, TEAM, ControllerWorld, controller_world
from support.controllers import RunningController
from videojob.cli.programs.crd import CrdFormat, crd_text

pytestmark = pytest.mark.timeout(300)
RESYNC_S = 3
FLAGS = ("--canary=1", "--lease=3", f"--resync={RESYNC_S}")
CRD = f"{CRDS}/videojobs.videojob.dev"
HOUR_S = 3600.0
ROUNDS = 45


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControllerWorld]:
    with controller_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture
def running(world: ControllerWorld) -> Iterator[RunningController]:
    with world.controller(*FLAGS) as made:
        made.ready()
        yield made


@pytest.fixture(autouse=True)
def _as_usual(world: ControllerWorld) -> Iterator[None]:
    yield
    world.faults.hide = lambda _event: False
    world.faults.rule = lambda _request: None
    world.played.works = True


def hides(kind: str, change: str) -> Callable[[dict[str, Any]], bool]:
    """Such events; those of the Lease come, so that the watches count as working."""
    return lambda event: (event["type"], event["object"]["kind"]) == (change, kind)


def at_work(world: ControllerWorld, running: RunningController, name: str) -> str:
    """A job that is in the middle of its run, where it stays; returns its uid."""
    world.played.works = False
    uid = world.start(name)
    running.wait("work", lambda: world.reason(name) == "Processing")
    return uid


@pytest.mark.parametrize(
    ("kind", "change"),
    [("VideoJob", "ADDED"), ("VideoJob", "MODIFIED"), ("Job", "MODIFIED"), ("Deployment", "MODIFIED")],
)
def test_a_job_ends_though_events_are_lost(
    world: ControllerWorld, running: RunningController, kind: str, change: str
) -> None:
    name = f"lost-{kind}-{change}".lower()
    world.faults.hide = hides(kind, change)
    uid = world.start(name, labels={"videojob.dev/canary": "true"})  # which hid jobs from an older release
    running.wait("its end", partial(world.has_ended, name))
    world.demand_right_end(name, uid, f"{change} of {kind} lost")


def test_the_server_of_a_job_that_was_deleted_without_an_event_goes(
    world: ControllerWorld, running: RunningController
) -> None:
    at_work(world, running, "vanished")
    world.faults.hide = hides("VideoJob", "DELETED")
    world.client.delete(f"{JOBS}/vanished")
    running.wait("the server at zero", lambda: world.replicas() == 0)


def test_a_server_that_was_deleted_without_an_event_comes_back(
    world: ControllerWorld, running: RunningController
) -> None:
    uid = at_work(world, running, "robbed")
    world.faults.hide = hides("Deployment", "DELETED")
    world.client.delete(SERVER)
    running.wait("the server", lambda: world.replicas() == 1)
    world.played.works = True
    running.wait("the end", partial(world.has_ended, "robbed"))
    world.demand_right_end("robbed", uid, "its server was deleted")


@pytest.mark.parametrize("namespaces", [[], [TEAM]], ids=["cluster", "namespace"])
def test_a_controller_waits_for_the_crd_and_outlives_its_deletion(
    world: ControllerWorld, namespaces: list[str]
) -> None:
    before, after = (f"{when}-{len(namespaces)}" for when in ("before", "after"))
    delete_crd(world)
    seen = len(world.faults.seen)
    config: Mapping[str, Any] = {**CONFIG, "namespaces": namespaces}
    with world.controller(*FLAGS, config=config, ends_well=False) as running:
        running.ready()
        wait_for("a list of a kind that was not found", lambda: world.faults.count(is_list_of_jobs, seen))
        create_crd(world)
        first = at_work(world, running, before)
        delete_crd(world)
        running.wait("the server at zero", lambda: world.replicas() == 0)
        create_crd(world)
        second = world.start(after)
        assert first != second
        world.played.works = True
        running.wait("the end", partial(world.has_ended, after))
        world.demand_right_end(after, second, "its kind was deleted")
        assert running.ok("/healthz")


def is_list_of_jobs(request: Request) -> bool:
    return request.path.endswith("/videojobs") and not request.is_watch


def delete_crd(world: ControllerWorld) -> None:
    world.client.delete(CRD)
    wait_for("the end of the CRD", lambda: world.client.get(CRD).status_code == 404)


def create_crd(world: ControllerWorld) -> None:
    ApiServer(world.client).install_crd(crd_text(CrdFormat.YAML))


@pytest.mark.parametrize("code", [403, 404])
def test_a_namespace_that_refuses_everything_stops_neither_the_others_nor_their_servers(
    world: ControllerWorld, code: int
) -> None:
    """Its RoleBinding was deleted together with it."""
    name, gone = f"beside-{code}", f"gone-{code}"

    def refuse(request: Request) -> Refuse | None:
        return Refuse(code) if f"/namespaces/{gone}/" in request.path else None

    world.faults.rule = refuse
    config: Mapping[str, Any] = {**CONFIG, "namespaces": [TEAM, gone]}
    with world.controller(*FLAGS, config=config, ends_well=False) as running:
        running.ready()
        uid = at_work(world, running, name)
        world.played.works = True
        running.wait("the end", partial(world.has_ended, name))
        world.demand_right_end(name, uid, "another namespace refuses everything")
        refused = running.metric("videojob_namespace_refused", tenant=gone)
        assert refused == (1 if code == 403 else 0), "without their kind there are none, which is no refusal"
        assert running.ok("/healthz")


@pytest.mark.parametrize("ahead_s", [0.0, HOUR_S, -HOUR_S], ids=["right", "ahead", "behind"])
def test_a_second_controller_waits_and_takes_over_when_the_first_is_killed(
    world: ControllerWorld, ahead_s: float
) -> None:
    name, lease_s = f"shared-{HOUR_S + ahead_s:.0f}", 6
    flags = ("--canary=1", f"--lease={lease_s}")
    with ExitStack() as stack:
        first = stack.enter_context(world.controller(*flags, clock_ahead_s=ahead_s))
        first.ready()
        second = stack.enter_context(world.controller(*flags))
        uid = at_work(world, first, name)
        second.wait("health", lambda: second.ok("/healthz"))
        assert (second.metric("videojob_leader"), second.looks("done"), second.ok("/readyz")) == (0, 0, False)
        world.played.works = True
        first.kill()
        killed_s = time.monotonic()
        second.ready()
        assert time.monotonic() - killed_s < lease_s + 4
        second.wait("the end", partial(world.has_ended, name))
        world.demand_right_end(name, uid, "another controller took over")


def test_a_container_that_is_started_again_does_not_wait_for_its_own_lease(world: ControllerWorld) -> None:
    flags = ("--identity=pod", "--lease=60")
    wait_for("a free lease", lambda: world.client.delete(LEASE).is_success, 10)
    with world.controller(*flags) as first:
        first.ready()
        uid = at_work(world, first, "restarted")
        first.kill()
    world.played.works = True
    with world.controller(*flags) as second:
        second.wait("the end", partial(world.has_ended, "restarted"), 30)
        world.demand_right_end("restarted", uid, "its controller was started again")


def has_jobs(world: ControllerWorld, name: str, uid: str, least: int) -> bool:
    """Whether the VideoJob has so many Jobs of Kubernetes."""
    mine = [one for one in world.children(name) if one["metadata"]["labels"]["videojob.dev/job-uid"] == uid]
    return len(mine) >= least


def test_jobs_made_and_deleted_again_and_again_under_one_name_leave_no_server_and_the_last_one_ends(
    world: ControllerWorld, running: RunningController
) -> None:
    for number in range(ROUNDS):
        uid, least = world.start("again"), number % 3  # before its planner, after that, after its workers
        wait_for("its Jobs", partial(has_jobs, world, "again", uid, least))
        assert world.client.delete(f"{JOBS}/again").is_success
    last = world.start("again")
    running.wait("the last one's end", partial(world.has_ended, "again"))
    assert not has_jobs(world, "again", last, 3)
    assert {run for run in world.played.begun if run[0] == f"{TEAM}.{last}"} == {(f"{TEAM}.{last}", 1)}
    wait_for("the server at zero", lambda: world.replicas() == 0, 30)
