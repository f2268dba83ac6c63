"""What a real Kubernetes rejects of a job is reported as Kubernetes says it; the job continues when it is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.charts import NAMESPACE
from support.cluster.many_jobs import TEAM, ManyJobs, many_jobs_world
from support.cluster.processes import wait_for
from support.dynamodb import AWS_ENVIRONMENT

pytestmark = pytest.mark.timeout(400)
STRANGERS = "team-of-strangers"
PATIENCE_S = 90.0
SERVERS = "app.kubernetes.io/component=server"
ACCOUNT = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "videojob-worker", "namespace": STRANGERS},
}
URGENT = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "urgent"}, "value": 1000}


@pytest.fixture(scope="module")
def world() -> Iterator[ManyJobs]:
    """A control plane with played nodes, and a controller with the chart's rights."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        with many_jobs_world(2) as world, world.controller("--lease=4", "--canary=2") as controller:
            controller.ready()
            world.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": STRANGERS}})
            yield world


def start(world: ManyJobs, name: str, namespace: str = TEAM, **spec: Any) -> str:
    """Makes a VideoJob; returns its path."""
    base = {"inputs": [{"s3": {"bucket": "videos", "key": "a.mp4"}}], "model": {"name": "face_detector"}}
    value = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": base | spec,
    }
    world.cluster.apply(value)
    return f"/apis/videojob.dev/v1alpha1/namespaces/{namespace}/videojobs/{name}"


def quota_of_zero(world: ManyJobs, namespace: str, what: str) -> None:
    metadata = {"name": "none", "namespace": namespace}
    world.cluster.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {what: "0"}}}
    )
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/none"
    wait_for("the quota", lambda: world.cluster.get(path).get("status", {}).get("hard"), PATIENCE_S)


def no_quota(world: ManyJobs, namespace: str) -> None:
    world.cluster.kubectl("delete", "resourcequota", "none", "--namespace", namespace)


def replicas(world: ManyJobs) -> int:
    """Of all servers that are there."""
    found = world.cluster.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?labelSelector={SERVERS}")["items"]
    return sum(one["spec"]["replicas"] + one.get("status", {}).get("replicas", 0) for one in found)


def wait_for_reason(world: ManyJobs, path: str, reason: str) -> str:
    """The job's message once it has the reason."""

    def has_it() -> bool:
        conditions = world.cluster.get(path).get("status", {}).get("conditions", ())
        return any(one["type"] == "Succeeded" and one["reason"] == reason for one in conditions)

    wait_for(f"{reason} of {path}", has_it, PATIENCE_S)
    return str(world.cluster.get(path)["status"]["message"])


def test_a_quota_that_leaves_no_room_for_the_server_is_told_with_its_name(world: ManyJobs) -> None:
    wait_for("the end of the others' server", lambda: replicas(world) == 0, PATIENCE_S)
    quota_of_zero(world, NAMESPACE, "pods")
    path = start(world, "without-server")
    message = wait_for_reason(world, path, "CreationRefused")
    assert message.startswith("Kubernetes rejects the inference server: ")
    assert "exceeded quota: none" in message
    no_quota(world, NAMESPACE)
    wait_for_reason(world, path, "Completed")


def test_a_namespace_that_is_no_tenants_has_no_account_for_workers(world: ManyJobs) -> None:
    path = start(world, "stranger", STRANGERS)
    message = wait_for_reason(world, path, "CreationRefused")
    assert "serviceaccount" in message.replace(" ", "").lower()
    assert "`tenants`" in message
    world.cluster.apply(ACCOUNT)
    wait_for_reason(world, path, "Completed")


def test_a_priority_class_that_does_not_exist_is_named(world: ManyJobs) -> None:
    path = start(world, "urgent", priorityClassName="urgent")
    message = wait_for_reason(world, path, "CreationRefused")
    assert "no PriorityClass with name urgent was found" in message
    world.cluster.apply(URGENT)
    wait_for_reason(world, path, "Completed")


def test_a_quota_of_jobs_is_told_with_its_name(world: ManyJobs) -> None:
    quota_of_zero(world, TEAM, "count/jobs.batch")
    path = start(world, "poor")
    message = wait_for_reason(world, path, "CreationRefused")
    assert "exceeded quota: none" in message
    assert "ResourceQuota" in message
    no_quota(world, TEAM)
    wait_for_reason(world, path, "Completed")
