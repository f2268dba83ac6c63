"""What a test on the real node needs around the project: S3, DynamoDB, the model, and the chart installed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx

from support.cluster.control_plane import ROOT, Cluster, control_plane
from support.cluster.images import (
    PROJECT_IMAGE,
    SUPPORT_IMAGE,
    TRITON_IMAGE,
    pause_image,
    project_image,
    support_image,
    triton_image,
)
from support.cluster.node import HOST_ADDRESS, Node, network, real_node
from support.cluster.processes import wait_for
from videojob.adapters.model_repository import model_digest
from videojob.local.models.paths import ensure_built

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

SYSTEM = "videojob-system"
RELEASE = "videojob"
TABLE = "videojob-results"
MODEL = "face_detector"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
_IN_CLUSTER = {
    "s3": "http://s3.support.svc:5000",
    "dynamodb": "http://dynamodb.support.svc:8000",
}


@dataclass(frozen=True, slots=True)
class World:
    """A real cluster with stores, ready for the chart.

    Attributes:
        s3_url, dynamodb_url: as this process reaches them.
        digest: of the model in the bucket "models".
    """

    cluster: Cluster
    node: Node
    s3_url: str
    dynamodb_url: str
    digest: str

    def s3(self) -> S3Client:
        """A client for arranging buckets."""
        return boto3.client("s3", endpoint_url=self.s3_url, region_name="us-east-1", **_KEYS)  # type: ignore[call-overload,no-any-return]

    def dynamodb(self) -> DynamoDBClient:
        """A client for reading results."""
        return boto3.client("dynamodb", endpoint_url=self.dynamodb_url, region_name="us-east-1", **_KEYS)  # type: ignore[call-overload,no-any-return]

    def values(self, **more: Any) -> dict[str, Any]:
        """Values of the chart for this cluster."""
        repository, tag = PROJECT_IMAGE.rsplit(":", 1)
        triton, triton_tag = TRITON_IMAGE.rsplit(":", 1)
        return {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "aws": {"identity": "none", "region": "us-east-1", "endpoints": dict(_IN_CLUSTER)},
            "controller": {"env": CREDENTIALS, "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
            "results": {"table": TABLE, "createTable": True},
            "tenants": [{"namespace": "team-a"}, {"namespace": "team-b"}],
            "worker": {
                "cpu": "200m",
                "memory": "384Mi",
                "memoryLimit": "1Gi",
                "scratch": "1Gi",
                "maxWorkers": 2,
                "gracePeriodSeconds": 20,
                "env": CREDENTIALS,
            },
            "triton": {
                "gpu": {"enabled": False},
                "cpu": {"image": {"repository": triton, "tag": triton_tag}, "idleSeconds": 5},
            },
            "models": {
                MODEL: {
                    "version": 1,
                    "digest": self.digest,
                    "source": {"s3": {"bucket": "models", "prefix": f"{MODEL}/"}},
                    "variants": {
                        "cpu": {
                            "backend": "python",
                            "framesPerSecond": "20",
                            "cpu": "500m",
                            "memory": "2Gi",
                            "instances": 1,
                            "maxReplicas": 2,
                        }
                    },
                }
            },
            "networkPolicy": {"enabled": True},
        } | more

    def install(self, **more: Any) -> None:
        """Installs or upgrades the chart and waits for the controller."""
        values = self.cluster.folder / "values.json"
        values.write_text(json.dumps(self.values(**more)))
        chart = ROOT / "charts" / "videojob"
        self.cluster.helm(
            *("upgrade", "--install", RELEASE, chart, "--namespace", SYSTEM, "--create-namespace"),
            *("--values", values, "--wait", "--timeout", "3m"),
        )


_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@contextmanager
def world(folder: Path | None = None) -> Iterator[World]:
    """Brings it all up, in about half a minute when the images are built."""
    images = [project_image(), triton_image(), support_image()]
    pause = pause_image()
    with ExitStack() as stack:
        place = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videojob-e2e-"))) if folder is None else folder
        )
        holder = stack.enter_context(network())
        cluster = stack.enter_context(control_plane(place / "cluster", HOST_ADDRESS))
        node = stack.enter_context(real_node(cluster, holder, pause))
        for image in images:
            node.import_image(image)
        yield _furnished(cluster, node)


def _furnished(cluster: Cluster, node: Node) -> World:
    for name in ("support", "team-a", "team-b"):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    s3 = _service(cluster, "s3", 5000, ["moto_server", "-H", "0.0.0.0", "-p", "5000"])  # noqa: S104 - in a pod
    java = ["java", "-Xmx512m", "-Djava.io.tmpdir=/tmp", "-Djava.library.path=lib", "-cp", "lib/*"]
    local = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
    dynamodb = _service(
        cluster, "dynamodb", 8000, [*java, local, "-inMemory", "-disableTelemetry", "-port", "8000"], "/opt/dynamodb"
    )
    made = World(cluster, node, s3, dynamodb, model_digest(ensure_built(MODEL) / MODEL))
    wait_for("S3", lambda: _answers(s3))
    wait_for("DynamoDB", lambda: _answers(dynamodb))
    client = made.s3()
    for bucket in ("models", "videos"):
        client.create_bucket(Bucket=bucket)
    upload_folder(client, ensure_built(MODEL) / MODEL, "models", MODEL)
    return made


def upload_folder(client: S3Client, folder: Path, bucket: str, prefix: str) -> None:
    """Every file of a folder, below a prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")


def _service(cluster: Cluster, name: str, port: int, command: list[str], folder: str = "/tmp") -> str:
    """A pod of the support image behind a Service; returns its URL as this process reaches it."""
    labels = {"app": name}
    container = {
        "name": name,
        "image": SUPPORT_IMAGE,
        "imagePullPolicy": "Never",
        "command": command,
        "workingDir": folder,
        # moto would take the first part of its own host name for a bucket.
        "env": [{"name": "S3_IGNORE_SUBDOMAIN_BUCKETNAME", "value": "true"}],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
    }
    pod: Mapping[str, Any] = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    metadata = {"name": name, "namespace": "support"}
    cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": [{"port": port}]},
        },
    )
    address = cluster.get(f"/api/v1/namespaces/support/services/{name}")["spec"]["clusterIP"]
    return f"http://{address}:{port}"


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.TransportError:
        return False
    return True
