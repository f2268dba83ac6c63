"""What a real kube-apiserver says to everything that the controller renders: no unknown field, no warning, and Pod
Security's level "restricted" lets the pods in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import httpx
import pytest

from support.apiserver import ApiServer
from support.decisions import (
    NOW_S,
    UID,
    a_catalogue,
    a_head,
    a_job,
    a_work_job,
    observed_jobs,
    problem,
    results,
    running,
    stored,
)
from videojob.api.videojob import VideoJob
from videojob.kube.names import child_name
from videojob.kube.render.events import event_of
from videojob.kube.render.jobs import config_map, plan_job, work_job
from videojob.kube.render.servers import server_deployment, server_service
from videojob.kube.render.status import merge_patch
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.installation import (
    AcceleratorSettings,
    ImageSource,
    Installation,
    ModelSource,
    PvcSource,
    S3Source,
)
from videojob.planning.state.desired import EventDesired
from videojob.planning.state.observed import Observed, ServerObserved
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.pods import PlannerDesired, WorkersDesired

pytestmark = pytest.mark.timeout(3600)  # the first run may have to build the apiserver
NAMESPACE = "restricted"
RESOURCES = {
    "ConfigMap": f"/api/v1/namespaces/{NAMESPACE}/configmaps",
    "Event": f"/api/v1/namespaces/{NAMESPACE}/events",
    "Service": f"/api/v1/namespaces/{NAMESPACE}/services",
    "Pod": f"/api/v1/namespaces/{NAMESPACE}/pods",
    "Job": f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs",
    "Deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    "VideoJob": f"/apis/videojob.dev/v1alpha1/namespaces/{NAMESPACE}/videojobs",
}
FREE = ServerKey("face_detector", 1, "cpu")
BOUND = ServerKey("face_detector", 1, "gpu", ("on-demand", "spot"), ("g6.xlarge", "u-6tb1.112xlarge"))
SOURCES: tuple[ModelSource, ...] = (
    S3Source("models", "face_detector/", "eu-central-1", "123456789012"),
    PvcSource("models", "face_detector"),
    ImageSource("registry.example/models:1", "/models/face_detector"),
)
TOLERATION = {"key": "team", "operator": "Equal", "value": "video", "effect": "NoSchedule"}


@pytest.fixture(scope="module")
def server(apiserver: ApiServer) -> Iterator[httpx.Client]:
    """The apiserver with a namespace that enforces "restricted"; gone afterwards."""
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    client = apiserver.client
    answer = client.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE, "labels": level}})
    assert answer.is_success, answer.text
    for name in ("videojob-worker", "videojob-triton"):
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
        assert client.post(path, json={"metadata": {"name": name}}).is_success
    yield client
    client.delete(f"/api/v1/namespaces/{NAMESPACE}")


def dry_run(client: httpx.Client, value: dict[str, Any]) -> dict[str, Any]:
    """What the server would store; asserts that it neither refuses nor warns."""
    value["metadata"]["namespace"] = NAMESPACE
    params = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": "tests"}
    answer = client.post(RESOURCES[value["kind"]], params=params, json=value)
    assert answer.is_success, answer.text
    assert answer.headers.get_list("Warning") == []
    made: dict[str, Any] = answer.json()
    return made


def as_pod(workload: dict[str, Any]) -> dict[str, Any]:
    """The pod that a controller would make: only on pods is Pod Security enforced."""
    template = workload["spec"]["template"]
    metadata = {**template["metadata"], "name": "one"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def wanted(server: ServerKey = FREE, **changes: Any) -> WorkersDesired:
    values: dict[str, Any] = {
        "attempt": 1,
        "plan_attempt": 1,
        "epoch": 1,
        "server": server,
        "batch": 1,
        "completions": 10,
        "parallelism": 4,
        "suspended": True,
    }
    return WorkersDesired(**values | changes)


def constrained_job() -> VideoJob:
    compute = {"capacityTypes": ["spot"], "instanceTypes": ["c7i.xlarge"], "limits": {"workers": 3}}
    spec = {"compute": compute, "backoffLimit": 0, "activeDeadlineSeconds": 600, "priorityClassName": "high"}
    return a_job(spec, name="a" * 52, labels={"kueue.x-k8s.io/queue-name": "gpus"})


def catalogues() -> list[Installation]:
    plain = a_catalogue()
    placed = AcceleratorSettings("registry.example/triton:1", 60, {"pool": "video"}, (TOLERATION,))
    worker = replace(plain.worker, node_selector={"pool": "video"}, tolerations=(TOLERATION,))
    model = plain.models["face_detector"]
    flavors: tuple[Literal["karpenter", "autoMode", "none"], ...] = ("karpenter", "autoMode", "none")
    sources = [
        replace(plain, models={"face_detector": replace(model, source=source)}, karpenter=flavor)
        for source, flavor in zip(SOURCES, flavors, strict=True)
    ]
    return [*sources, replace(plain, accelerators={"cpu": placed, "gpu": placed}, worker=worker, karpenter="none")]


@pytest.mark.parametrize("installation", catalogues(), ids=("s3", "pvc", "image", "placed"))
@pytest.mark.parametrize("key", [FREE, BOUND], ids=("free", "bound"))
def test_servers_are_accepted(server: httpx.Client, installation: Installation, key: ServerKey) -> None:
    deployment = server_deployment(key, ServerDesired(2, NOW_S, busy=True), installation)
    dry_run(server, deployment)
    pod = as_pod(deployment)
    pod["spec"].pop("priorityClassName", None)
    dry_run(server, pod)
    dry_run(server, server_service(key, installation))


@pytest.mark.parametrize("job", [a_job(), constrained_job()], ids=("plain", "constrained"))
@pytest.mark.parametrize("installation", catalogues(), ids=("s3", "pvc", "image", "placed"))
def test_jobs_are_accepted(server: httpx.Client, job: VideoJob, installation: Installation) -> None:
    dry_run(server, config_map(job, installation))
    for made in (
        plan_job(job, PlannerDesired(1), installation),
        work_job(job, wanted(), installation),
        work_job(job, wanted(BOUND, completions=10_000, parallelism=200, batch=10, suspended=False), installation),
        work_job(job, wanted(attempt=3, suspended=None), installation),
    ):
        dry_run(server, made)
        pod = as_pod(made)
        pod["spec"].pop("priorityClassName", None)  # the class itself is not there
        dry_run(server, pod)


def test_an_indexed_job_of_the_longest_name_has_host_names_that_fit() -> None:
    """The apiserver looks at the last index: name, "-", five digits, at most 63 characters."""
    name = child_name(constrained_job().metadata, "work-10")
    assert len(f"{name}-99999") <= 63


def test_events_are_accepted(server: httpx.Client) -> None:
    job = a_job(name="a" * 52, namespace=NAMESPACE)
    dry_run(server, event_of(job, EventDesired("Warning", "SegmentRetried", "x" * 3000), NOW_S))


def test_this_namespace_does_refuse_a_pod_that_may_do_more(server: httpx.Client) -> None:
    pod = as_pod(plan_job(a_job(), PlannerDesired(1), a_catalogue()))
    del pod["spec"]["securityContext"]["seccompProfile"]
    answer = server.post(RESOURCES["Pod"], params={"dryRun": "All"}, json=pod)
    assert (answer.status_code, "seccompProfile" in answer.text) == (403, True)


def statuses() -> dict[str, list[Observed]]:
    refused = ServerObserved(1, 0, problem("unschedulable", "no instance type", source="karpenter"))
    at_work = ServerObserved(2, 1, instance_type="g6.xlarge", capacity_type="spot", zone="eu-central-1a")
    working = running(a_work_job(), server=at_work, results=results(4))
    settled = running(a_work_job(finished="Complete"), results=results(10))
    summed_up = running(results=results(10, finished="PartiallyCompleted", message="a gap", frames_done=2990))
    return {
        "begins": [observed_jobs()],
        "refused": [running(a_work_job(suspended=True), server=refused)],
        "to the end": [observed_jobs(), running(), working, settled, summed_up, observed_jobs()],
        "no plan": [observed_jobs(head=a_head(error={"reason": "InputNotFound", "message": "no", "uri": "s3://a/b"}))],
        "table away": [working, observed_jobs(store_error="no route")],
    }


@pytest.mark.parametrize("looks", statuses().values(), ids=statuses())
def test_a_status_is_stored_as_it_was_rendered(server: httpx.Client, looks: list[Observed]) -> None:
    """Else the controller would find a difference at each reconcile, and write for ever."""
    job = a_job(name="status")
    values = job.as_manifest()
    values["metadata"] = {"name": "status"}
    path = RESOURCES["VideoJob"]
    assert server.post(path, params={"fieldValidation": "Strict"}, json=values).is_success
    try:
        before: dict[str, Any] = {}
        for number, look in enumerate(looks):
            job, _ = stored(job, look, a_catalogue(), NOW_S + 10 * number)
            assert job.status is not None
            status = job.status.as_manifest()
            patch = {"status": merge_patch(before, status)}
            answer = server.patch(
                f"{path}/status/status",
                params={"fieldValidation": "Strict"},
                content=json.dumps(patch),
                headers={"Content-Type": "application/merge-patch+json"},
            )
            assert answer.is_success, answer.text
            assert answer.headers.get_list("Warning") == []
            before = answer.json()["status"]
            assert before == status
    finally:
        server.delete(f"{path}/status")


def test_a_child_belongs_to_its_job_alone() -> None:
    (owner,) = config_map(a_job(), a_catalogue())["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["kind"]) == (UID, True, "VideoJob")
