"""Which pods of a Job are read: a few, however many it has had, and those that tell why it does not go on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.fake_cluster import FakeCluster
from support.job_desk import KEY, JobDesk
from videojob.controller.pods import MOST_PODS, pod_events, telling_pods
from videojob.kube.kinds import EVENTS, JOBS, PODS
from videojob.kube.read.objects import job_observed
from videojob.kube.render.status import timestamp

TEAM = KEY[0]
NAME, UID = "entrance-work-1", "uid-1"
LABELS = {"videojob.dev/job-uid": UID, "batch.kubernetes.io/job-name": NAME}
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "message": "no room"}
AT = "2027-01-15T08:00:00Z"


def a_job(**status: Any) -> dict[str, Any]:
    labels = {"videojob.dev/job-uid": UID, "app.kubernetes.io/component": "worker"}
    metadata = {"name": NAME, "namespace": TEAM, "uid": "job-uid", "labels": labels}
    return {"metadata": metadata, "spec": {}, "status": {"startTime": AT} | status}


def put(cluster: FakeCluster, phase: str, *, name: str = "", index: int = 0, **status: Any) -> None:
    name = name or f"{NAME}-{index}-{phase.lower()}"
    labels = LABELS | {"batch.kubernetes.io/job-completion-index": str(index)}
    metadata = {"name": name, "namespace": TEAM, "uid": name, "labels": labels, "creationTimestamp": AT}
    cluster.put(PODS, {"metadata": metadata, "spec": {}, "status": {"phase": phase} | status})


def failed(error: str) -> list[dict[str, Any]]:
    told = json.dumps({"reason": error, "message": f"{error} it is", "retryable": False})
    ended = {"exitCode": 65, "message": told, "finishedAt": AT}
    return [{"name": "videojob", "state": {"terminated": ended}, "ready": False}]


def phases(cluster: FakeCluster, job: dict[str, Any]) -> list[str]:
    return sorted(pod["status"]["phase"] for pod in telling_pods(cluster, TEAM, job))


@pytest.mark.parametrize("ended", [20, 1400])
def test_as_many_pods_are_read_of_a_job_with_20_that_ended_as_of_one_with_1400(ended: int) -> None:
    desk = JobDesk()
    work = desk.let_work()
    status = {"startTime": timestamp(desk.clock.now_s()), "active": 2, "ready": 1, "failed": 1, "succeeded": ended}
    work = desk.cluster.put(JOBS, work | {"status": status})
    labels = work["spec"]["template"]["metadata"]["labels"] | {"batch.kubernetes.io/job-name": work["metadata"]["name"]}
    metadata = {"namespace": TEAM, "labels": labels, "creationTimestamp": AT}
    for at, phase in enumerate(["Succeeded"] * ended + ["Failed", "Pending", "Running"]):
        name = f"entrance-{at}"
        desk.cluster.put(PODS, {"metadata": metadata | {"name": name}, "spec": {}, "status": {"phase": phase}})
    desk.clock.seconds += 10
    desk.cluster.read.clear()
    desk.look()
    assert desk.cluster.read[PODS.plural] == 2, "the one that waits and the one that failed"


@pytest.mark.parametrize(
    ("there", "active", "read"),
    [
        ({"Pending": 2, "Running": 4, "Succeeded": 9}, 6, {"Pending": 2}),
        ({"Failed": 2, "Running": 8}, 8, {"Failed": 2, "Running": 3}),
        ({"Failed": 2, "Succeeded": 5}, 0, {"Failed": 2}),
        ({"Failed": 100, "Pending": 50}, 50, {"Failed": MOST_PODS, "Pending": MOST_PODS}),
        ({"Failed": 100, "Running": 50}, 50, {"Failed": MOST_PODS, "Running": 3}),
        ({"Pending": 900}, 900, {"Pending": MOST_PODS}),
    ],
)
def test_a_few_pods_of_each_kind_that_tells_something_are_read(
    there: dict[str, int], active: int, read: dict[str, int]
) -> None:
    cluster = FakeCluster()
    for phase, count in there.items():
        for index in range(count):
            put(cluster, phase, index=index)
    assert phases(cluster, a_job(active=active)) == sorted(one for one, count in read.items() for _ in range(count))


def test_a_pod_that_waits_is_seen_behind_a_thousand_that_failed() -> None:
    cluster = FakeCluster()
    for index in range(1000):
        put(cluster, "Failed", index=index, containerStatuses=failed("InputUnavailable"))
    put(cluster, "Pending", index=7, conditions=[UNSCHEDULABLE])
    job = a_job(active=1, failed=1000)
    problem = job_observed(job, telling_pods(cluster, TEAM, job)).problem
    assert problem is not None
    assert (problem.kind, problem.message) == ("unschedulable", "no room")


def over(reason: str, message: str = "", **status: Any) -> dict[str, Any]:
    condition = {"type": "Failed", "status": "True", "reason": reason, "message": message, "lastTransitionTime": AT}
    return a_job(conditions=[condition], failed=1001, **status)


@pytest.mark.parametrize(
    "job",
    [
        over(
            "PodFailurePolicy",
            f"Container videojob for pod {TEAM}/the-one failed with exit code 64 matching FailJob rule at index 0",
        ),
        over("FailedIndexes", "Job has failed indexes", failedIndexes="999,1200-1210"),
    ],
    ids=["by the policy", "by an index"],
)
def test_of_a_job_that_failed_the_pod_by_which_it_did_is_read_among_a_thousand(job: dict[str, Any]) -> None:
    cluster = FakeCluster()
    for index in range(998):
        put(cluster, "Failed", index=index, containerStatuses=failed("InputUnavailable"))
    put(cluster, "Failed", name="the-one", index=999, containerStatuses=failed("InputCorrupt"))
    seen = job_observed(job, telling_pods(cluster, TEAM, job))
    assert seen.error is not None
    assert seen.error["reason"] == "InputCorrupt"
    assert cluster.read.get(PODS.plural, 0) <= 1


def test_another_job_of_the_same_videojob_is_left_out() -> None:
    cluster = FakeCluster()
    put(cluster, "Failed")
    job = a_job()
    job["metadata"]["name"] = "entrance-work-2"
    assert telling_pods(cluster, TEAM, job) == []


def test_a_bounded_number_of_events_about_a_pod_is_read() -> None:
    cluster = FakeCluster()
    put(cluster, "Pending", name="p", conditions=[UNSCHEDULABLE])
    for at in range(5000):
        metadata = {"name": f"p.{at}", "namespace": TEAM}
        cluster.put(EVENTS, {"metadata": metadata, "involvedObject": {"uid": "p"}, "reason": "FailedScheduling"})
    assert 0 < len(pod_events(cluster, TEAM, telling_pods(cluster, TEAM, a_job()))) <= 100
