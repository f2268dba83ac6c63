"""`videojob doctor` before a real kube-apiserver with the chart in it, a real table and an S3.

Nobody plays controllers here: what they would write into statuses is written by the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from support.chart_matrix import KARPENTER, MODEL, TENANTS
from support.charts import CHART, NAMESPACE, crd_folder
from support.command import Finished, command_line
from support.controllers import kubeconfig
from support.doctor import condition
from support.dynamodb import AWS_ENVIRONMENT, dynamodb_local, settings_for
from support.releases import Cluster, running_cluster
from support.s3 import moto_server
from videojob.adapters.aws.dynamodb.sink import DynamoDbSink

pytestmark = pytest.mark.timeout(300)
TEAM, TABLE, REGION = "team-a", "videojob-results", "us-east-1"
MERGE = {"Content-Type": "application/merge-patch+json"}
VALUES: dict[str, Any] = {
    "tenants": TENANTS,
    "models": {"face_detector": MODEL},
    "karpenter": KARPENTER,
    "aws": {"region": REGION},
    "results": {"retentionDays": 7},
    "monitoring": {"serviceMonitor": {"enabled": True}},
}
CRDS = (
    "karpenter.k8s.aws_ec2nodeclasses",
    "karpenter.sh_nodepools",
    "monitoring.coreos.com_servicemonitors",
    "monitoring.coreos.com_podmonitors",
)


@dataclass(frozen=True, slots=True)
class World:
    """A cluster with a release, and what is in AWS for it."""

    cluster: Cluster
    environment: dict[str, str]
    folder: Path

    def doctor(self, *arguments: str, **environment: str) -> dict[str, dict[str, str]]:
        """The findings by their checks."""
        done = self.types("--json", *arguments, **environment)
        assert done.err == ""
        found = {one["check"]: one for one in done.document["checks"]}
        assert done.document["problems"] == sum(one["level"] == "problem" for one in found.values())
        assert done.code == (1 if done.document["problems"] else 0)
        return found

    def types(self, *arguments: str, **environment: str) -> Finished:
        done = subprocess.run(
            command_line("doctor", *arguments),
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def set_status(self, path: str, status: dict[str, Any]) -> None:
        client = self.cluster.server.client
        answer = client.patch(f"{path}/status", content=json.dumps({"status": status}), headers=MERGE)
        assert answer.is_success, answer.text

    def person(self, name: str, *rules: dict[str, Any]) -> Path:
        """The kubeconfig of somebody who may do this in the team's namespace, and no more."""
        client = self.cluster.server.client
        client.post(f"/api/v1/namespaces/{TEAM}/serviceaccounts", json={"metadata": {"name": name}})
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{TEAM}"
        client.post(f"{rbac}/roles", json={"metadata": {"name": name}, "rules": list(rules)})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": TEAM}
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": [subject]}
        client.post(f"{rbac}/rolebindings", json=binding)
        token = client.post(f"/api/v1/namespaces/{TEAM}/serviceaccounts/{name}/token", json={"spec": {}}).json()
        return kubeconfig(self.folder / name, str(client.base_url).rstrip("/"), token["status"]["token"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("doctor")
    with running_cluster(folder) as cluster, dynamodb_local() as table_url, moto_server() as s3_url:
        for name in CRDS:
            cluster.server.install_crd((crd_folder() / f"{name}.yaml").read_text())
        environment = AWS_ENVIRONMENT | {
            "AWS_ENDPOINT_URL_DYNAMODB": table_url,
            "AWS_ENDPOINT_URL_S3": s3_url,
            # Nobody listens there: the quota is requested, and not available.
            "AWS_ENDPOINT_URL_SERVICE_QUOTAS": "http://127.0.0.1:9",
        }
        made = World(cluster, os.environ | environment | cluster.env, folder)
        before = made.doctor("-n", TEAM)
        assert before["CRD"]["level"] == before["controller"]["level"] == "problem"
        cluster.helm("install", "videojob", CHART, values=VALUES)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            make_aws(table_url, s3_url)
        make_healthy(made)
        yield made


def make_aws(table_url: str, s3_url: str) -> None:
    """The table and the model's folder."""
    settings = replace(settings_for(table_url, table=TABLE), retention_s=7 * 86_400)
    sink = DynamoDbSink(settings)
    sink.create_table()
    sink.close()
    s3 = boto3.session.Session().client("s3", region_name="us-east-1", endpoint_url=s3_url)
    s3.create_bucket(Bucket="models")
    s3.put_object(Bucket="models", Key="face_detector/config.pbtxt", Body=b"x")


def make_healthy(world: World) -> None:
    """What controllers would write."""
    client = world.cluster.server.client
    world.set_status(
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/videojob-controller",
        {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    )
    renew(world)
    ready = {"conditions": [condition("Ready", "True", "Ready") | {"lastTransitionTime": now()}]}
    for pool in ("gpu", "cpu"):
        world.set_status(f"/apis/karpenter.sh/v1/nodepools/{NAMESPACE}-videojob-{pool}", ready)
        world.set_status(f"/apis/karpenter.k8s.aws/v1/ec2nodeclasses/{NAMESPACE}-videojob-{pool}", ready)
    labels = {"app.kubernetes.io/name": "karpenter"}
    container = {"name": "controller", "image": "none"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    deployments = "/apis/apps/v1/namespaces/kube-system/deployments"
    client.post("/api/v1/namespaces", json={"metadata": {"name": "kube-system"}})
    answer = client.post(deployments, json={"metadata": {"name": "karpenter", "labels": labels}, "spec": spec})
    assert answer.is_success, answer.text
    world.set_status(f"{deployments}/karpenter", {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1})


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def renew(world: World, holder: str = "videojob-controller-1") -> None:
    """The Lease, as its holder keeps it."""
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 600, "renewTime": now().replace("Z", ".000000Z")}
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/videojob-controller"
    answer = world.cluster.server.client.patch(path, content=json.dumps({"spec": spec}), headers=MERGE)
    assert answer.is_success, answer.text


def test_a_healthy_installation_has_no_problem(world: World) -> None:
    found = world.doctor("-n", TEAM)
    assert {check: one["level"] for check, one in found.items()} == {
        "API server": "ok",
        "CRD": "ok",
        "your rights": "ok",
        "controller": "ok",
        "namespace team-a": "ok",
        "leader": "ok",
        "controller's rights": "ok",
        "Karpenter": "ok",
        "NodePools": "ok",
        f"EC2NodeClass {NAMESPACE}-videojob-cpu": "ok",
        f"EC2NodeClass {NAMESPACE}-videojob-gpu": "ok",
        "GPU NodePool": "ok",
        "AMI bottlerocket@1.66.0": "ok",
        "image of CPU servers": "warning",
        "GPU model": "ok",
        "device plugin": "not checked",
        "identity": "not checked",
        f"table {TABLE}": "ok",
        f"retention in {TABLE}": "ok",
        "model at s3://models/face_detector/": "ok",
        "GPU quota on-demand": "not checked",
        "GPU quota spot": "not checked",
        "prices, Karpenter": "not checked",
        "prices, AWS": "not checked",
        "prices, static table": "ok",
        "Prometheus": "not checked",
    }
    assert "v1.34.4" in found["API server"]["seen"]
    assert "AWS cannot be reached" in found["GPU quota spot"]["seen"]


def test_people_get_a_line_per_check_what_to_do_and_the_counts(world: World) -> None:
    done = world.types("-n", TEAM)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("ok           API server             Kubernetes v1.34.4 at https://127.0.0.1:")
    assert any(line.startswith("             -> `aws eks list-pod-identity-associations") for line in lines)
    assert lines[-1] == "0 problems, 1 warning, 18 ok, 7 not checked"


def test_a_namespace_that_is_no_tenants_lacks_the_workers_account(world: World) -> None:
    found = world.doctor("-n", "stranger")
    assert found["identity of workers"]["level"] == "problem"
    assert "stranger/videojob-worker does not exist" in found["identity of workers"]["seen"]
    assert "tenants" in found["identity of workers"]["advice"]


def test_a_controller_that_died_is_found(world: World) -> None:
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/videojob-controller"
    world.set_status(path, {"replicas": 1, "readyReplicas": 0, "availableReplicas": 0})
    renew(world, holder="")
    found = world.doctor("-n", TEAM)
    world.set_status(path, {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1})
    renew(world)
    assert (found["controller"]["level"], found["leader"]["level"]) == ("problem", "problem")
    assert "no pod of it is ready" in found["controller"]["seen"]


def test_a_table_or_model_that_is_not_there_is_found_and_what_cannot_be_reached_is_not_checked(world: World) -> None:
    elsewhere = world.doctor("-n", TEAM, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    assert elsewhere["model at s3://models/face_detector/"]["level"] == "not checked"
    keys = {"AWS_ACCESS_KEY_ID": "somebodyelse"}  # DynamoDB Local keeps the tables of each apart
    found = world.doctor("-n", TEAM, **keys)
    assert found[f"table {TABLE}"]["level"] == "problem"
    assert f"retention in {TABLE}" not in found


def test_a_tenant_sees_what_a_tenant_may_and_the_rest_is_not_checked(world: World) -> None:
    path = world.person(
        "ann",
        {"apiGroups": ["videojob.dev"], "resources": ["videojobs"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods", "pods/log", "events"], "verbs": ["get", "list"]},
    )
    found = world.doctor("-n", TEAM, "--kubeconfig", str(path))
    assert found["your rights"]["level"] == "warning"
    assert "create videojobs.videojob.dev (create jobs)" in found["your rights"]["seen"]
    assert {one["check"] for one in found.values() if one["level"] == "problem"} == set()
    for check in ("CRD", "controller", "installation"):
        assert found[check]["level"] == "not checked"


def test_a_server_that_does_not_answer_is_the_one_problem(world: World, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:9", "x")
    done = world.types("--json", "--kubeconfig", str(path))
    assert done.code == 1
    (only,) = done.document["checks"]
    assert (only["check"], only["level"]) == ("API server", "problem")


def test_a_server_that_knows_nobody_is_told_apart(world: World, tmp_path: Path) -> None:
    address = str(world.cluster.server.client.base_url).rstrip("/")
    done = world.types("--json", "--kubeconfig", str(kubeconfig(tmp_path / "kubeconfig", address, "stale")))
    (only,) = done.document["checks"]
    assert (done.code, only["level"]) == (1, "problem")
    assert "401" in only["seen"]
