"""A real Karpenter before VideoJobs: which nodes it makes for them, which it does not, and what people read.

The control plane, Karpenter, the chart and the controller are real; nodes are played by kwok, with EC2's types and
prices, and so are the programs of planners and workers. Neither root nor a real node is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from support.charts import NAMESPACE
from support.cluster.karpenter import ZONES, instance_types
from support.cluster.karpenter_world import GPUS, SLOW, KarpenterWorld, karpenter_world
from support.cluster.processes import wait_for
from support.cluster.videojobs import Job
from videojob.planning.placement.plan.units import dollars

TYPE = "node.kubernetes.io/instance-type"
PAID = "karpenter.sh/capacity-type"
ZONE = "topology.kubernetes.io/zone"
POOL = "videojob.dev/pool"
GPU = "nvidia.com/gpu"
GPU_POOL = f"{NAMESPACE}-videojob-gpu"
NODE_S = 5
"""What a node takes to come while a job's whole life is watched, in seconds."""
DRAIN_S = 90.0
"""The chart's terminationGracePeriod: in less than the two minutes of a spot notice a node must be empty."""
WAIT_S = 180.0

Object = dict[str, Any]


def labels(value: Object) -> dict[str, str]:
    return dict(value["metadata"].get("labels", {}))


def name_of(value: Object) -> str:
    return str(value["metadata"]["name"])


def condition(job: Job, kind: str) -> Object:
    found: Object = next((one for one in job.status.get("conditions", ()) if one["type"] == kind), {})
    return found


def demand_order(found: list[Any], wanted: list[Any]) -> None:
    """The wanted ones are among the found, in this order."""
    rest = iter(found)
    assert [one for one in wanted if one not in rest] == [], found


def refusal(job: Job) -> str:
    """What the status says when no node can be provisioned; waits for it."""

    def look() -> str | None:
        found = condition(job, "CapacityReady")
        return str(found["message"]) if found.get("reason") == "InsufficientCapacity" else None

    return wait_for(f"the refusal of {job.name}", look, WAIT_S)


def server_place(job: Job) -> tuple[str, str]:
    """Type and capacity type of the server's node, as the status tells; waits for it."""
    status = job.wait(lambda status: "capacityType" in status.get("placement", {}), "a node", WAIT_S)
    return status["placement"]["instanceType"], status["placement"]["capacityType"]


def working_nodes(world: KarpenterWorld, job: Job) -> list[dict[str, str]]:
    """Labels of the nodes that a job's workers are on; waits for them."""
    pods = wait_for(f"workers of {job.name}", lambda: job.pods("worker", "Running") or None, WAIT_S)
    return [labels(world.node_of(pod)) for pod in pods]


@dataclass
class Life:
    """One job on a GPU from its request to its end, as it was seen.

    Attributes:
        impossible: another one, begun with it, since it is refused only after a while.
        reasons: of its status, in the order they came.
        claim: Karpenter's NodeClaim for its GPU. server: the pod of Triton, node: the one it is on.
        planner: its pod. workers: theirs, all at work. nodes: by name, all that there were then.
    """

    world: KarpenterWorld
    job: Job
    impossible: Job
    reasons: list[str] = field(default_factory=list)
    claim: Object = field(default_factory=dict)
    server: Object = field(default_factory=dict)
    node: Object = field(default_factory=dict)
    planner: Object = field(default_factory=dict)
    workers: list[Object] = field(default_factory=list)
    nodes: dict[str, Object] = field(default_factory=dict)

    def until(self, what: str, look: Callable[[], object]) -> None:
        """Waits, and keeps the reasons that pass by."""

        def noted() -> bool:
            self._note()
            return bool(look())

        wait_for(what, noted, WAIT_S)
        self._note()  # the reason may have changed between the two reads of the last turn

    def _note(self) -> None:
        reason = self.job.reason
        if reason and (not self.reasons or self.reasons[-1] != reason):
            self.reasons.append(reason)

    def begin(self) -> None:
        """Until all its workers are at work, which they stay."""
        world = self.world
        self.until("a NodeClaim for a GPU", lambda: world.claims("gpu"))
        self.until("the server's node", world.placed)
        (self.claim,) = world.claims("gpu")
        world.nodes_take(0)
        self.until("all workers", lambda: len(self.job.pods("worker", "Running")) == world.played.segments)
        (self.server,), (self.planner,) = world.placed(), self.job.pods("planner")
        self.node, self.workers = world.node_of(self.server), self.job.pods("worker")
        self.nodes = {one["metadata"]["name"]: one for one in world.cluster.get("/api/v1/nodes")["items"]}
        self.until("segments at work", lambda: self.job.reason == "Processing")


@pytest.fixture(scope="module")
def world() -> Iterator[KarpenterWorld]:
    with karpenter_world() as made:
        yield made


@pytest.fixture(scope="module")
def life(world: KarpenterWorld) -> Life:
    world.played.works.clear()
    world.nodes_take(NODE_S)
    job = world.start("life", compute={"accelerator": "gpu"})
    impossible = world.start("impossible", compute={"accelerator": "gpu", "instanceTypes": ["p5.48xlarge"]})
    seen = Life(world, job, impossible)
    seen.begin()
    return seen


@pytest.fixture(scope="module")
def ended(life: Life) -> Life:
    life.world.played.works.set()
    life.until("the end", lambda: "completionTime" in life.job.status)
    return life


def test_a_pending_triton_makes_the_cheapest_gpu_node_that_fits_it(life: Life) -> None:
    limits = life.server["spec"]["containers"][0]["resources"]["limits"]
    assert (limits[GPU], life.node["status"]["allocatable"][GPU]) == ("1", "1")
    prices = {
        (one["name"], offering["Requirements"][0]["values"][0]): offering["Price"]
        for one in instance_types()
        for offering in one["offerings"]
        if one["resources"].get(GPU) == "1" and one["architecture"] == "amd64"
    }
    cheapest = min(prices, key=lambda one: prices[one])
    assert (labels(life.claim)[TYPE], labels(life.claim)[PAID]) == cheapest == ("g4dn.xlarge", "spot")
    assert labels(life.node)[POOL] == "gpu"
    assert {"key": GPU, "value": "true", "effect": "NoSchedule"} in life.node["spec"]["taints"]


def test_workers_make_cpu_nodes_in_the_zone_of_their_server_and_stay_off_its_gpu(life: Life) -> None:
    names = {pod["spec"]["nodeName"] for pod in life.workers}
    assert {labels(life.nodes[name])[POOL] for name in names} == {"cpu"}
    # The planner's node was there before anybody knew where the server would be.
    made = names - {life.planner["spec"]["nodeName"]}
    assert made
    assert {labels(life.nodes[name])[ZONE] for name in made} == {labels(life.node)[ZONE]}


def test_an_impossible_request_says_why_in_karpenters_words_and_what_to_change(
    world: KarpenterWorld, life: Life
) -> None:
    impossible = life.impossible
    message = refusal(impossible)
    assert message.startswith("no node can be provisioned for the inference server: karpenter: ")
    assert "karpenter: no instance type met" in message
    assert f" in NodePool {GPU_POOL}" in message
    assert "instance-type In [p5.48xlarge]" in message
    assert "Allow more spec.compute.instanceTypes" in message
    assert "did not tolerate taint" not in message
    assert ("InsufficientCapacity", message) in world.events(impossible)
    capacity = condition(impossible, "CapacityReady")
    assert (capacity["status"], impossible.status["columns"]["gpus"]) == ("False", "0")
    assert "completionTime" not in impossible.status
    impossible.delete()


def test_the_limit_of_a_nodepool_holds_and_the_job_goes_on_when_it_is_raised(world: KarpenterWorld, life: Life) -> None:
    world.limit("gpu", **{GPU: "1"})  # which is in use
    second = world.start("second", compute={"accelerator": "gpu", "capacityTypes": ["on-demand"]})
    message = refusal(second)
    assert f"all available instance types exceed limits for nodepool (NodePool={GPU_POOL})" in message
    assert f"Wait until other work there ends, or raise spec.limits of NodePool {GPU_POOL}." in message
    assert [one["metadata"]["name"] for one in world.claims("gpu")] == [life.claim["metadata"]["name"]]
    world.limit("gpu", **{GPU: str(GPUS)})
    assert server_place(second) == ("g4dn.xlarge", "on-demand")


def test_the_jobs_own_types_ways_of_payment_and_limits_are_obeyed(world: KarpenterWorld, life: Life) -> None:
    world.played.works.clear()
    types, large = ["g5.xlarge", "g6.xlarge", "g6.2xlarge"], ["m7i.xlarge", "m7i.2xlarge"]
    choosy = world.start(
        "choosy",
        compute={
            "accelerator": "gpu",
            "capacityTypes": ["on-demand"],
            "instanceTypes": types,
            "limits": {"workers": 2},
        },
    )
    thrifty = world.start("thrifty", compute={"instanceTypes": large, "limits": {"gpus": 0, "cpus": 3}})
    nodes = {job.name: working_nodes(world, job) for job in (choosy, thrifty)}
    assert {one[PAID] for one in nodes["choosy"]} == {"on-demand"}
    assert {one[TYPE] for one in nodes["thrifty"]} <= set(large)
    assert (world.parallelism(choosy), world.parallelism(thrifty)) == (2, 1)
    # Of the types that it allows the cheapest; a CPU server may share a larger one with the other job's workers.
    assert server_place(choosy) == ("g6.xlarge", "on-demand")
    assert server_place(thrifty)[0] in large


@pytest.fixture(scope="module")
def hurried(world: KarpenterWorld, life: Life) -> Iterator[list[Object]]:
    """The nodes of three replicas that came together, and their job."""
    world.played.works.clear()
    job = world.start(
        "hurried",
        compute={"accelerator": "gpu"},
        model={"name": SLOW},
        deadline={"completeWithin": "400s"},
    )
    yield wait_for("three GPUs", lambda: world.of_model(SLOW) if len(world.of_model(SLOW)) >= 3 else None, WAIT_S)
    job.delete()


def test_replicas_that_come_together_get_small_instances_and_no_large_one(hurried: list[Object]) -> None:
    assert {labels(one)[TYPE] for one in hurried} == {"g4dn.xlarge"}
    assert len({one["metadata"]["name"] for one in hurried}) == len(hurried)


def test_pods_of_nodes_that_are_reclaimed_together_are_evicted_while_the_notice_lasts(
    world: KarpenterWorld, hurried: list[Object], life: Life
) -> None:
    # On a spot notice Karpenter deletes the NodeClaim: those of two servers and of a worker.
    nodes = {name_of(one) for one in hurried[:2]} | {life.workers[0]["spec"]["nodeName"]}
    pods = [pod for pod in (*world.placed(), *life.workers) if pod["spec"]["nodeName"] in nodes]
    claims = {name_of(one) for one in world.claims() if one.get("status", {}).get("nodeName") in nodes}
    assert len(claims) == len(nodes)
    for name in claims:
        answer = world.cluster.client.delete(f"/apis/karpenter.sh/v1/nodeclaims/{name}")
        assert answer.is_success, answer.text
    # That word is for evictions alone: pods that nobody may evict are deleted at the end of a drain, with another one.
    wait_for("the evictions", lambda: {name_of(pod) for pod in pods} <= world.evicted(), DRAIN_S)
    wait_for("the end of the nodes", lambda: not claims & {name_of(one) for one in world.claims()}, WAIT_S)
    wait_for("new workers", lambda: len(life.job.pods("worker", "Running")) == world.played.segments, WAIT_S)


def test_the_status_goes_through_the_stages_of_a_job(ended: Life) -> None:
    demand_order(ended.reasons, ["ProvisioningGPU", "LoadingModel", "Processing", "Completed"])
    placement = ended.job.status["placement"]
    assert (placement["instanceType"], placement["capacityType"], placement["gpus"]) == ("g4dn.xlarge", "spot", 0)
    assert placement["why"].startswith("The cheapest is 1 x g4dn.xlarge (spot)")
    assert {one["instanceType"] for one in placement["runnersUp"]} >= {"g5.xlarge", "g6.xlarge"}
    cost = ended.job.status["cost"]
    assert 0 < float(cost["forecastLow"]) <= float(cost["forecast"]) <= float(cost["forecastHigh"])
    assert cost["priceSource"] == "static"
    assert ended.job.status["columns"]["cost"] == f"~{dollars(Decimal(cost['forecast']))}"


def test_events_tell_of_each_node_that_is_needed_and_of_the_one_that_came(ended: Life) -> None:
    told = ended.world.events(ended.job)
    demand_order(
        told,
        [
            ("NodeRequested", "a CPU node is needed for the planner"),
            ("NodeRequested", "a GPU node is needed for the inference server"),
            ("NodeReady", f"the node of the inference server is ready: g4dn.xlarge, spot, {labels(ended.node)[ZONE]}"),
            ("LoadingModel", "The inference server starts or loads the model."),
            ("ModelReady", "the inference server is ready"),
            ("Completed", "Every frame that was asked for is in the results."),
        ],
    )
    assert labels(ended.node)[ZONE] in ZONES
    assert len(told) == len(set(told))
    assert "InsufficientCapacity" not in {reason for reason, _ in told}


def test_the_nodes_go_when_the_jobs_have_ended_and_triton_is_at_zero(world: KarpenterWorld, ended: Life) -> None:
    assert world.ends() == {"Completed"}
    wait_for("Triton at zero", lambda: not world.servers(), WAIT_S)
    wait_for("the end of all NodeClaims", lambda: not world.claims(), WAIT_S)
    played = {one["metadata"]["name"] for one in world.cluster.get("/api/v1/nodes")["items"]}
    assert played == {"fake-0"}
