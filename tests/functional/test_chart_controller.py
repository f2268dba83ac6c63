"""The controller with the rights and the configuration that the chart gives it, before a real kube-apiserver."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.apiserver import ApiServer
from support.chart_matrix import ALONE, CPU_ONLY, TENANTS
from support.charts import CHART, NAMESPACE, config_text, render
from support.cluster.control_plane import control_plane
from support.cluster.processes import wait_for
from support.controllers import RunningController, running_controller
from support.decisions import a_head
from support.dynamodb import AWS_ENVIRONMENT, dynamodb_local, settings_for
from support.manifests.build import manifest
from support.releases import Cluster, running_cluster
from support.video_values import video_info
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.kube.render.pods import CONTAINER_SECURITY, pod_security
from videojob.video.plan import PlannedVideo

JOBS = "/apis/videojob.dev/v1alpha1/namespaces"
VALUES: dict[str, Any] = {
    "tenants": TENANTS,
    "models": {"face_detector": CPU_ONLY},
    "results": {"createTable": True},
    "aws": {"identity": "none", "region": "us-east-1"},
}
POD = pod_security()
CONTAINER = {"securityContext": dict(CONTAINER_SECURITY)}
S3_INPUT = {"spec.inputs": [{"s3": {"bucket": "videos", "key": "lobby.mp4"}}]}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("controller")) as running:
        running.helm("install", "videojob", CHART, values=VALUES)
        running.helm("uninstall", "videojob")  # leaves the CRD, which a namespaced release finds there
        yield running


@pytest.fixture(scope="module")
def table_url() -> Iterator[str]:
    with dynamodb_local() as url:
        yield url


def refused(running: RunningController) -> list[str]:
    """What the API server forbade, as the controller counted it and kopf wrote it down."""
    counted = re.findall(r'videojob_api_requests_total{code="40[13]".*', running.http.get("/metrics").text)
    return counted + re.findall(r".*APIForbidden.*", running.log.read_text())


@contextmanager
def controller(cluster: Cluster, values: dict[str, Any], table_url: str, folder: Path) -> Iterator[RunningController]:
    """A controller with its account's token and the configuration of the chart."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/videojob-controller/token"
    answer = cluster.server.client.post(path, json={"spec": {}})
    access = json.loads(Path(cluster.env["KUBECONFIG"]).read_text())
    access["users"][0]["user"] = {"token": answer.json()["status"]["token"]}
    (folder / "kubeconfig").write_text(json.dumps(access))
    config = folder / "config.yaml"
    config.write_text(config_text(render(values)))
    flags = ("--deployment=videojob-controller", "--canary=1")
    log = folder / "controller.log"
    with running_controller(config, folder / "kubeconfig", table_url, log, *flags) as running:
        yield running


def looked(running: RunningController, before: float) -> bool:
    """Whether it has looked at a job since there were `before` looks."""
    return running.looks("done") > before


def plan_was_made(uid: str, table_url: str) -> None:
    """What the planner's pod would have written, one video of one segment."""
    store = DynamoDbJobStore(settings_for(table_url, table="videojob-results"))
    video = PlannedVideo(0, "s3://videos/lobby.mp4", "s3://videos/lobby.mp4", "", "v1", info=video_info())
    store.save_plan(uid, a_head(segments=1), [video])
    store.close()


def run_server_pod(client: httpx.Client) -> None:
    """A pod of the server, on a node."""
    client.post("/api/v1/nodes", json={"metadata": {"name": "node"}})
    labels = {"app.kubernetes.io/component": "server", "videojob.dev/server": "triton-face-detector-cpu"}
    container = {"name": "triton", "image": "none"} | CONTAINER
    spec = {"nodeName": "node", "containers": [container], "securityContext": POD}
    pod = {"metadata": {"generateName": "server-", "labels": labels}, "spec": spec}
    answer = client.post(f"/api/v1/namespaces/{NAMESPACE}/pods", json=pod)
    assert answer.is_success, answer.text


def touch(client: httpx.Client, job: dict[str, Any], mark: str = "yes") -> None:
    """Changes a Job, as it would when its pod ends: an event for the controller."""
    path = f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/jobs/{job['metadata']['name']}"
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = client.patch(path, content=json.dumps({"metadata": {"annotations": {"touched": mark}}}), headers=headers)
    assert answer.is_success, answer.text


def begin_job(cluster: Cluster, running: RunningController, table_url: str, name: str) -> None:
    """Makes a VideoJob and waits until it has a planner, a status, a server and workers."""
    client, jobs = cluster.server.client, f"{JOBS}/team-a/videojobs"
    made = client.post(jobs, json=manifest(S3_INPUT, {"metadata.name": name}))
    assert made.is_success, made.text
    children = f"/apis/batch/v1/namespaces/team-a/jobs?labelSelector=videojob.dev/job-name={name}"
    running.wait("the planner's Job", lambda: client.get(children).json()["items"])
    running.wait("a status", lambda: client.get(f"{jobs}/{name}").json().get("status", {}).get("conditions"))
    plan_was_made(f"team-a.{made.json()['metadata']['uid']}", table_url)
    (planner,) = client.get(children).json()["items"]
    touch(client, planner)
    server = f"namespaces/{NAMESPACE}/{{}}/triton-face-detector-cpu"
    running.wait("the server", lambda: client.get("/apis/apps/v1/" + server.format("deployments")).is_success)
    owner = client.get("/apis/apps/v1/" + server.format("deployments")).json()["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Deployment", "videojob-controller")
    running.wait("its Service", lambda: client.get("/api/v1/" + server.format("services")).is_success)
    running.wait("the workers' Job", lambda: len(client.get(children).json()["items"]) == 2)


@pytest.mark.parametrize("scope", ["cluster", "namespaced"])
def test_what_the_chart_grants_is_enough_to_begin_a_job(
    cluster: Cluster, table_url: str, tmp_path: Path, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    values = VALUES if scope == "cluster" else {**ALONE, **VALUES}
    cluster.helm("install", "videojob", CHART, values=values)
    client = cluster.server.client
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/videojob-controller"
    with controller(cluster, values, table_url, tmp_path) as running:
        running.wait("readiness", lambda: running.ok("/readyz"))
        begin_job(cluster, running, table_url, f"{scope}-job")
        running.wait("the canary", lambda: "videojob_watch_silent_seconds 0.0" in running.http.get("/metrics").text)
        assert running.ok("/healthz")
        everyone_s = client.get("/apis/videojob.dev/v1alpha1/videojobs").json()["items"]
        assert [one["metadata"]["name"] for one in everyone_s] == [f"{scope}-job"]
        assert client.get(lease).json()["spec"]["holderIdentity"] != ""
        # A namespaced release may not see nodes: it asks once, and does without.
        run_server_pod(client)
        children = f"/apis/batch/v1/namespaces/team-a/jobs?labelSelector=videojob.dev/job-name={scope}-job"
        (work,) = [one for one in client.get(children).json()["items"] if "-work-" in one["metadata"]["name"]]
        for turn in ("1", "2"):
            before = running.looks("done")
            touch(client, work, turn)
            running.wait("a reconcile", partial(looked, running, before))
        once = ['videojob_api_requests_total{code="403",method="GET"} 1.0']
        assert refused(running) == (once if scope == "namespaced" else [])
        assert running.looks("crashed") == 0
    assert client.get(lease).json()["spec"].get("holderIdentity", "") == ""
    cluster.helm("uninstall", "videojob")
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    for path in (f"{JOBS}/team-a/videojobs/{scope}-job", children, pods):
        client.delete(path)


def inventory(client: httpx.Client) -> set[tuple[str, str, str]]:
    """(kind, namespace, name) of every object there is, but for Events."""
    groups = client.get("/apis").json()["groups"]
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    found = set()
    for root in roots:
        for resource in client.get(root).json()["resources"]:
            if "list" in resource["verbs"] and resource["name"] != "events" and "/" not in resource["name"]:
                items = client.get(f"{root}/{resource['name']}").json()["items"]
                kind = resource["kind"]
                found |= {(kind, one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in items}
    return found


def test_an_uninstall_leaves_nothing_but_the_crd(
    table_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with control_plane(tmp_path / "cluster") as plane:
        homes = {f"HELM_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "CONFIG", "DATA")}
        cluster = Cluster(ApiServer(plane.client), {"KUBECONFIG": str(plane.kubeconfig), **homes})
        for namespace in (NAMESPACE, "team-a", "team-b"):
            plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        accounts = "/api/v1/namespaces/team-b/configmaps/kube-root-ca.crt"
        wait_for("the namespaces' own objects", lambda: plane.client.get(accounts).is_success)
        before = inventory(plane.client)
        cluster.helm("install", "videojob", CHART, values=VALUES)
        with controller(cluster, VALUES, table_url, tmp_path) as running:
            running.wait("readiness", lambda: running.ok("/readyz"))
            begin_job(cluster, running, table_url, "lobby")
            made = {kind for kind, _, _ in inventory(plane.client) - before}
            assert made >= {"VideoJob", "Job", "ConfigMap", "Deployment", "ReplicaSet", "Pod", "Lease"}
            job = f"{JOBS}/team-a/videojobs/lobby"
            plane.client.delete(job)
            running.wait("the job's end", lambda: plane.client.get(job).status_code == httpx.codes.NOT_FOUND)
            cluster.helm("uninstall", "videojob")
            left = {
                ("CustomResourceDefinition", "", "videojobs.videojob.dev"),
                ("APIService", "", "v1alpha1.videojob.dev"),
            }
            wait_for("the end of the rest", lambda: inventory(plane.client) - before == left)
