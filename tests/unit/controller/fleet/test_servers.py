"""Servers as they are looked at and sized: made with their first job, at zero without one, removed in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from support.decisions import INSTALLATION, a_catalogue
from support.fake_cluster import FakeCluster
from support.job_desk import SERVER, TableClock
from videojob.controller.fleet.demands import Demands
from videojob.controller.fleet.servers import ServerObserver, ServerReconciler
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import DEPLOYMENTS, PODS, SERVICES, Kind
from videojob.kube.names import COMPONENT, server_name
from videojob.planning.fleet.replicas import REMOVE_S
from videojob.planning.installation import Installation
from videojob.planning.state.desired import ServerDemand
from videojob.ports.cluster import Object

JOB = ("team", "entrance")
NAME = server_name(SERVER)
NAMESPACE = "videojob-system"


class ServerDesk:
    """A server reconciler between a cluster in memory and demands."""

    def __init__(self, installation: Installation = INSTALLATION) -> None:
        self.clock, self.cluster, self.demands = TableClock(), FakeCluster(), Demands()
        self.demands.expect([])
        self.use(installation)

    def use(self, installation: Installation) -> None:
        self.servers = ServerObserver(self.cluster, installation, self.clock)
        self.reconciler = ServerReconciler(self.cluster, installation, self.clock, self.demands, self.servers)

    def ask(self, speed: int | None = 1) -> None:
        self.demands.set(JOB, None if speed is None else ServerDemand(SERVER, Fraction(speed), 100))

    def observe(self, after_s: float = 0.0) -> float | None:
        self.clock.seconds += after_s
        return self.reconciler.reconcile(SERVER)

    @property
    def deployment(self) -> dict[str, Any] | None:
        return self.cluster.stored.get((DEPLOYMENTS.plural, NAMESPACE, NAME))

    @property
    def replicas(self) -> int | None:
        found = self.deployment
        return None if found is None else int(found["spec"]["replicas"])


def test_a_server_is_made_with_its_first_job_service_first_and_removed_an_hour_after_the_last() -> None:
    desk = ServerDesk()
    assert desk.observe() is None
    assert desk.cluster.calls == [("get", "deployments", NAME)]
    desk.ask()
    desk.observe()
    assert [one for one in desk.cluster.calls if one[0] == "apply"] == [
        ("apply", "services", NAME),
        ("apply", "deployments", NAME),
    ]
    assert desk.replicas == 1
    desk.ask(None)
    assert desk.observe() == pytest.approx(60, abs=1)
    assert desk.observe(61) == REMOVE_S
    assert desk.replicas == 0
    writes = desk.cluster.count("apply", DEPLOYMENTS)
    assert desk.observe(REMOVE_S - 5) == pytest.approx(5, abs=1)
    assert desk.cluster.count("apply", DEPLOYMENTS) == writes, "nothing changed"
    desk.observe(5)
    assert desk.deployment is None
    assert [one for one in desk.cluster.calls if one[0] == "delete"] == [
        ("delete", "services", NAME),
        ("delete", "deployments", NAME),
    ]
    desk.ask()
    desk.observe()
    assert (desk.replicas, desk.cluster.names(SERVICES)) == (1, [NAME])


def test_a_server_whose_removal_was_cut_off_gets_its_service_back_with_the_next_job() -> None:
    desk = ServerDesk()
    desk.ask()
    desk.observe()
    desk.ask(None)
    desk.observe()
    desk.observe(61)

    def refuse(verb: str, kind: Kind, _name: str) -> Exception | None:
        return ClusterUnavailable("away") if (verb, kind) == ("delete", DEPLOYMENTS) else None

    desk.cluster.refuse = refuse
    with pytest.raises(ClusterUnavailable):
        desk.observe(REMOVE_S)
    assert (desk.replicas, desk.cluster.names(SERVICES)) == (0, [])
    desk.ask()
    desk.observe()
    assert (desk.replicas, desk.cluster.names(SERVICES)) == (1, [NAME])


def test_a_job_within_the_hour_starts_it_anew() -> None:
    desk = ServerDesk()
    for _ in range(3):
        desk.ask()
        desk.observe()
        desk.ask(None)
        desk.observe()
        desk.observe(61)
        desk.observe(REMOVE_S - 1)
        assert desk.replicas == 0
    assert desk.cluster.count("delete", DEPLOYMENTS) == 0


def test_nothing_shrinks_or_goes_before_every_job_was_looked_at() -> None:
    desk = ServerDesk()
    desk.ask()
    desk.observe()
    desk.ask(None)
    desk.observe()
    desk.demands = Demands()
    desk.demands.expect([JOB])
    desk.use(INSTALLATION)
    desk.observe(10 * REMOVE_S)
    assert desk.replicas == 1
    desk.demands.set(JOB, None)
    desk.observe()
    assert desk.replicas == 0


@pytest.mark.parametrize(
    "installation", [a_catalogue(models={}), a_catalogue(accelerators={"gpu": INSTALLATION.accelerators["gpu"]})]
)
def test_what_is_not_offered_any_more_is_at_zero_at_once_and_removed_later(installation: Installation) -> None:
    desk = ServerDesk()
    desk.ask()
    desk.observe()
    desk.use(installation)
    desk.observe()
    assert desk.replicas == 0
    desk.observe(REMOVE_S)
    assert desk.deployment is None
    desk.observe()
    assert desk.deployment is None


def test_every_server_is_known_by_what_its_deployment_carries() -> None:
    desk = ServerDesk()
    desk.ask()
    desk.observe()
    stranger = {"metadata": {"name": "other", "namespace": NAMESPACE, "labels": {COMPONENT: "server"}}, "spec": {}}
    desk.cluster.put(DEPLOYMENTS, stranger)
    assert desk.reconciler.listed() == [SERVER]


# What is read of a server.


def test_many_looks_within_a_second_are_one_read() -> None:
    desk = ServerDesk()
    desk.ask()
    desk.observe()
    desk.cluster.calls.clear()
    for _ in range(5):
        seen = desk.servers.observe(SERVER)
        assert seen is not None
        assert seen.replicas == 1
    assert desk.cluster.count("get", DEPLOYMENTS) == 1
    desk.servers.observe(SERVER, fresh=True)
    assert desk.cluster.count("get", DEPLOYMENTS) == 2
    desk.clock.seconds += 1.0
    desk.servers.observe(SERVER)
    assert desk.cluster.count("get", DEPLOYMENTS) == 3


def test_an_event_ends_what_was_remembered() -> None:
    desk = ServerDesk()
    assert desk.servers.observe(SERVER) is None
    desk.ask()
    desk.observe()
    assert desk.servers.observe(SERVER) is None
    desk.servers.forget(SERVER)
    assert desk.servers.observe(SERVER) is not None


def test_what_was_read_while_an_event_came_is_not_remembered() -> None:
    desk = ServerDesk()
    desk.ask()
    desk.observe()
    servers = desk.servers

    class EventInTheMiddle(FakeCluster):
        """An event comes while pods are listed."""

        def list(
            self,
            kind: Kind,
            namespace: str | None = None,
            *,
            labels: str = "",
            fields: str = "",
            most: int | None = None,
        ) -> Iterator[Object]:
            if kind == PODS:
                servers.forget(SERVER)
            return super().list(kind, namespace, labels=labels, fields=fields, most=most)

    servers.cluster = EventInTheMiddle(stored=desk.cluster.stored)
    assert servers.observe(SERVER) is not None
    servers.cluster = FakeCluster()
    assert servers.observe(SERVER) is None, "read again"


def test_another_server_is_not_forgotten() -> None:
    desk = ServerDesk()
    desk.servers.observe(SERVER)
    desk.servers.forget(replace(SERVER, accelerator="gpu"))
    desk.servers.observe(SERVER)
    assert desk.cluster.count("get", DEPLOYMENTS) == 1


@pytest.mark.parametrize("kind", [SERVICES, DEPLOYMENTS])
def test_jobs_are_told_what_the_api_server_refuses_of_their_server_until_it_does_no_more(kind: Kind) -> None:
    desk = ServerDesk()
    desk.ask()
    words = ClusterRefused("403 exceeded quota: small")

    def refuse(verb: str, asked: Kind, _name: str) -> Exception | None:
        return words if (verb, asked) == ("apply", kind) else None

    desk.cluster.refuse = refuse
    for _ in range(2):
        with pytest.raises(ClusterRefused):
            desk.observe(60)
    seen = desk.servers.observe(SERVER)
    assert seen is not None
    assert seen.problem is not None
    assert (seen.replicas, seen.problem.kind, seen.problem.message) == (0, "refused", "403 exceeded quota: small")
    assert seen.problem.since_s == pytest.approx(desk.clock.now_s() - 60, abs=1), "since the first time"
    desk.cluster.refuse = lambda _verb, _kind, _name: None
    desk.observe(60)
    again = desk.servers.observe(SERVER, fresh=True)
    assert again is not None
    assert (again.replicas, again.problem) == (1, None)
