"""Kubernetes objects as the API server gives them -> what decisions are made from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from support.decisions import INSTALLATION, NOW_S, a_job
from videojob.kube.read.objects import job_observed, last_error, may_lack_pods, pods_problem, server_observed
from videojob.kube.render.jobs import file_name, plan_job, work_job
from videojob.kube.render.servers import server_deployment
from videojob.kube.render.status import timestamp
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.state.observed import NODE_PROVISIONING, PodProblem, ServerObserved
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.pods import JobObserved, PlannerDesired, WorkersDesired

KEY = ServerKey("face_detector", 1, "cpu")
AT = timestamp(NOW_S)
ERROR = {"reason": "SinkUnavailable", "message": "no answer"}
WANTED = WorkersDesired(2, 1, 3, KEY, 5, 40, 8, suspended=True)


def a_pod(
    *,
    phase: str = "Pending",
    waiting: Mapping[str, Any] | None = None,
    ended: Mapping[str, Any] | None = None,
    last: Mapping[str, Any] | None = None,
    restarts: int = 0,
    ready: bool = False,
    unscheduled: str | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A pod with one container; `ended` and `last` are its terminated states."""
    state = {"waiting": waiting} if waiting else {"terminated": ended} if ended else {"running": {}}
    container = {
        "name": "triton",
        "state": state,
        "lastState": {"terminated": last} if last else {},
        "restartCount": restarts,
        "ready": ready,
        "image": "registry.example/triton:1",
    }
    conditions = [{"type": "Ready", "status": str(ready), "lastTransitionTime": AT}]
    if unscheduled is not None:
        conditions.append({"type": "PodScheduled", "status": "False", "message": unscheduled, "lastTransitionTime": AT})
    containers = [] if unscheduled is not None else [container]
    status = {"phase": phase, "conditions": conditions, "containerStatuses": containers}
    return {"metadata": {"uid": "p1", "creationTimestamp": AT}, "spec": spec, "status": status}


def an_event(component: str, message: str, at_s: float = NOW_S, reason: str = "FailedScheduling") -> dict[str, Any]:
    return {
        "involvedObject": {"uid": "p1"},
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "lastTimestamp": timestamp(at_s),
    }


def test_a_new_job_is_seen_as_it_was_made() -> None:
    made = work_job(a_job(), WANTED, INSTALLATION)
    assert job_observed(made, ()) == JobObserved(
        made["metadata"]["name"],
        "work",
        2,
        suspended=True,
        parallelism=8,
        completions=40,
        epoch=3,
        batch=5,
        server=KEY,
        file=file_name(a_job(), INSTALLATION),
    )
    plan = job_observed(plan_job(a_job(), PlannerDesired(1), INSTALLATION), ())
    assert (plan.kind, plan.attempt, plan.suspended, plan.epoch) == ("plan", 1, False, 0)


@pytest.mark.parametrize(
    ("conditions", "finished", "reason"),
    [
        ([], None, ""),
        ([{"type": "Suspended", "status": "True"}], None, ""),
        ([{"type": "Complete", "status": "False"}], None, ""),
        ([{"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy"}], None, ""),
        ([{"type": "Complete", "status": "True", "reason": "CompletionsReached"}], "Complete", "CompletionsReached"),
        ([{"type": "Failed", "status": "True", "reason": "PodFailurePolicy"}], "Failed", "PodFailurePolicy"),
    ],
)
def test_a_job_has_ended_when_its_condition_says_so(
    conditions: list[dict[str, str]], finished: str | None, reason: str
) -> None:
    made = work_job(a_job(), WANTED, INSTALLATION)
    made["metadata"]["deletionTimestamp"] = AT
    status = {"conditions": [one | {"lastTransitionTime": AT} for one in conditions], "active": 1, "ready": 1}
    made["status"] = status | {"succeeded": 4, "failed": 2, "completedIndexes": "0-3", "startTime": AT}
    seen = job_observed(made, ())
    assert (seen.finished, seen.reason, seen.deleting, seen.started_s) == (finished, reason, True, NOW_S)
    assert (seen.active, seen.ready, seen.succeeded, seen.failed, seen.completed_indexes) == (1, 1, 4, 2, "0-3")
    assert seen.finished_s == (NOW_S if finished else None)


def test_pods_that_were_taken_away_are_counted() -> None:
    gone = a_pod(phase="Failed", ended={"exitCode": 75})
    gone["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True", "lastTransitionTime": AT})
    assert job_observed(work_job(a_job(), WANTED, INSTALLATION), [gone, a_pod()]).disrupted == 1


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ([], None),
        ([a_pod(ended={"exitCode": 0})], None),
        ([a_pod(ended={"exitCode": 1, "message": "a traceback"})], None),
        ([a_pod(ended={"exitCode": 1, "message": "[1, 2]"})], None),
        ([a_pod(ended={"exitCode": 65, "message": json.dumps(ERROR), "finishedAt": AT})], "SinkUnavailable"),
        (
            [
                a_pod(last={"exitCode": 1, "message": json.dumps({"reason": "Newer"}), "finishedAt": "2027-01-02"}),
                a_pod(ended={"exitCode": 1, "message": json.dumps({"reason": "Older"}), "finishedAt": "2027-01-01"}),
            ],
            "Newer",
        ),
    ],
)
def test_the_last_words_of_the_last_pod_are_heard(pods: Sequence[dict[str, Any]], reason: str | None) -> None:
    error = last_error(pods)
    assert (None if error is None else error["reason"]) == reason


NEW = {"metadata": {"uid": "p0", "creationTimestamp": AT}, "spec": {}, "status": {"phase": "Pending"}}
UNPLACED = a_pod(unscheduled="0/3 nodes are available")
PULLING = a_pod(waiting={"reason": "ImagePullBackOff", "message": "not found"})
CRASHED = a_pod(
    phase="Running",
    waiting={"reason": "CrashLoopBackOff"},
    last={"exitCode": 1, "message": "failed to load 'x'", "finishedAt": AT},
    restarts=4,
)


@pytest.mark.parametrize(
    ("pods", "events", "expected"),
    [
        ([], [], None),
        ([a_pod(phase="Running", ready=True)], [], None),
        ([a_pod(phase="Succeeded", ended={"exitCode": 0})], [], None),
        ([a_pod()], [], PodProblem("starting", "its containers are starting", NOW_S)),
        ([a_pod(phase="Running")], [], PodProblem("starting", "its containers are starting", NOW_S)),
        (
            [a_pod(waiting={"reason": "PodInitializing"})],
            [],
            PodProblem("starting", "its containers are starting", NOW_S),
        ),
        ([PULLING], [], PodProblem("image", "ImagePullBackOff: not found", NOW_S)),
        (
            [a_pod(waiting={"reason": "ErrImagePull"})],
            [],
            PodProblem("image", "ErrImagePull: registry.example/triton:1", NOW_S),
        ),
        ([NEW], [], PodProblem("unschedulable", "it was just created", NOW_S, "scheduler")),
        ([UNPLACED], [], PodProblem("unschedulable", "0/3 nodes are available", NOW_S, "scheduler")),
        (
            [UNPLACED],
            [
                an_event("default-scheduler", "0/3"),
                an_event("karpenter", "old", NOW_S - 9),
                an_event("karpenter", "new"),
            ],
            PodProblem("unschedulable", "new", NOW_S, "karpenter"),
        ),
        (
            [UNPLACED],
            [
                an_event("karpenter", "no", NOW_S - 60),
                an_event("karpenter", "nodeclaim/a", reason="Nominated"),
                an_event("karpenter", "?", reason="Other"),
            ],
            PodProblem("unschedulable", "nodeclaim/a", NOW_S, NODE_PROVISIONING),
        ),
        (
            [UNPLACED],
            [
                an_event("karpenter", "nodeclaim/a", NOW_S - 60, reason="Nominated"),
                an_event("karpenter", "it did not come"),
            ],
            PodProblem("unschedulable", "it did not come", NOW_S, "karpenter"),
        ),
        (
            [UNPLACED],
            [an_event("cluster-autoscaler", "max size reached", reason="NotTriggerScaleUp")],
            PodProblem("unschedulable", "max size reached", NOW_S, "cluster-autoscaler"),
        ),
        (
            [a_pod(ended={"exitCode": 1, "message": json.dumps(ERROR | {"retryable": True})})],
            [],
            PodProblem("crashed", "no answer", NOW_S, "triton", 1, 1, retryable=True),
        ),
        ([CRASHED], [], PodProblem("crashed", "failed to load 'x'", NOW_S, "triton", 1, 4)),
        ([UNPLACED, PULLING, CRASHED], [], PodProblem("crashed", "failed to load 'x'", NOW_S, "triton", 1, 4)),
        (
            [a_pod(phase="Failed", ended={"exitCode": 137, "reason": "OOMKilled"})],
            [],
            PodProblem("crashed", "OOMKilled", NOW_S, "triton", 137, 1),
        ),
        (
            [a_pod(phase="Failed", ended={"exitCode": 65, "message": json.dumps(ERROR)})],
            [],
            PodProblem("crashed", "no answer", NOW_S, "triton", 65, 1),
        ),
        # Its successor waits for a node: that is what keeps the work.
        (
            [a_pod(phase="Failed", ended={"exitCode": 1}), UNPLACED],
            [],
            PodProblem("unschedulable", "0/3 nodes are available", NOW_S, "scheduler"),
        ),
    ],
)
def test_why_pods_do_not_run(
    pods: Sequence[dict[str, Any]], events: Sequence[dict[str, Any]], expected: PodProblem | None
) -> None:
    assert pods_problem(pods, events) == expected


def test_a_server_is_seen_with_its_node() -> None:
    made = server_deployment(KEY, ServerDesired(2, NOW_S - 30, busy=False), INSTALLATION)
    assert server_observed(made, ()) == ServerObserved(2, 0, idle_since_s=NOW_S - 30)
    made["status"] = {"readyReplicas": 1}
    labels = {
        "node.kubernetes.io/instance-type": "g6.xlarge",
        "karpenter.sh/capacity-type": "spot",
        "topology.kubernetes.io/zone": "eu-central-1a",
    }
    gone = a_pod()
    gone["metadata"]["deletionTimestamp"] = AT
    pods = [gone, a_pod(phase="Running", ready=True, nodeName="n1")]
    seen = server_observed(made, pods, (), {"n1": {"metadata": {"labels": labels}}})
    assert seen == ServerObserved(2, 1, None, NOW_S - 30, "g6.xlarge", "spot", "eu-central-1a", placed=1)
    assert server_observed(made, pods[1:]).instance_type is None


def a_refused_job(*, suspend: bool = False, **status: Any) -> dict[str, Any]:
    """A Job that was let go, and whose pods may not be made."""
    made = work_job(a_job(), replace(WANTED, suspended=suspend), INSTALLATION)
    made["metadata"]["uid"] = "j1"
    return made | {"status": {"startTime": AT} | status}


def job_event(message: str = "Error creating: no", at_s: float = NOW_S, reason: str = "FailedCreate") -> dict[str, Any]:
    event = an_event("job-controller", message, at_s, reason)
    return event | {"involvedObject": {"uid": "j1"}, "firstTimestamp": AT}


COMPLETE = [{"type": "Complete", "status": "True", "lastTransitionTime": AT}]
LATER = a_pod(phase="Succeeded") | {"metadata": {"uid": "p1", "creationTimestamp": timestamp(NOW_S + 5)}}


@pytest.mark.parametrize(
    ("job", "pods", "events", "words"),
    [
        (a_refused_job(), [], [job_event()], "no"),
        (a_refused_job(), [], [job_event("Error creating: old"), job_event("Error creating: new", NOW_S + 9)], "new"),
        (a_refused_job(), [], [], None),
        (a_refused_job(), [], [job_event(reason="SuccessfulCreate")], None),
        (a_refused_job(), [], [an_event("job-controller", "another's", reason="FailedCreate")], None),
        (a_refused_job(active=1), [], [job_event()], None),
        (a_refused_job(suspend=True), [], [job_event()], None),
        (a_refused_job(conditions=COMPLETE), [], [job_event()], None),
        # What was refused before the newest start, or before a pod that was made since, is history.
        (a_refused_job(startTime=timestamp(NOW_S + 60)), [], [job_event()], None),
        (a_refused_job(), [LATER], [job_event()], None),
        (a_refused_job(), [LATER], [job_event("Error creating: again", NOW_S + 9)], "again"),
    ],
)
def test_why_a_job_has_no_pods(
    job: dict[str, Any], pods: list[dict[str, Any]], events: list[dict[str, Any]], words: str | None
) -> None:
    found = job_observed(job, pods, events).problem
    assert (None if found is None else (found.kind, found.message)) == (None if words is None else ("refused", words))


def test_a_job_that_was_made_just_now_lacks_nothing() -> None:
    made = a_refused_job()
    assert may_lack_pods(made)
    assert not may_lack_pods(made | {"status": {}})


@pytest.mark.parametrize(("replicas", "status", "seen"), [(1, "True", True), (0, "True", False), (1, "False", False)])
def test_why_a_server_has_no_pods(replicas: int, status: str, seen: bool) -> None:
    made = server_deployment(KEY, ServerDesired(replicas, None, busy=True), INSTALLATION)
    failure = {"type": "ReplicaFailure", "status": status, "message": "exceeded quota", "lastTransitionTime": AT}
    found = server_observed(made | {"status": {"conditions": [failure]}}, ()).problem
    assert found == (PodProblem("refused", "exceeded quota", NOW_S) if seen else None)
