"""Scopes: of all installations of one controllerName and one scope one serves, and the others serve nothing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from videojob.controller.runtime.claims import Claims
from videojob.controller.runtime.event_poster import EventPoster
from videojob.controller.runtime.notices import Notices
from videojob.controller.runtime.scope import STALE_S, Place, Scope, Verdict, judge
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import EVENTS, LEASES, ROLES, Kind
from videojob.kube.names import scope_name, scope_places
from videojob.ports.cluster import Object

NAME = "videojob-scope-videojob"
HERE, THERE = "one/videojob-controller", "two/videojob-controller"


class World:
    """Two installations on one cluster, each with a clock of its own."""

    def __init__(self, places: Sequence[str] = ("default",), others: Sequence[str] | None = None) -> None:
        self.cluster = FakeCluster()
        self.told: list[tuple[str, str]] = []
        self.clocks = (FakeClock(), FakeClock())
        self.clocks[1].seconds = 1_000_000.0
        self.one = self.installation(0, HERE, places)
        self.two = self.installation(1, THERE, places if others is None else others)
        self.claims = [Claims(self.cluster, one.clock, "videojob", one) for one in (self.one, self.two)]

    def installation(self, clock: int, name: str, places: Sequence[str], scope: str = NAME) -> Scope:
        def told(holder: str) -> None:
            self.told.append((name, holder))

        return Scope(self.cluster, self.clocks[clock], scope, tuple(places), name, notify=told)

    def pass_s(self, seconds: float) -> None:
        for clock in self.clocks:
            clock.seconds += seconds

    def close(self, namespace: str) -> None:
        """A namespace goes, and what lies in it."""
        for key in [key for key in self.cluster.stored if key[1] == namespace]:
            del self.cluster.stored[key]
        create = self.cluster.create

        def making(kind: Kind, value: Object) -> Object:
            if value["metadata"]["namespace"] == namespace:
                raise ClusterRefused("namespace not found")
            return create(kind, value)

        self.cluster.create = making  # type: ignore[method-assign]

    def serve(self) -> list[bool]:
        """Whether each of them serves a job in some namespace."""
        job = {"metadata": {"namespace": "team-a", "name": "lobby", "uid": "uid-lobby"}}
        return [claims.holds(job) for claims in self.claims]


def test_one_of_two_serves_and_the_other_serves_nothing_and_names_it() -> None:
    world = World()
    for _ in range(50):
        assert world.one.step()
        assert not world.two.step()
        assert world.serve() == [True, False]
        world.pass_s(60)
    assert world.one.refused == ""
    assert HERE in world.two.refused
    assert set(world.told) == {(THERE, HERE)}
    assert [name for name in world.cluster.names(LEASES) if "claim" in name] == ["videojob-claim-videojob"]


def test_nothing_is_served_before_it_is_known_who_serves_the_scope() -> None:
    world = World()
    assert not world.one.holds
    assert world.one.refused
    assert world.serve() == [False, False]


def test_another_process_of_the_installation_goes_on() -> None:
    world = World()
    assert world.one.step()
    assert world.installation(0, HERE, ("default",)).step()
    assert not world.two.step()


def test_the_heir_of_a_dead_installation_serves_its_namespaces_too() -> None:
    world = World()
    assert world.one.step()
    assert world.serve() == [True, False]
    served_s: list[float] = []
    for at_s in range(0, int(STALE_S) + 400, 10):
        world.two.step()
        if world.serve()[1]:
            served_s.append(at_s)
        world.pass_s(10)
    assert STALE_S <= served_s[0] <= STALE_S + 130, "not the whole time again for each claim"
    assert world.told[-1] == (THERE, "")
    assert not world.one.step(), "one that comes back leaves it"
    assert world.serve() == [False, True]
    assert THERE in world.one.refused


def test_an_installation_that_cannot_renew_stops_before_another_begins() -> None:
    world = World()
    assert world.one.step()
    assert not world.two.step()
    world.cluster.refuse = lambda *_: ClusterUnavailable("away")
    stopped_s = None
    for at_s in range(0, int(STALE_S), 30):
        if not world.one.step() and stopped_s is None:
            stopped_s = at_s
        assert not world.two.step()
        world.pass_s(30)
    assert stopped_s is not None
    assert stopped_s < STALE_S - 120
    assert "cannot be renewed" in world.one.refused
    world.cluster.refuse = lambda *_: None
    assert world.two.step()
    assert not world.one.step()


def test_whoever_lost_a_race_for_the_lease_sees_who_won_at_once() -> None:
    world = World()
    won: list[bool] = []
    create = world.cluster.create

    def slow(kind: Kind, value: Object) -> Object:
        world.cluster.create = create  # type: ignore[method-assign]
        won.append(world.two.step())  # between the read of the one and its write
        return create(kind, value)

    world.cluster.create = slow  # type: ignore[method-assign]
    assert not world.one.step()
    assert won == [True]
    assert THERE in world.one.refused


def test_scopes_that_merely_overlap_divide_their_namespaces_as_before() -> None:
    world = World()
    other = world.installation(1, THERE, ("team-a",), "videojob-scope-videojob.1a2b3c4d")
    assert world.one.step()
    assert other.step()
    claims = Claims(world.cluster, world.clocks[1], "videojob", other)
    job = {"metadata": {"namespace": "team-a", "name": "lobby", "uid": "uid-lobby"}}
    assert claims.holds(job)
    assert not world.claims[0].holds(job)
    assert world.claims[0].foreign == {"team-a": THERE}
    assert world.claims[0].holds({"metadata": {"namespace": "team-b", "name": "lobby", "uid": "uid-b"}})
    world.pass_s(300)
    assert world.one.step()
    assert not world.claims[0].holds(job), "a claim of another scope stands as long as ever"


def test_a_namespace_that_is_gone_moves_the_lease_to_the_next() -> None:
    world = World(("team-a", "team-b"))
    assert world.one.step()
    assert not world.two.step()
    world.close("team-a")
    assert world.one.step()
    assert not world.two.step()
    assert ("leases", "team-b", NAME) in world.cluster.stored
    assert world.one.guarded


def test_without_any_place_for_the_lease_both_serve_what_they_can_claim() -> None:
    world = World(("team-a",))
    world.close("team-a")
    job = {"metadata": {"namespace": "team-b", "name": "lobby", "uid": "uid-lobby"}}
    assert world.one.step()
    assert world.two.step()
    assert not world.one.guarded
    assert [claims.holds(job) for claims in world.claims] == [True, False]
    world.pass_s(300)
    assert not world.claims[1].holds(job), "nothing proves that the other one has ceased"


def test_two_that_hold_it_in_two_places_neither_both_serve_nor_both_refuse() -> None:
    """As when the first namespace came back between the steps of the two."""
    world = World(("team-a", "team-b"))
    world.close("team-a")
    assert world.one.step()
    metadata = {"name": NAME, "namespace": "team-a", "labels": {}}
    world.cluster.put(LEASES, {"metadata": metadata, "spec": {"holderIdentity": THERE}})
    assert not world.one.step()
    assert world.two.step()


def test_the_lease_belongs_to_the_role_beside_it_as_it_is_now() -> None:
    world = World()
    world.one.owner = "videojob-scope"

    def owners() -> list[str]:
        return [one["uid"] for one in world.cluster.stored["leases", "default", NAME]["metadata"]["ownerReferences"]]

    assert world.one.step()
    assert owners() == []
    for _ in range(2):
        role = world.cluster.put(ROLES, {"metadata": {"name": "videojob-scope", "namespace": "default"}})
        assert world.one.step()
        assert owners() == [role["metadata"]["uid"]]


HOLDERS = ["", HERE, THERE]


@pytest.mark.parametrize("holders", list(itertools.product(HOLDERS, repeat=3)))
def test_of_two_that_see_the_same_exactly_one_serves_or_the_first_to_write(holders: tuple[str, ...]) -> None:
    places = [Place(name, holder) for name, holder in zip("abc", holders, strict=True)]
    one, two = judge(places, HERE), judge(places, THERE)
    if any(holders):
        assert [bool(one.write), bool(two.write)].count(True) == 1
        assert {one.holder, two.holder} in ({"", HERE}, {"", THERE})
    else:
        assert one == two == Verdict("a"), "both write the same object, and one of them is refused"


def test_a_place_that_may_not_be_used_is_passed_over() -> None:
    assert judge([Place("a", usable=False), Place("b")], HERE) == Verdict("b")
    assert judge([Place("a", usable=False)], HERE) == Verdict()
    assert judge([Place("a"), Place("b", THERE)], HERE) == Verdict(holder=THERE)


def test_the_same_namespaces_are_the_same_scope_whatever_their_order_and_the_installation_s_own() -> None:
    assert scope_name("videojob", ["b", "a", "one"], "one") == scope_name("videojob", ["a", "b"], "two")
    assert scope_places(["b", "a", "one"], "one") == ("a", "b")
    assert scope_places([], "one") == ("default",)
    assert scope_places(["one"], "one") == ("one",)
    names = [scope_name(name, places, "own") for name in ("videojob", "trial") for places in ([], ["a"], ["a", "b"])]
    assert len(set(names)) == len(names)


def test_an_event_at_the_deployment_names_the_other_and_is_posted_anew_before_it_is_forgotten() -> None:
    cluster, clock = FakeCluster(), FakeClock()
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "videojob-controller", "uid": "uid-1"}
    notices = Notices(EventPoster(cluster, clock), "two", owner)
    for _ in range(120):
        notices.post(f"{HERE} serves the same scope")
        clock.seconds += 30
    posted = [one for (plural, _, _), one in cluster.stored.items() if plural == EVENTS.plural]
    assert len(posted) in {2, 3}
    assert posted[0]["involvedObject"] == {**owner, "namespace": "two"}
    assert (posted[0]["type"], posted[0]["reason"]) == ("Warning", "ScopeServedElsewhere")
    assert HERE in posted[0]["message"]


def test_events_that_may_not_be_posted_are_not_asked_for_again() -> None:
    cluster, asked = FakeCluster(), []

    def refuse(verb: str, kind: Kind, _name: str) -> Exception:
        asked.append((verb, kind.plural))
        return ClusterRefused("forbidden")

    cluster.refuse = refuse
    notices = Notices(EventPoster(cluster, FakeClock()), "two")
    for _ in range(5):
        notices.post("words")
    assert asked == [("create", "events")]
