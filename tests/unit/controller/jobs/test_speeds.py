"""The catalogue of speeds as the cluster keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from videojob.adapters.files.package_data import throughput_seeds
from videojob.controller.jobs.speeds import SpeedKeeper
from videojob.kube.kinds import CONFIG_MAPS
from videojob.kube.names import SPEEDS, SPEEDS_KEY
from videojob.kube.speeds import book_of
from videojob.planning.throughput.measured import Quantity, Subject

DECODE = Subject(Quantity.DECODE, "h264", 174_080, "c7i")
OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "videojob-controller", "uid": "1"}


def keeper(cluster: FakeCluster, clock: FakeClock | None = None) -> SpeedKeeper:
    return SpeedKeeper(cluster, clock or FakeClock(), "system", throughput_seeds(), OWNER)


def stored(cluster: FakeCluster) -> Mapping[str, Any]:
    found = cluster.get(CONFIG_MAPS, "system", SPEEDS)
    assert found is not None
    return found


def test_what_jobs_teach_is_kept_and_survives_a_restart() -> None:
    cluster = FakeCluster()
    keeper(cluster).learn({DECODE: ("", [900.0])})
    assert stored(cluster)["metadata"]["ownerReferences"] == [OWNER]
    after_restart = keeper(cluster)
    after_restart.learn({DECODE: ("", [800.0])})
    assert book_of(stored(cluster)).series[DECODE].values == (900.0, 800.0)
    (measured,) = after_restart.speeds().measured
    assert (measured.subject, measured.samples) == (DECODE, 2)


def test_what_was_learned_elsewhere_is_seen_after_a_minute() -> None:
    cluster, clock = FakeCluster(), FakeClock()
    one = keeper(cluster, clock)
    assert one.speeds().measured == ()
    keeper(cluster).learn({DECODE: ("", [900.0])})
    assert one.speeds().measured == ()
    clock.seconds += 61
    assert len(one.speeds().measured) == 1


def test_nothing_is_written_when_nothing_was_learned() -> None:
    cluster = FakeCluster()
    keeper(cluster).learn({})
    keeper(cluster).learn({DECODE: ("", [-1.0])})
    assert cluster.names(CONFIG_MAPS) == []


def test_a_catalogue_that_somebody_spoiled_stays_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    cluster = FakeCluster()
    spoiled = {"metadata": {"name": SPEEDS, "namespace": "system"}, "data": {SPEEDS_KEY: "none"}}
    cluster.put(CONFIG_MAPS, spoiled)
    one = keeper(cluster)
    one.learn({DECODE: ("", [900.0])})
    assert one.speeds().measured == ()
    assert stored(cluster)["data"] == spoiled["data"]
    assert "not kept" in caplog.text
