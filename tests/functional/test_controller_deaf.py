"""An API server that refuses, breaks, hangs or falls silent: the controller works again within a minute.

A job is made before the fault and one in the middle of it; both end right, and nothing happens twice. How many seconds
it took is in the property `again_s` of each test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import pytest

from support.api_faults import ApiFaults, Break, CutShort, Fault, Refuse, Request, Swallow
from support.apiserver import fresh_apiserver
from support.controller_world import ControllerWorld, controller_world
from support.controllers import RunningController

pytestmark = pytest.mark.timeout(300)
WITHIN_S = 60.0
LASTS_S = 3.0
OUTAGE_S = 90.0
QUICK = ("--canary=1", "--lease=3")
"""Proofs of life ten times as often as usual, so that a fault may be as much shorter; the lease is lost in it."""
WATCHED = ("videojobs", "jobs", "deployments", "leases")
PARTLY = b'{"type": "MODIFIED", "object": {"kind": "VideoJ'


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControllerWorld]:
    with controller_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def running(world: ControllerWorld) -> Iterator[RunningController]:
    """One process that lives through all its faults, one after the other."""
    with watching_controller(world, *QUICK) as made:
        yield made


@contextmanager
def watching_controller(world: ControllerWorld, *flags: str) -> Iterator[RunningController]:
    """A controller with these flags that has all its watches."""
    before = len(world.faults.seen)
    with world.controller(*flags, ends_well=False) as made:  # kopf logs what ends a watch with its traceback
        made.ready()
        for kind in WATCHED:
            made.wait(f"a watch of {kind}", partial(world.faults.count, partial(is_watch_of, kind), before))
        yield made
    assert made.process.returncode == 0


def is_watch_of(kind: str, request: Request) -> bool:
    return request.is_watch and request.path.endswith(f"/{kind}")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong.

    Attributes:
        rule: for requests, as long as it lasts.
        begins: for watches that are open.
        lasts_s: from which on requests pass again; 0 for what happens once.
    """

    rule: Callable[[Request], Fault | None] = lambda _request: None
    begins: Callable[[ApiFaults], object] = ApiFaults.end_watches
    lasts_s: float = LASTS_S


def all_are(fault: Fault) -> Trouble:
    return Trouble(lambda _request: fault)


def watches_are(fault: Fault) -> Trouble:
    return Trouble(lambda request: fault if request.is_watch else None)


def once(begins: Callable[[ApiFaults], object]) -> Trouble:
    return Trouble(begins=begins, lasts_s=0)


PROBLEMS = {
    "503": all_are(Refuse(503)),
    "401": all_are(Refuse(401)),
    "429, come again in 2 s": all_are(Refuse(429, retry_after_s=2)),
    "connections reset": all_are(Break(forward=False)),
    "answers cut off": Trouble(lambda request: None if request.is_watch else CutShort()),
    "writes carried out, answers lost": Trouble(lambda request: Break(forward=True) if request.is_work else None),
    "no answers": all_are(Swallow()),
    "watches 403": watches_are(Refuse(403)),
    "watches 404": watches_are(Refuse(404)),
    "watches cut off in an event": once(lambda faults: faults.end_watches(PARTLY)),
    "watches too old": once(lambda faults: faults.inject(410, "Expired")),
    "watches in error": once(lambda faults: faults.inject(500, "InternalError")),
    "one watch in error": once(lambda faults: faults.inject(500, "InternalError", "videojobs")),
    "watches silent": once(ApiFaults.freeze),
}


def lives_through(world: ControllerWorld, running: RunningController, problem: Trouble, about: str, name: str) -> float:
    """Seconds that the controller took for a job that was made in the problem, from the end of that."""
    world.played.works = False
    before, during = f"{name}-before", f"{name}-during"
    uids = {before: world.start(before)}
    running.wait("work before the problem", lambda: world.reason(before) == "Processing")
    world.faults.rule = problem.rule
    assert problem.begins(world.faults)
    began_s = time.monotonic()
    uids[during] = world.start(during)
    world.played.works = True
    running.wait(about, lambda: time.monotonic() - began_s >= problem.lasts_s, 2 * OUTAGE_S)
    world.faults.rule = lambda _request: None
    ended_s = time.monotonic()
    running.wait(f"the end of a job made during {about}", partial(world.has_ended, during), WITHIN_S)
    again_s = time.monotonic() - ended_s
    running.wait(f"the end of a job made before {about}", partial(world.has_ended, before), WITHIN_S)
    for one, uid in uids.items():
        world.demand_right_end(one, uid, about)
    return again_s


@pytest.mark.parametrize("about", PROBLEMS)
def test_a_controller_works_again_soon_after(
    world: ControllerWorld, running: RunningController, about: str, record_property: Callable[[str, object], None]
) -> None:
    name = f"problem-{list(PROBLEMS).index(about)}"
    record_property("again_s", round(lives_through(world, running, PROBLEMS[about], about, name), 1))
    assert running.ok("/healthz")


USUAL = {"503": replace(PROBLEMS["503"], lasts_s=OUTAGE_S), "watches silent": PROBLEMS["watches silent"]}


@pytest.fixture(scope="module", autouse=True)
def usual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[float]]]:
    """Seconds as of `lives_through` with the usual times, of a controller in a world of its own for each problem.

    They take minutes, nearly all of which are waits: those of the other tests pass meanwhile.
    """
    with ExitStack() as stack:
        made = {
            about: stack.enter_context(controller_world(tmp_path_factory.mktemp("usual"), fresh_apiserver))
            for about in USUAL
        }
        pool = stack.enter_context(ThreadPoolExecutor(len(USUAL)))
        yield {about: pool.submit(lives_through_as_usual, world, about) for about, world in made.items()}


def lives_through_as_usual(world: ControllerWorld, about: str) -> float:
    with watching_controller(world) as running:
        again_s = lives_through(world, running, USUAL[about], about, "usual")
        assert running.ok("/healthz")
    return again_s


@pytest.mark.parametrize("about", USUAL)
def test_a_controller_with_the_usual_times_works_again_within_a_minute(
    usual: Mapping[str, Future[float]], about: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("again_s", round(usual[about].result(), 1))
