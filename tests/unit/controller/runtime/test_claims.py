"""Claims: of all installations of one controllerName one serves a namespace, and the others name it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from support.job_desk import JobDesk
from videojob.controller.runtime.claims import Claims
from videojob.controller.runtime.scope import STALE_S, Scope
from videojob.kube.kinds import LEASES

TEAM = "team-a"


def a_job_of(namespace: str, name: str = "lobby") -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": name, "uid": f"uid-{name}"}}


A_JOB = a_job_of(TEAM)


class Installations:
    """Several on one cluster, each with a scope of its own, which share its claims and nothing else."""

    def __init__(self) -> None:
        self.cluster, self.clock = FakeCluster(), FakeClock()
        self.told: list[tuple[str, str, str]] = []
        self.scopes: list[Scope] = []

    def one(self, namespace: str, name: str = "videojob") -> Claims:
        def told(served: str, holder: str) -> None:
            self.told.append((namespace, served, holder))

        installation = f"{namespace}/videojob-controller"
        scope = Scope(self.cluster, self.clock, f"videojob-scope-{name}.{namespace}", ("default",), installation)
        assert scope.step()
        self.scopes.append(scope)
        return Claims(self.cluster, self.clock, name, scope, told)

    def pass_s(self, seconds: float) -> None:
        self.clock.seconds += seconds
        for scope in self.scopes:
            scope.step()

    def writes(self) -> int:
        """Of claims."""
        wrote = {"create", "replace"}
        return sum(verb in wrote and name.startswith("videojob-claim-") for verb, _, name in self.cluster.calls)


@pytest.fixture
def world() -> Installations:
    return Installations()


def answers(claims: Iterable[Claims]) -> list[bool]:
    return [one.holds(A_JOB) for one in claims]


def test_the_first_of_two_serves_a_namespace_and_the_other_names_it(world: Installations) -> None:
    first, second = world.one("platform"), world.one("team-b-system")
    for _ in range(20):
        assert answers([first, second]) == [True, False]
        world.pass_s(30)
    assert second.foreign == {TEAM: "platform/videojob-controller"}
    assert first.foreign == {}
    assert world.told == [("team-b-system", TEAM, "platform/videojob-controller")]
    assert second.holds(a_job_of("team-b"))
    assert not first.holds(a_job_of("team-b"))


def test_processes_of_one_installation_go_on_with_its_claims(world: Installations) -> None:
    assert world.one("platform").holds(A_JOB)
    assert world.one("platform").holds(A_JOB), "as after an upgrade, which ends one process before the next begins"
    assert world.told == []


def test_installations_of_different_names_serve_the_same_namespace(world: Installations) -> None:
    assert answers([world.one("platform"), world.one("platform-2", "trial")]) == [True, True]
    assert [name for name in world.cluster.names(LEASES) if "claim" in name] == [
        "videojob-claim-trial",
        "videojob-claim-videojob",
    ]


def test_the_claim_of_one_that_is_gone_is_taken_when_it_has_stood_unrenewed(world: Installations) -> None:
    gone, heir = world.one("platform"), world.one("heir")
    assert gone.holds(A_JOB)
    held = []
    for _ in range(int(STALE_S / 30) + 2):
        held.append(heir.holds(A_JOB))
        world.pass_s(30)
    assert held == sorted(held)
    assert held[-1]
    assert not held[int(STALE_S / 30) - 1]
    assert world.told[-1] == ("heir", TEAM, "")
    assert heir.foreign == {}
    assert not gone.holds(A_JOB), "one that comes back asks before it goes on"


def test_a_look_costs_no_request_while_the_answer_is_fresh(world: Installations) -> None:
    claims = world.one("platform")
    assert claims.holds(A_JOB)
    made = len(world.cluster.calls)
    for _ in range(100):
        assert claims.holds(A_JOB)
    assert len(world.cluster.calls) == made
    world.pass_s(61)
    assert claims.holds(A_JOB)
    assert world.writes() == 2


def test_a_claim_goes_with_the_videojobs_and_moves_to_one_that_stays(world: Installations) -> None:
    claims = world.one("platform")

    def owners() -> list[str]:
        stored = world.cluster.stored[LEASES.plural, TEAM, "videojob-claim-videojob"]
        return [one["uid"] for one in stored["metadata"]["ownerReferences"]]

    assert claims.holds(A_JOB)
    assert claims.holds(a_job_of(TEAM, "another"))
    assert owners() == ["uid-lobby"]
    claims.gone(TEAM)
    assert claims.holds(a_job_of(TEAM, "another"))
    assert owners() == ["uid-another"]
    claims.gone("nowhere")


def test_a_namespace_that_nobody_looks_at_any_more_is_not_named_for_ever(world: Installations) -> None:
    other, mine = world.one("platform"), world.one("mine")
    assert answers([other, mine]) == [True, False]
    world.pass_s(600)
    assert mine.foreign == {}


def test_a_lease_of_the_claim_s_name_that_nobody_holds_is_taken(world: Installations) -> None:
    empty = {"metadata": {"name": "videojob-claim-videojob", "namespace": TEAM, "labels": {}}, "spec": {}}
    world.cluster.create(LEASES, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **empty})
    assert world.one("platform").holds(A_JOB)


def test_a_videojob_of_another_controller_name_is_left_alone() -> None:
    desk = JobDesk()
    desk.start({"controllerName": "another"})
    assert desk.look() is None
    assert (desk.jobs, desk.status, desk.changed) == ([], {}, [])
    desk.use(replace(desk.installation, controller_name="another"))
    desk.look()
    assert len(desk.jobs) == 1


def test_a_videojob_that_names_no_controller_is_the_default_one_s() -> None:
    desk = JobDesk()
    desk.start()
    desk.use(replace(desk.installation, controller_name="another"))
    assert desk.look() is None
    assert desk.jobs == []


def test_a_job_in_a_namespace_of_another_installation_is_left_alone_and_looked_at_again() -> None:
    desk = JobDesk()
    desk.let_work()
    assert desk.demands.jobs
    before = [dict(one) for one in desk.jobs]
    desk.reconciler.serves = lambda _job: False
    again_s = desk.look()
    assert again_s is not None
    assert again_s > 0
    assert not desk.demands.jobs, "no server is kept here for work that is done elsewhere"
    assert desk.jobs == before
