"""The canary: what this process wrote must be shown by the watches, its absence proves that they receive nothing."""

from __future__ import annotations

from typing import Any

import pytest

from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from videojob.controller.runtime.canary import Canary
from videojob.controller.runtime.lease import Lease
from videojob.kube.kinds import LEASES

JOB = ("team-a", "lobby")


def listening() -> tuple[Canary, FakeClock]:
    clock = FakeClock()
    canary = Canary(clock, unseen_after_s=120.0)
    canary.begin()
    return canary, clock


def shown(version: str) -> dict[str, Any]:
    return {"metadata": {"name": "videojob-controller", "namespace": "system", "resourceVersion": version}}


def test_renewals_that_are_shown_prove_that_the_watches_hear() -> None:
    canary, clock = listening()
    for number in range(10):
        canary.renewed(str(number))
        clock.seconds += 5
        canary.saw_lease(shown(str(number)))
        assert (canary.silent_s, canary.unseen_s) == (0.0, 0.0)


def test_a_later_renewal_stands_for_the_ones_before_it_and_an_older_one_for_none_after_it() -> None:
    canary, clock = listening()
    for version in ("a", "b", "c"):
        canary.renewed(version)
        clock.seconds += 10
    canary.saw_lease(shown("a"))
    assert canary.silent_s == pytest.approx(20, abs=0.01)
    canary.saw_lease(shown("a"))
    canary.saw_lease(shown("of somebody else"))
    assert canary.silent_s == pytest.approx(20, abs=0.01)
    canary.saw_lease(shown("c"))
    assert canary.silent_s == 0.0


def test_a_renewal_may_be_shown_before_its_own_request_is_answered() -> None:
    canary, clock = listening()
    canary.renewed("a")
    for version in ("b", "c", "d"):
        canary.saw_lease(shown(version))
        canary.renewed(version)
        clock.seconds += 5
        assert (canary.silent_s, canary.unseen_s) == (0.0, 0.0)


def test_renewals_in_one_second_have_one_version_and_are_seen_together() -> None:
    canary, clock = listening()
    for _ in range(3):
        canary.renewed("a")
        clock.seconds += 1
    canary.saw_lease(shown("a"))
    canary.renewed("a")
    clock.seconds += 5
    assert (canary.silent_s, canary.unseen_s) == (0.0, 0.0)
    canary.renewed("b")
    clock.seconds += 130
    assert canary.unseen_s == pytest.approx(130, abs=0.01), "what was shown before proves nothing of what came after"


def test_renewals_that_stay_unseen_make_the_process_deaf() -> None:
    canary, clock = listening()
    unseen_s: list[float] = []
    for version in ("a", "b", "c"):
        canary.renewed(version)
        clock.seconds += 50
        unseen_s.append(canary.unseen_s)
    assert unseen_s[:2] == [0.0, 0.0]
    assert unseen_s[2] == pytest.approx(150, abs=0.01)
    canary.begin()
    assert canary.unseen_s == pytest.approx(150, abs=0.01), "watches that were restarted have shown nothing yet"


def test_nothing_counts_before_there_are_watches() -> None:
    clock = FakeClock()
    canary = Canary(clock)
    canary.renewed("a")
    clock.seconds += 600
    assert (canary.silent_s, canary.unseen_s) == (0.0, 0.0)


def test_a_status_that_was_written_must_be_shown_by_the_watch_of_videojobs() -> None:
    canary, clock = listening()
    canary.wrote(JOB)
    clock.seconds += 5
    canary.wrote(JOB)
    clock.seconds += 5
    assert canary.silent_s == pytest.approx(10, abs=0.01)
    canary.saw_job(("team-a", "another"))
    assert canary.silent_s == pytest.approx(10, abs=0.01)
    canary.saw_job(JOB)
    assert canary.silent_s == 0.0


def test_a_status_that_stays_unseen_begins_the_watches_anew_and_never_ends_the_process() -> None:
    """The job may have been deleted without an event: watches that were restarted would not show it either."""
    canary, clock = listening()
    canary.wrote(JOB)
    clock.seconds += 600
    assert canary.silent_s == pytest.approx(600, abs=0.01)
    assert canary.unseen_s == 0.0
    canary.begin()
    assert canary.silent_s == 0.0


def test_the_lease_tells_the_version_that_it_has_after_each_renewal() -> None:
    cluster, clock = FakeCluster(), FakeClock()
    told: list[str] = []
    lease = Lease(cluster, clock, "system", "me", renewed=told.append)
    for _ in range(3):
        assert lease.step()
        clock.seconds += 5
        assert told[-1] == cluster.stored[LEASES.plural, "system", "videojob-controller"]["metadata"]["resourceVersion"]
    assert len(set(told)) == 3
    other = Lease(cluster, clock, "system", "another", renewed=told.append)
    assert not other.step()
    assert len(told) == 3
