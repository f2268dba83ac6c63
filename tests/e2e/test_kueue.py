"""VideoJobs in a queue of the real Kueue: held until it lets them in, held again when it takes them out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from support.apiserver import fresh_apiserver
from support.cluster.processes import wait_for
from support.controller_world import CHILDREN, JOBS, TEAM, ControllerWorld, controller_world
from support.controllers import RunningController
from support.kueue import Kueue, running_kueue

pytestmark = pytest.mark.timeout(3600)  # the first run may have to build Kubernetes and Kueue
QUEUE = "gpus"
PATIENCE_S = 120.0
LABELS = {"kueue.x-k8s.io/queue-name": QUEUE}


@dataclass(frozen=True, slots=True)
class Queued:
    """A controller and Kueue on one apiserver, with a queue for one worker at a time."""

    world: ControllerWorld
    kueue: Kueue
    controller: RunningController

    def start(self, name: str) -> str:
        return self.world.start(name, labels=LABELS, compute={"limits": {"workers": 1}})

    def until(self, name: str, reason: str) -> None:
        """Waits for a VideoJob's word."""
        self.controller.wait(f"{name} {reason}", lambda: self.world.reason(name) == reason, PATIENCE_S)

    def condition(self, name: str, kind: str) -> tuple[str, str]:
        conditions = {one["type"]: one for one in self.world.status(name).get("conditions", ())}
        return conditions[kind]["status"], conditions[kind]["reason"]

    def work(self, name: str) -> list[tuple[str, bool]]:
        """(uid, is held) of each Job of workers."""
        return [
            (one["metadata"]["uid"], bool(one["spec"].get("suspend")))
            for one in self.world.children(name)
            if one["metadata"]["labels"]["app.kubernetes.io/component"] == "worker"
        ]

    def admitted(self) -> int:
        """How many Jobs Kueue lets work now."""
        return sum(
            any(one["type"] == "Admitted" and one["status"] == "True" for one in workload["status"]["conditions"])
            and not any(one["type"] == "Finished" for one in workload["status"]["conditions"])
            for workload in self.kueue.workloads(TEAM)
            if "conditions" in workload.get("status", {})
        )


@pytest.fixture(scope="module")
def queued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queued]:
    folder = tmp_path_factory.mktemp("kueue")
    with (
        # Never in a cluster of somebody's own: its webhooks are at an address of this machine.
        controller_world(folder, fresh_apiserver) as world,
        running_kueue(folder / "kueue", world.client) as kueue,
        world.controller() as controller,
    ):
        kueue.make_queue(QUEUE, TEAM, cpus=1)
        controller.ready()
        yield Queued(world, kueue, controller)


@pytest.fixture(autouse=True)
def an_empty_queue(queued: Queued) -> Iterator[None]:
    """Open, with workers that take until they are resumed."""
    queued.world.played.works = False
    yield
    queued.world.played.works = True
    queued.world.client.delete(JOBS)
    queued.world.client.delete(CHILDREN, params={"propagationPolicy": "Background"})
    queued.kueue.hold(QUEUE, "None")

    def is_empty() -> bool:
        queued.kueue.collect_garbage(TEAM, CHILDREN)
        return not queued.kueue.workloads(TEAM) and not queued.world.client.get(JOBS).json()["items"]

    wait_for("an empty queue", is_empty)


def test_a_job_waits_until_kueue_lets_it_in_and_the_next_one_until_there_is_room(queued: Queued) -> None:
    queued.kueue.hold(QUEUE, "Hold")
    first = queued.start("first")
    queued.until("first", "Queued")
    wait_for("its workload", lambda: len(queued.kueue.workloads(TEAM)) == 1)
    assert [held for _, held in queued.work("first")] == [True]
    # "Queued" is also the word of a job that waits for its table at first, and a status is written every 5 s at most.
    held = partial(queued.condition, "first", "Suspended")
    queued.controller.wait("its condition", lambda: held() == ("True", "Queued"), PATIENCE_S)
    assert queued.world.replicas() in {None, 0}, "no server waits for a job that waits"

    queued.kueue.hold(QUEUE, "None")
    queued.until("first", "Processing")
    assert [held for _, held in queued.work("first")] == [False]

    second = queued.start("second")
    queued.until("second", "Queued")
    wait_for("its workload", lambda: len(queued.kueue.workloads(TEAM)) == 2)
    assert queued.admitted() == 1
    assert [held for _, held in queued.work("second")] == [True]

    queued.world.played.works = True
    for name, uid in (("first", first), ("second", second)):
        queued.until(name, "Completed")
        assert {run for run in queued.world.played.begun if run[0] == f"{TEAM}.{uid}"} == {(f"{TEAM}.{uid}", 1)}
        assert len(queued.work(name)) == 1


def test_a_job_that_kueue_takes_out_comes_back_with_the_same_work(queued: Queued) -> None:
    uid = queued.start("taken")
    queued.until("taken", "Processing")
    ((job, _),) = queued.work("taken")

    queued.kueue.hold(QUEUE, "HoldAndDrain")
    queued.until("taken", "Queued")
    assert queued.work("taken") == [(job, True)]
    queued.controller.wait("the server at zero", lambda: queued.world.replicas() == 0, PATIENCE_S)

    queued.kueue.hold(QUEUE, "None")
    queued.until("taken", "Processing")
    assert queued.work("taken") == [(job, False)]
    queued.world.played.works = True
    queued.until("taken", "Completed")
    assert queued.world.status("taken")["epoch"] == 1
    assert {run for run in queued.world.played.begun if run[0] == f"{TEAM}.{uid}"} == {(f"{TEAM}.{uid}", 1)}


def test_suspend_takes_the_job_out_of_the_queue_and_resume_puts_it_back(queued: Queued) -> None:
    queued.start("held")
    queued.until("held", "Processing")
    ((before, _),) = queued.work("held")

    queued.world.change(f"{JOBS}/held", {"spec": {"suspend": True}})
    queued.until("held", "Suspended")
    assert queued.work("held") == [], "Kueue would resume a Job that is there"
    queued.kueue.collect_garbage(TEAM, CHILDREN)
    wait_for("room in the queue", lambda: queued.admitted() == 0)

    queued.start("other")
    queued.until("other", "Processing")
    queued.world.change(f"{JOBS}/held", {"spec": {"suspend": False}})
    queued.until("held", "Queued")
    ((after, held),) = queued.work("held")
    assert after != before
    assert held
    queued.world.played.works = True
    for name in ("other", "held"):
        queued.until(name, "Completed")
