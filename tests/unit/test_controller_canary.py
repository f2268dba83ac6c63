"""The canary: marks that the watch must show, and when their absence proves that it is deaf."""

from __future__ import annotations

from typing import Any

import pytest

from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from videojob.api.videojob import VideoJob
from videojob.controller.canary import NAME, Canary
from videojob.controller.reconcile import parse
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.manifests.kinds import VIDEOJOBS, Kind
from videojob.manifests.names import CANARY
from videojob.ports import AlreadyThere

OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "controller", "uid": "u"}


def make() -> tuple[Canary, FakeCluster, FakeClock]:
    cluster, clock = FakeCluster(), FakeClock()
    return Canary(cluster, clock, "system", OWNER, every_s=30.0, deaf_after_s=120.0), cluster, clock


def body(cluster: FakeCluster) -> dict[str, Any]:
    return cluster.stored[VIDEOJOBS.plural, "system", NAME]


def test_it_is_a_valid_videojob_that_is_held_and_goes_with_its_installation() -> None:
    canary, cluster, _ = make()
    canary.mark()
    job: VideoJob = parse(body(cluster))
    assert job.spec.suspend
    assert body(cluster)["metadata"]["labels"][CANARY] == "true"
    assert body(cluster)["metadata"]["ownerReferences"] == [OWNER]
    canary.mark()
    assert cluster.count("create", VIDEOJOBS) == 1


def test_marks_that_are_shown_leave_no_silence() -> None:
    canary, cluster, clock = make()
    for _ in range(20):
        canary.mark()
        clock.seconds += 1
        canary.heard(body(cluster))
        assert canary.silent_s == 0.0
        clock.seconds += 29


def test_silence_counts_from_the_oldest_mark_that_was_not_shown_until_the_newest_is() -> None:
    canary, cluster, clock = make()
    canary.mark()
    first = body(cluster)
    for expected_s in (30, 60, 90):
        clock.seconds += 30
        canary.mark()
        assert canary.silent_s == pytest.approx(expected_s, abs=0.01)
    canary.heard(first)
    assert canary.silent_s == pytest.approx(90, abs=0.01), "an old mark proves nothing about now"
    hears = [canary.hears]
    clock.seconds += 31
    hears.append(canary.hears)
    canary.heard(body(cluster))
    assert [*hears, canary.hears] == [True, False, True]
    assert canary.silent_s == 0.0


@pytest.mark.parametrize("error", [ClusterUnavailable("away"), ClusterRefused("no right")])
def test_a_mark_that_could_not_be_set_is_no_proof_of_deafness(error: Exception) -> None:
    canary, cluster, clock = make()
    cluster.refuse = lambda _verb, _kind, _name: error
    for _ in range(10):
        canary.mark()
        clock.seconds += 30
    assert canary.silent_s == 0.0
    assert canary.hears


def test_an_outage_does_not_end_a_silence_that_has_begun() -> None:
    canary, cluster, clock = make()
    canary.mark()
    cluster.refuse = lambda _verb, _kind, _name: ClusterUnavailable("away")
    for _ in range(5):
        clock.seconds += 30
        canary.mark()
    assert not canary.hears


def test_who_makes_it_at_the_same_time_does_not_count() -> None:
    canary, cluster, clock = make()

    def refuse(verb: str, _kind: Kind, _name: str) -> Exception | None:
        return AlreadyThere(NAME) if verb == "create" else None

    cluster.refuse = refuse
    canary.mark()
    clock.seconds += 300
    assert canary.hears


@pytest.mark.parametrize("metadata", [{}, {"annotations": {}}, {"annotations": {"videojob.dev/canary-mark": "77"}}])
def test_other_marks_than_the_newest_are_not_heard(metadata: dict[str, Any]) -> None:
    canary, _, clock = make()
    canary.mark()
    clock.seconds += 5
    canary.heard({"metadata": metadata})
    assert canary.silent_s == pytest.approx(5, abs=0.01)
