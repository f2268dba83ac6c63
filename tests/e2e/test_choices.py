"""Manifests whose right hardware differs, before a real Karpenter: what is chosen, why, and which nodes come of it.

As in `test_karpenter`: nodes are played by kwok, with EC2's types, the prices are those of the static table, and what
planners say of the videos is played, too. Workers work for as long as somebody looks, so that nothing ends in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from support.charts import NAMESPACE
from support.cluster.karpenter import ZONES
from support.cluster.karpenter_world import GPUS, KarpenterWorld, karpenter_world
from support.cluster.processes import wait_for
from support.cluster.videojobs import Job

TYPE, PAID, ZONE = "node.kubernetes.io/instance-type", "karpenter.sh/capacity-type", "topology.kubernetes.io/zone"
GPU = "nvidia.com/gpu"
WAIT_S = 180.0
HOUR = 90_000
"""Frames of an hour of video."""


@pytest.fixture(scope="module")
def world() -> Iterator[KarpenterWorld]:
    with karpenter_world() as made:
        made.played.works.clear()
        made.nodes_take(0)
        yield made


def placed(job: Job) -> dict[str, Any]:
    """What was chosen for a job; waits for it."""
    status = job.wait(lambda status: "server" in status.get("placement", {}), "a placement", WAIT_S)
    found: dict[str, Any] = status["placement"]
    return found


def server_nodes(world: KarpenterWorld, placement: dict[str, Any], count: int = 1) -> list[dict[str, str]]:
    """Labels of the nodes that so many replicas of the chosen server are on, each named once; waits for them."""
    types = set(placement["server"]["instanceTypes"])

    def look() -> list[dict[str, str]] | None:
        nodes = {pod["spec"]["nodeName"]: world.node_of(pod)["metadata"]["labels"] for pod in world.placed()}
        found = [labels for labels in nodes.values() if labels[TYPE] in types]
        return found if len(found) >= count else None

    return wait_for(f"{count} nodes of {', '.join(sorted(types))}", look, WAIT_S)


class Begin(Protocol):
    """Starts a job whose videos have so many frames and segments."""

    def __call__(self, name: str, frames: int, segments: int, **spec: Any) -> Job: ...


@pytest.fixture
def begin(world: KarpenterWorld) -> Iterator[Begin]:
    """At the end the jobs go, and nothing can join their servers any more; what is left drains beside the next test."""
    jobs: list[Job] = []

    def started(name: str, frames: int, segments: int, **spec: Any) -> Job:
        world.played.sizes[name] = frames, segments
        jobs.append(world.start(name, **spec))
        return jobs[-1]

    yield started
    for job in jobs:
        job.delete()
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?labelSelector=app.kubernetes.io/component=server"

    def replicas() -> int:
        return sum(one["spec"]["replicas"] for one in world.cluster.get(path)["items"])

    wait_for("servers at zero", lambda: not replicas(), WAIT_S)


def test_an_hour_of_video_gets_one_small_spot_gpu_and_cpus_that_feed_it_and_half_an_hour_joins_it(
    world: KarpenterWorld, begin: Begin
) -> None:
    job = begin("hour", HOUR, 120)
    placement = placed(job)
    assert placement["server"]["gpu"] == "t4"
    (node,) = server_nodes(world, placement)
    assert (node[TYPE], node[PAID]) == ("g4dn.xlarge", "spot")
    workers = wait_for("workers", lambda: job.pods("worker", "Running") or None, WAIT_S)
    fed_from = [world.node_of(pod)["metadata"]["labels"] for pod in workers]
    assert all(GPU not in one and not one[TYPE].startswith("g") for one in fed_from)
    assert {one[PAID] for one in fed_from} == {"spot"}
    # Half an hour more joins it: that costs less than a server of its own.
    guest = begin("guest", HOUR // 2, 60)
    joined = placed(guest)
    assert joined["server"] == placement["server"]
    assert "a server that runs already on g4dn.xlarge (spot)" in joined["why"]
    assert len(world.claims("gpu")) == 1
    assert float(guest.status["cost"]["forecast"]) < float(job.status["cost"]["forecast"])


def test_a_tiny_clip_gets_a_small_cpu_node_on_spot(world: KarpenterWorld, begin: Begin) -> None:
    job = begin("tiny", 300, 2)
    placement = placed(job)
    assert placement["server"]["accelerator"] == "cpu"
    assert len({one.partition(".")[0] for one in placement["server"]["instanceTypes"]}) == 1, "one family of CPUs"
    (node,) = server_nodes(world, placement)
    assert node[PAID] == "spot"
    assert node[TYPE].partition(".")[2] in {"large", "xlarge"}
    assert placement["why"].startswith(f"The cheapest is 1 x {node[TYPE]} (spot)")
    assert node[ZONE] in ZONES


def test_the_same_within_seconds_is_rejected_with_the_smallest_change_before_a_server_starts(
    world: KarpenterWorld, begin: Begin
) -> None:
    job = begin("hasty", 300, 2, deadline={"completeWithin": "20s"})
    status = job.wait(lambda status: "completionTime" in status, "its end", WAIT_S)
    assert job.reason == "NoPlacement"
    assert "nothing on offer can end within" in status["message"]
    assert "Set spec.deadline.completeWithin to" in status["message"]
    assert "placement" not in status


def test_a_hundred_hours_get_spot_gpus_of_one_model_and_many_workers(world: KarpenterWorld, begin: Begin) -> None:
    job = begin("archive", 100 * HOUR, 12_000)
    placement = placed(job)
    assert placement["server"]["gpu"] in {"t4", "a10g", "l4"}
    assert {one["capacityType"] for one in placement["runnersUp"]} == {"spot", "on-demand"}
    assert all(float(one["cost"]) > 0 and one["whyNot"] for one in placement["runnersUp"])
    (node, *_) = server_nodes(world, placement)
    assert node[PAID] == "spot"
    assert node[TYPE] in placement["server"]["instanceTypes"]
    assert world.parallelism(job) > 8


def test_a_tight_deadline_gets_several_gpus_at_once(world: KarpenterWorld, begin: Begin) -> None:
    job = begin("urgent", 30 * HOUR, 6000, deadline={"completeWithin": "40m"})
    placement = placed(job)
    assert placement["why"].startswith("The cheapest that meets the deadline is ")
    assert placement["finishSecondsP90"] <= 2400
    nodes = server_nodes(world, placement, count=2)
    assert len({one["kubernetes.io/hostname"] for one in nodes}) >= 2
    assert len({one[TYPE].partition(".")[0] for one in nodes}) == 1


def test_without_gpus_left_in_the_nodepool_the_same_hour_gets_cpus(world: KarpenterWorld, begin: Begin) -> None:
    world.limit("gpu", **{GPU: "0"})
    try:
        job = begin("cpus", HOUR, 120)
        placement = placed(job)
        assert placement["server"]["accelerator"] == "cpu"
        (node,) = server_nodes(world, placement)
        assert GPU not in node
    finally:
        world.limit("gpu", **{GPU: str(GPUS)})
