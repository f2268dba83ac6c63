"""The controller with the rights and the configuration that the chart gives it, before a real kube-apiserver."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.apiserver import _free_ports
from support.chart_matrix import ALONE, CPU_ONLY, TENANTS
from support.charts import CHART, NAMESPACE, config_text, render
from support.decisions import a_head
from support.dynamodb import AWS_ENVIRONMENT, dynamodb_local, settings_for
from support.manifests.build import manifest
from support.releases import Cluster, running_cluster
from support.video_values import video_info
from videojob.adapters.dynamodb_jobs import DynamoDbJobStore
from videojob.planning.jobplan import PlannedVideo

PATIENCE_S = 60.0
JOBS = "/apis/videojob.dev/v1alpha1/namespaces"
VALUES: dict[str, Any] = {
    "tenants": TENANTS,
    "models": {"face_detector": CPU_ONLY},
    "results": {"createTable": True},
    "aws": {"identity": "none", "region": "us-east-1"},
}
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


@dataclass(frozen=True, slots=True)
class Running:
    """A controller's process.

    Attributes:
        http: talks to its port.
    """

    process: subprocess.Popen[bytes]
    log: Path
    http: httpx.Client

    def wait(self, what: str, look: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not look():
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            assert time.monotonic() < deadline, f"{what} did not come: {self.log.read_text()[-4000:]}"
            time.sleep(0.1)

    def ok(self, path: str) -> bool:
        try:
            return self.http.get(path).is_success
        except httpx.TransportError:
            return False

    def refused(self) -> list[str]:
        """What the API server forbade, as the controller counted it and kopf wrote it down."""
        counted = re.findall(r'videojob_api_requests_total{code="40[13]".*', self.http.get("/metrics").text)
        return counted + re.findall(r".*Forbidden.*", self.log.read_text())


@contextmanager
def controller(cluster: Cluster, values: dict[str, Any], table_url: str, folder: Path) -> Iterator[Running]:
    """A controller as the chart's Deployment runs it: its account's token, its configuration, its arguments."""
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/videojob-controller/token"
    answer = cluster.server.client.post(path, json={"spec": {}})
    kubeconfig = json.loads(Path(cluster.env["KUBECONFIG"]).read_text())
    kubeconfig["users"][0]["user"] = {"token": answer.json()["status"]["token"]}
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
    (folder / "config.yaml").write_text(config_text(render(values)))
    (port,) = _free_ports(1)
    arguments = [f"--config={folder}/config.yaml", "--deployment=videojob-controller", "--canary=1", f"--port={port}"]
    environment = os.environ | AWS_ENVIRONMENT | {"AWS_ENDPOINT_URL_DYNAMODB": table_url, "AWS_REGION": "us-east-1"}
    log = folder / "controller.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("videojob"), "controller", *arguments, f"--kubeconfig={folder}/kubeconfig"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
        try:
            yield Running(process, log, http)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def plan_was_made(uid: str, table_url: str) -> None:
    """What the planner's pod would have written, one video of one segment."""
    store = DynamoDbJobStore(settings_for(table_url, table="videojob-results"))
    video = PlannedVideo(0, "s3://videos/lobby.mp4", "s3://videos/lobby.mp4", "", "v1", info=video_info())
    store.save_plan(uid, a_head(segments=1), [video])
    store.close()


def touch(client: httpx.Client, job: dict[str, Any]) -> None:
    """Changes a Job, as it would when its pod ends: an event for the controller."""
    path = f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/jobs/{job['metadata']['name']}"
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = client.patch(path, content=json.dumps({"metadata": {"annotations": {"touched": "yes"}}}), headers=headers)
    assert answer.is_success, answer.text


@pytest.mark.parametrize("scope", ["cluster", "namespaced"])
def test_what_the_chart_grants_is_enough_to_begin_a_job(
    cluster: Cluster, table_url: str, tmp_path: Path, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    values = VALUES if scope == "cluster" else {**ALONE, **VALUES}
    cluster.helm("install", "videojob", CHART, values=values)
    client, jobs = cluster.server.client, f"{JOBS}/team-a/videojobs"
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/videojob-controller"
    with controller(cluster, values, table_url, tmp_path) as running:
        running.wait("readiness", lambda: running.ok("/readyz"))
        made = client.post(jobs, json=manifest(S3_INPUT, {"metadata.name": f"{scope}-job"}))
        assert made.is_success, made.text
        children = f"/apis/batch/v1/namespaces/team-a/jobs?labelSelector=videojob.dev/job-name={scope}-job"
        running.wait("the planner's Job", lambda: client.get(children).json()["items"])
        own = f"{jobs}/{scope}-job"
        running.wait("a status", lambda: client.get(own).json().get("status", {}).get("conditions"))
        plan_was_made(f"team-a.{made.json()['metadata']['uid']}", table_url)
        (planner,) = client.get(children).json()["items"]
        touch(client, planner)
        server = f"namespaces/{NAMESPACE}/{{}}/triton-face-detector-cpu"
        running.wait("the server", lambda: client.get("/apis/apps/v1/" + server.format("deployments")).is_success)
        owner = client.get("/apis/apps/v1/" + server.format("deployments")).json()["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"]) == ("Deployment", "videojob-controller")
        running.wait("its Service", lambda: client.get("/api/v1/" + server.format("services")).is_success)
        running.wait("the workers' Job", lambda: len(client.get(children).json()["items"]) == 2)
        running.wait("the canary", lambda: "videojob_canary_silent_seconds 0.0" in running.http.get("/metrics").text)
        assert running.ok("/healthz")
        assert client.get(lease).json()["spec"]["holderIdentity"] != ""
        assert running.refused() == []
    assert client.get(lease).json()["spec"].get("holderIdentity", "") == ""
    cluster.helm("uninstall", "videojob")
    for path in (own, children, f"{JOBS}/{NAMESPACE}/videojobs/videojob-canary"):
        client.delete(path)
