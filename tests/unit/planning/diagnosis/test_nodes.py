"""Words of those that provision no node: shorter, still theirs, and with what to change."""

from __future__ import annotations

from typing import Any

import pytest

from support.decisions import (
    NOW_S,
    READY,
    a_catalogue,
    a_job,
    a_plan_job,
    a_work_job,
    condition,
    decide,
    observed_jobs,
    problem,
    running,
)
from videojob.planning.diagnosis.nodes import plain_words
from videojob.planning.diagnosis.pods import requeue_after_s
from videojob.planning.state.observed import NODE_PROVISIONING, Observed, PodProblem, ServerObserved

# As Karpenter 1.14.1 said them in tests/e2e/test_karpenter.py.
TAINT = "did not tolerate taint (taint=videojob.dev/dedicated=cpu:NoSchedule)"
GPU_LIMIT = "all available instance types exceed limits for nodepool (NodePool=videos-gpu)"
CPU_LIMIT = GPU_LIMIT.replace("gpu", "cpu")
NO_TYPE = (
    "no instance type met all requirements, requirements=karpenter.k8s.aws/instance-family In [g4dn g5 g6],"
    " karpenter.kwok.sh/kwoknodeclass In [default], karpenter.sh/capacity-type In [on-demand spot],"
    " karpenter.sh/initialized In [true], karpenter.sh/nodepool In [videos-gpu], karpenter.sh/registered In [true],"
    " kubernetes.io/arch In [amd64], kubernetes.io/os In [linux], node.kubernetes.io/instance-type In [p5.48xlarge],"
    ' videojob.dev/pool In [gpu], resources={"cpu":"3","memory":"8Gi","nvidia.com/gpu":"1","pods":"1"}'
)
NO_TYPE_SHORT = (
    "no instance type met all requirements in NodePool videos-gpu (instance-family In [g4dn g5 g6],"
    " karpenter.sh/capacity-type In [on-demand spot], kubernetes.io/arch In [amd64], instance-type In [p5.48xlarge],"
    " cpu 3, memory 8Gi, nvidia.com/gpu 1)"
)
WAY_OF_PAYMENT = (
    "incompatible requirements, key karpenter.sh/capacity-type, karpenter.sh/capacity-type In [on-demand] not in"
    " karpenter.sh/capacity-type In [spot]"
)
SCHEDULER = (
    "0/2 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are"
    " available: 2 Preemption is not helpful for scheduling."
)


@pytest.mark.parametrize(
    ("source", "message", "expected"),
    [
        ("karpenter", f"Failed to schedule pod, {GPU_LIMIT}; {TAINT}", GPU_LIMIT),
        ("karpenter", f"Failed to schedule pod, {TAINT}; {WAY_OF_PAYMENT}", WAY_OF_PAYMENT),
        ("karpenter", f"Failed to schedule pod, {NO_TYPE}; {TAINT}", NO_TYPE_SHORT),
        ("karpenter", f"Failed to schedule pod, {GPU_LIMIT}; {NO_TYPE}", f"{NO_TYPE_SHORT}; {GPU_LIMIT}"),
        ("karpenter", f"Failed to schedule pod, {TAINT}", TAINT),
        ("karpenter", "no pool, requirements=a/b In [c], resources=cut o", "no pool (a/b In [c], cut o)"),
        ("karpenter", "something new", "something new"),
        ("scheduler", SCHEDULER, "0/2 nodes are available: 1 Insufficient cpu."),
        ("cluster-autoscaler", "max size reached", "max size reached"),
        (NODE_PROVISIONING, "Pod should schedule on: nodeclaim/gpu-1, node/n", "Karpenter starts nodeclaim/gpu-1"),
        (NODE_PROVISIONING, "pod triggered scale-up", "pod triggered scale-up"),
    ],
)
def test_what_is_no_news_is_left_out(source: str, message: str, expected: str) -> None:
    assert plain_words(source, message) == expected


@pytest.mark.parametrize(
    ("said", "compute", "asks", "asks_not"),
    [
        (
            f"Failed to schedule pod, {GPU_LIMIT}; {TAINT}",
            {"instanceTypes": ["g5.xlarge"], "capacityTypes": ["spot"]},
            ["Wait until other work there ends, or raise spec.limits of NodePool videos-gpu."],
            ["spec.compute", "quota"],
        ),
        (f"{GPU_LIMIT}; {CPU_LIMIT}", {}, ["spec.limits of NodePool videos-gpu and videos-cpu"], ["quota"]),
        (NO_TYPE, {"instanceTypes": ["p5.48xlarge"]}, ["Allow more spec.compute.instanceTypes", "NodePools"], ["both"]),
        (
            WAY_OF_PAYMENT,
            {"capacityTypes": ["on-demand"]},
            ["Allow both spec.compute.capacityTypes"],
            ["instanceTypes"],
        ),
        (f"{GPU_LIMIT}; {NO_TYPE}", {"instanceTypes": ["p5.48xlarge"]}, ["instanceTypes", "NodePool videos-gpu"], []),
        (NO_TYPE, {}, ["Check the requirements and limits of the NodePools"], ["spec.compute"]),
    ],
)
def test_what_to_change_follows_from_what_was_said(
    said: str, compute: dict[str, Any], asks: list[str], asks_not: list[str]
) -> None:
    server = ServerObserved(1, 0, problem("unschedulable", said, source="karpenter"))
    job = a_job({"compute": {"accelerator": "gpu", **compute}})
    desired = decide(job, running(server=server), a_catalogue(karpenter="karpenter"), NOW_S)
    assert condition(desired, "CapacityReady") == ("False", "InsufficientCapacity")
    assert [word for word in asks if word not in desired.message] == []
    assert [word for word in asks_not if word in desired.message] == []


def test_a_refusal_that_passes_with_the_next_look_alarms_nobody() -> None:
    server = ServerObserved(1, 0, problem("unschedulable", GPU_LIMIT, source="karpenter", age_s=11))
    desired = decide(
        a_job({"compute": {"accelerator": "gpu"}}), running(server=server), a_catalogue(karpenter="karpenter"), NOW_S
    )
    assert condition(desired, "CapacityReady") == ("False", "ProvisioningGPU")
    assert [one.type for one in desired.events] == ["Normal"] * len(desired.events)


@pytest.mark.parametrize(("karpenter", "said"), [("karpenter", "from Karpenter"), ("none", "scheduler: 0/2")])
def test_the_schedulers_words_are_told_where_nobody_makes_nodes(karpenter: str, said: str) -> None:
    server = ServerObserved(1, 0, problem("unschedulable", SCHEDULER, source="scheduler"))
    desired = decide(a_job(), running(server=server), a_catalogue(karpenter=karpenter), NOW_S)
    assert said in desired.message


def test_a_need_for_a_node_is_one_event_however_its_story_goes_on() -> None:
    claim = "Pod should schedule on: nodeclaim/gpu-1"
    stories = [
        None,
        problem("unschedulable", SCHEDULER, source="scheduler"),
        problem("unschedulable", claim, source=NODE_PROVISIONING),
    ]
    job = a_job({"compute": {"accelerator": "gpu"}})
    told = {
        one.message
        for story in stories
        for one in decide(
            job, running(server=ServerObserved(1, 0, story)), a_catalogue(karpenter="karpenter"), NOW_S
        ).events
        if one.reason == "NodeRequested"
    }
    assert told == {"a GPU node is needed for the inference server"}


@pytest.mark.parametrize(
    ("observed", "who"),
    [
        (observed_jobs(jobs=(a_plan_job(problem=problem("unschedulable", source="karpenter")),)), "the planner"),
        (running(server=ServerObserved(1, 0)), "the inference server"),
        (running(a_work_job(ready=0, problem=problem("unschedulable")), server=READY), "workers"),
    ],
)
def test_an_event_says_for_whom_a_node_is_needed(observed: Observed, who: str) -> None:
    desired = decide(a_job(), observed, a_catalogue(karpenter="karpenter"), NOW_S)
    (told,) = [one.message for one in desired.events if one.reason == "NodeRequested"]
    assert told == f"a CPU node is needed for {who}"


@pytest.mark.parametrize(("age_s", "again_s"), [(0, 3), (6, 3), (20, 10), (60, 30), (9999, 30)])
def test_the_longer_pods_wait_the_rarer_they_are_looked_at(age_s: float, again_s: float) -> None:
    assert requeue_after_s(PodProblem("unschedulable", "no", NOW_S - age_s), NOW_S) == again_s
    assert requeue_after_s(None, NOW_S) == 30
