"""What there is: which jobs need a reconcile, which do not, and namespaces that refuse to be listed."""

from __future__ import annotations

from typing import Any

import pytest

from support.fake_cluster import FakeCluster
from videojob.controller.runtime.resync import Resync
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import VIDEOJOBS, Kind
from videojob.kube.read.outlines import JobOutline, is_settled, job_outline
from videojob.planning.state.last_status import seconds_of

OVER = "2027-01-15T08:00:00Z"
OVER_S = seconds_of(OVER)


def a_row(name: str = "a", *, namespace: str = "team", ttl_s: int | None = None, **status: Any) -> dict[str, Any]:
    spec = {} if ttl_s is None else {"ttlSecondsAfterFinished": ttl_s}
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "generation": 3}
    return {"metadata": metadata, "spec": spec, "status": status}


def over(name: str = "a", *, namespace: str = "team", ttl_s: int | None = None) -> dict[str, Any]:
    return a_row(name, namespace=namespace, ttl_s=ttl_s, completionTime=OVER, observedGeneration=3)


def a_resync(cluster: FakeCluster, *namespaces: str) -> Resync:
    return Resync(cluster, namespaces, list)


def test_jobs_that_are_over_need_no_look_but_for_the_end_of_their_time_to_live() -> None:
    cluster = FakeCluster()
    for value in (
        a_row("new"),
        a_row("live", startTime=OVER, observedGeneration=3),
        over("kept"),
        over("goes", ttl_s=60),
    ):
        cluster.put(VIDEOJOBS, value)
    canary = a_row("people-s")  # the label by which an older release knew its own means nothing
    cluster.put(VIDEOJOBS, canary | {"metadata": canary["metadata"] | {"labels": {"videojob.dev/canary": "true"}}})
    found = a_resync(cluster).listed()
    assert found.live == (("team", "new"), ("team", "live"), ("team", "people-s"))
    assert found.settled == {("team", "kept"): "uid-kept", ("team", "goes"): "uid-goes"}
    assert found.going == ((("team", "goes"), OVER_S + 60),)
    assert found.whole


@pytest.mark.parametrize(
    "value",
    [
        over() | {"metadata": over()["metadata"] | {"generation": 4}},
        over() | {"metadata": over()["metadata"] | {"deletionTimestamp": OVER}},
        over() | {"status": {}},
    ],
    ids=["its spec was changed since", "it is being deleted", "no status"],
)
def test_a_job_is_not_settled_while_anything_about_it_is_open(value: dict[str, Any]) -> None:
    assert is_settled(over())
    assert not is_settled(value)


def test_before_the_crd_is_upgraded_every_job_is_looked_at() -> None:
    assert job_outline(over()["metadata"], {"Status": "Completed", "Age": "3d"}) == JobOutline(("team", "a"), "uid-a")


def refuse(cluster: FakeCluster, error: Exception, *namespaces: str | None) -> None:
    def refusal(verb: str, kind: Kind, name: str) -> Exception | None:
        return error if (verb, kind) == ("outlines", VIDEOJOBS) and (name or None) in namespaces else None

    cluster.refuse = refusal


def forbidden(code: int = 403) -> ClusterRefused:
    error = ClusterRefused(f"{code}", retryable=True)
    error.code = code
    return error


def test_a_namespace_that_refuses_to_be_listed_keeps_nobody_from_the_others() -> None:
    cluster = FakeCluster()
    for namespace in ("a", "gone", "z"):
        cluster.put(VIDEOJOBS, a_row("x", namespace=namespace))
    resync = a_resync(cluster, "a", "gone", "z")
    refuse(cluster, forbidden(), "gone")
    for _ in range(2):
        found = resync.listed()
        assert found.live == (("a", "x"), ("z", "x"))
        assert (found.refused, found.whole) == (frozenset({"gone"}), True)
    cluster.refuse = lambda _verb, _kind, _name: None
    found = resync.listed()
    assert found.live == (("a", "x"), ("gone", "x"), ("z", "x"))
    assert found.refused == frozenset()


def test_one_without_the_kind_of_videojobs_has_none() -> None:
    cluster = FakeCluster()
    refuse(cluster, forbidden(404), None)
    found = a_resync(cluster).listed()
    assert (found.live, found.whole) == ((), True)


def test_a_namespace_that_does_not_answer_is_missing_and_the_others_are_not() -> None:
    cluster = FakeCluster()
    for namespace in ("a", "away"):
        cluster.put(VIDEOJOBS, a_row("x", namespace=namespace))
    refuse(cluster, ClusterUnavailable("503"), "away")
    found = a_resync(cluster, "away", "a").listed()
    assert (found.live, found.whole, found.refused) == ((("a", "x"),), False, frozenset())


def test_a_whole_cluster_that_refuses_to_be_listed_is_no_cluster_without_jobs() -> None:
    cluster = FakeCluster()
    refuse(cluster, forbidden(), None)
    with pytest.raises(ClusterRefused):
        a_resync(cluster).listed()


def test_ten_thousand_jobs_that_are_over_cost_one_list_and_no_object() -> None:
    cluster = FakeCluster()
    for number in range(10_000):
        cluster.put(VIDEOJOBS, over(f"job-{number}"))
    found = a_resync(cluster).listed()
    assert (found.live, len(found.settled)) == ((), 10_000)
    assert cluster.calls == [("outlines", VIDEOJOBS.plural, "")]
    assert cluster.read == {}
