"""One controller at a time: who holds the Lease, for how long, and when another one may take it."""

from __future__ import annotations

from typing import Any

import pytest

from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from videojob.controller.runtime.lease import Lease
from videojob.errors import ClusterUnavailable
from videojob.kube.kinds import LEASES, Kind
from videojob.kube.names import LEASE
from videojob.ports.cluster import AlreadyThere, ClusterConflict

LENGTH_S = 30.0


class World:
    """A cluster, and the leases of two controllers that look at it, each with a clock of its own."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.clocks = {name: FakeClock() for name in "ab"}
        self.a, self.b = (Lease(self.cluster, self.clocks[name], "system", name, LENGTH_S) for name in "ab")

    def pass_s(self, seconds: float) -> None:
        for clock in self.clocks.values():
            clock.seconds += seconds

    @property
    def spec(self) -> dict[str, Any]:
        return dict(self.cluster.stored[LEASES.plural, "system", LEASE]["spec"])

    def refuse(self, *verbs: str, error: Exception | None = None) -> None:
        wanted = ClusterUnavailable("away") if error is None else error

        def refuse(verb: str, kind: Kind, _name: str) -> Exception | None:
            return wanted if verb in verbs and kind == LEASES else None

        self.cluster.refuse = refuse


def test_the_first_takes_it_and_the_second_waits_and_knows_for_whom() -> None:
    world = World()
    assert world.a.step()
    assert not world.b.step()
    assert (world.a.holder, world.b.holder) == ("", "a")
    assert (world.spec["holderIdentity"], world.spec["leaseDurationSeconds"]) == ("a", 30)
    assert world.spec["leaseTransitions"] == 1


def test_a_lease_that_is_renewed_is_never_taken() -> None:
    world = World()
    for _ in range(100):
        assert world.a.step()
        assert not world.b.step()
        world.pass_s(world.a.renew_every_s)


@pytest.mark.parametrize(("silent_s", "taken"), [(29.0, False), (31.0, True)])
def test_a_lease_that_nobody_renews_is_taken_after_its_length(silent_s: float, taken: bool) -> None:
    world = World()
    world.a.step()
    world.b.step()
    world.pass_s(silent_s)
    assert world.b.step() == taken
    if taken:
        assert (world.spec["holderIdentity"], world.spec["leaseTransitions"]) == ("b", 2)
        assert not world.a.step()
        assert world.a.left_s == 0.0


def test_what_counts_is_how_long_the_record_was_seen_not_what_it_says_of_the_time() -> None:
    world = World()
    world.clocks["a"].seconds = 0.0
    world.clocks["b"].seconds = 10**6
    world.a.step()
    assert not world.b.step(), "it has seen it only now"
    world.pass_s(10)
    assert not world.b.step()


@pytest.mark.parametrize(("after_s", "left_s"), [(0.0, 20.0), (15.0, 5.0), (19.9, 0.1), (20.1, 0.0), (3600.0, 0.0)])
def test_a_holder_gives_up_well_before_anybody_else_may_take_it(after_s: float, left_s: float) -> None:
    world = World()
    world.a.step()
    world.pass_s(after_s)
    assert world.a.left_s == pytest.approx(left_s, abs=0.01)
    assert world.a.holds == (left_s > 0)
    assert not world.b.holds


def test_a_holder_that_cannot_reach_the_api_keeps_it_for_a_while_and_gets_it_back_after() -> None:
    world = World()
    world.a.step()
    world.refuse("get")
    world.pass_s(10)
    assert world.a.step()
    world.pass_s(11)
    assert not world.a.step()
    world.refuse()
    assert world.a.step()
    assert world.spec["leaseTransitions"] == 1, "it was its own all the time"


@pytest.mark.parametrize(
    ("verb", "error"),
    [("replace", ClusterConflict("changed")), ("create", AlreadyThere("made")), ("get", ClusterUnavailable("away"))],
)
def test_who_loses_the_race_does_not_hold_it(verb: str, error: Exception) -> None:
    world = World()
    if verb == "replace":
        world.a.step()
        world.a.release()
    world.refuse(verb, error=error)
    assert not world.b.step()
    assert not world.b.holds


def test_a_lease_that_is_let_go_is_taken_at_once() -> None:
    world = World()
    world.a.step()
    world.b.step()
    world.a.release()
    assert not world.a.holds
    assert world.b.step()


@pytest.mark.parametrize("error", [ClusterUnavailable("away"), ClusterConflict("changed")])
def test_a_release_that_fails_only_makes_the_next_one_wait(error: Exception) -> None:
    world = World()
    world.a.step()
    world.b.step()
    world.refuse("replace", error=error)
    world.a.release()
    world.refuse()
    assert not world.a.holds
    assert not world.b.step()
    world.pass_s(31)
    assert world.b.step()


def test_only_ones_own_lease_is_let_go() -> None:
    world = World()
    world.a.step()
    world.b.release()
    assert world.spec["holderIdentity"] == "a"
    world.b.step()
    world.pass_s(31)
    world.b.step()
    world.a.release()
    assert world.spec["holderIdentity"] == "b"
