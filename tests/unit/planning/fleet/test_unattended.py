"""The dead-man's switch: servers stop when no controller has renewed its Lease for long, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from support.decisions import NOW_S
from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from videojob.controller.fleet.unattended import stop_unattended
from videojob.controller.runtime.lease import Lease
from videojob.errors import ClusterUnavailable
from videojob.kube.kinds import DEPLOYMENTS, LEASES
from videojob.kube.names import COMPONENT, IDLE_SINCE, LEASE, MANAGED_BY, MANAGER
from videojob.planning.fleet.unattended import Billed, servers_to_stop

SYSTEM, AFTER_S = "videojob-system", 1800.0
OLD, NEW = Billed("old", 2, NOW_S - 86_400), Billed("new", 1, NOW_S - 60)
IDLE, EMPTY = Billed("idle", 1, NOW_S - AFTER_S), Billed("empty", 0, 0.0)


@pytest.mark.parametrize(
    ("renewed_ago_s", "stopped"),
    [
        (0, ()),
        (AFTER_S - 1, ()),
        (AFTER_S, ("old", "new", "idle")),
        (30 * 86_400, ("old", "new", "idle")),
        (-600, ()),  # the controller's clock is ahead
        (None, ("old", "idle")),
    ],
)
def test_servers_stop_when_nobody_renews_the_lease(renewed_ago_s: float | None, stopped: tuple[str, ...]) -> None:
    renewed_s = None if renewed_ago_s is None else NOW_S - renewed_ago_s
    assert servers_to_stop(renewed_s, [OLD, NEW, IDLE, EMPTY], now_s=NOW_S, after_s=AFTER_S) == stopped


def a_server(name: str, replicas: int = 1, *, component: str = "server", **annotations: str) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": SYSTEM,
        "labels": {MANAGED_BY: MANAGER, COMPONENT: component},
        "annotations": annotations,
        "creationTimestamp": "2023-11-01T00:00:00Z",
    }
    return {"metadata": metadata, "spec": {"replicas": replicas}}


class Place:
    """A cluster with a controller's Lease, its servers and its own Deployment."""

    def __init__(self) -> None:
        self.cluster, self.clock = FakeCluster(), FakeClock()
        for made in (a_server("triton-a", 3), a_server("triton-b", 0), a_server("controller", component="controller")):
            self.cluster.put(DEPLOYMENTS, made)

    def stops(self) -> tuple[str, ...]:
        return stop_unattended(self.cluster, self.clock, SYSTEM, after_s=AFTER_S)

    def replicas(self, name: str) -> int:
        return int(self.cluster.stored["deployments", SYSTEM, name]["spec"]["replicas"])

    def lease(self) -> Lease:
        return Lease(self.cluster, self.clock, SYSTEM, "controller-1")


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_controller_that_lives_keeps_its_servers(place: Place) -> None:
    lease = place.lease()
    for _ in range(4):
        assert lease.step()
        assert place.stops() == ()
        place.clock.seconds += AFTER_S - 1


def test_when_it_is_gone_they_stop_and_nothing_else_does(place: Place) -> None:
    assert place.lease().step()
    place.clock.seconds += AFTER_S
    assert place.stops() == ("triton-a",)
    assert (place.replicas("triton-a"), place.replicas("controller")) == (0, 1)
    assert place.stops() == (), "once is enough"
    assert {(verb, kind) for verb, kind, _ in place.cluster.calls if verb not in {"create", "replace"}} == {
        ("get", "leases"),
        ("list", "deployments"),
        ("patch", "deployments"),
    }


def test_one_that_comes_back_is_left_alone(place: Place) -> None:
    lease = place.lease()
    assert lease.step()
    place.clock.seconds += 10 * AFTER_S
    assert lease.step()
    assert place.stops() == ()


@pytest.mark.parametrize("lease", [None, {"spec": {}}, {"spec": {"renewTime": None}}])
@pytest.mark.parametrize(("idle_ago_s", "stopped"), [(None, ("triton-a",)), (10, ()), (AFTER_S, ("triton-a",))])
def test_without_a_renewal_the_servers_own_age_counts(
    place: Place, lease: dict[str, Any] | None, idle_ago_s: float | None, stopped: tuple[str, ...]
) -> None:
    if lease is not None:
        place.cluster.put(LEASES, {"metadata": {"name": LEASE, "namespace": SYSTEM}, **lease})
    if idle_ago_s is not None:
        idle = {IDLE_SINCE: f"{place.clock.now_s() - idle_ago_s:.0f}"}
        place.cluster.put(DEPLOYMENTS, a_server("triton-a", 3, **idle))
    assert place.stops() == stopped


def test_an_api_server_that_is_away_stops_nothing(place: Place) -> None:
    place.cluster.refuse = lambda verb, kind, _: ClusterUnavailable("away") if kind == LEASES else None
    with pytest.raises(ClusterUnavailable):
        place.stops()
    assert place.replicas("triton-a") == 3
