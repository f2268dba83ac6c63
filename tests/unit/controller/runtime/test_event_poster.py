"""Events are posted once each, whatever was posted before and however often posting fails."""

from __future__ import annotations

import pytest

from support.decisions import a_job
from support.fake_cluster import FakeCluster
from support.fakes import FakeClock
from videojob.controller.runtime.event_poster import EventPoster
from videojob.errors import ClusterUnavailable
from videojob.kube.kinds import EVENTS
from videojob.planning.state.desired import EventDesired

HELD, GOES_ON = EventDesired("Normal", "Suspended", "held"), EventDesired("Normal", "Resumed", "it goes on")


def test_news_that_stay_true_cost_one_request() -> None:
    cluster = FakeCluster()
    poster = EventPoster(cluster, FakeClock())
    for _ in range(5):
        poster.post(a_job(), [HELD, GOES_ON])
    assert cluster.calls == [("create", "events", name) for _, _, name in cluster.calls]
    assert sorted(one["reason"] for one in cluster.list(EVENTS)) == ["Resumed", "Suspended"]
    assert cluster.count("create", EVENTS) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (a_job(), a_job(generation=2)),
        (a_job(), a_job(name="other")),
        (a_job(), a_job(namespace="others")),
        (a_job(), a_job(uid="0a1b2c3d-0000-4000-8000-000000000002")),
    ],
    ids=["generation", "name", "namespace", "uid"],
)
def test_the_same_words_about_another_state_or_job_are_other_news(first: object, second: object) -> None:
    cluster = FakeCluster()
    poster = EventPoster(cluster, FakeClock())
    for job in (first, second):
        poster.post(job, [HELD])  # type: ignore[arg-type]  # builders of tests give jobs
    assert cluster.count("create", EVENTS) == 2


def test_what_another_controller_posted_is_not_posted_again_and_not_asked_about_again() -> None:
    cluster = FakeCluster()
    EventPoster(cluster, FakeClock()).post(a_job(), [HELD])
    poster = EventPoster(cluster, FakeClock())
    tried = []

    def count(verb: str, _kind: object, _name: str) -> None:
        tried.append(verb)

    cluster.refuse = count
    for _ in range(3):
        poster.post(a_job(), [HELD])
    assert tried == ["create"]
    assert len(list(cluster.list(EVENTS))) == 1


def test_what_could_not_be_posted_is_tried_again() -> None:
    cluster = FakeCluster()
    poster = EventPoster(cluster, FakeClock())
    cluster.refuse = lambda _verb, _kind, _name: ClusterUnavailable("away")
    with pytest.raises(ClusterUnavailable):
        poster.post(a_job(), [HELD])
    cluster.refuse = lambda _verb, _kind, _name: None
    poster.post(a_job(), [HELD])
    assert cluster.count("create", EVENTS) == 1
