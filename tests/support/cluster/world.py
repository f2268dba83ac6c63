"""What a test on the real node needs around the project: S3, DynamoDB, the model, and the chart installed."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx

from support.cluster.control_plane import ROOT, Cluster, control_plane
from support.cluster.existing import existing_cluster, forwarded, make_namespaces, own_kubeconfig, own_namespaces
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
from videojob.adapters.triton.model_repository import model_digest
from videojob.local.models.ready import ensure_built

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

SYSTEM = "videojob-system"
RELEASE = "videojob"
TABLE = "videojob-results"
MODEL = "face_detector"
CHANGED_MODEL = "changed_detector"
BROKEN_MODEL = "broken_detector"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
_IN_CLUSTER = {
    "s3": "http://s3.support.svc:5000",
    "dynamodb": "http://dynamodb.support.svc:8000",
}


_NAMESPACES = ("support", "team-a", "team-b", SYSTEM)
_JAVA = ["java", "-Xmx512m", "-Djava.io.tmpdir=/tmp", "-Djava.library.path=lib", "-cp", "lib/*"]
_LOCAL = ["com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-disableTelemetry"]
# Port, command and working folder of each store.
_STORES: Mapping[str, tuple[int, list[str], str]] = {
    "s3": (5000, ["moto_server", "-H", "0.0.0.0", "-p", "5000"], "/tmp"),  # noqa: S104 - in a pod
    "dynamodb": (8000, [*_JAVA, *_LOCAL, "-port", "8000"], "/opt/dynamodb"),
}


@dataclass(frozen=True, slots=True)
class World:
    """A real cluster with stores, ready for the chart.

    Attributes:
        node: that the tests started; None on somebody's own cluster.
        s3_url, dynamodb_url: as this process reaches them.
        digest: of the model in the bucket "models". broken_digest: of one there whose weights are none.
    """

    cluster: Cluster
    node: Node | None
    s3_url: str
    dynamodb_url: str
    digest: str
    broken_digest: str = ""

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
                MODEL: _entry(self.digest, MODEL),
                # The files are not those that were pinned.
                CHANGED_MODEL: _entry("sha256:" + "0" * 64, MODEL),
                BROKEN_MODEL: _entry(self.broken_digest, BROKEN_MODEL),
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

    def uninstall(self) -> None:
        """Takes the chart away, and its CRD, which helm leaves."""
        self.cluster.helm("uninstall", RELEASE, "--namespace", SYSTEM, "--ignore-not-found", "--wait")
        self.cluster.kubectl("delete", "crd", "videojobs.videojob.dev", "--ignore-not-found")


_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@contextmanager
def world(folder: Path | None = None) -> Iterator[World]:
    """Brings it all up, in about half a minute when the images are built; or uses the cluster of `own_kubeconfig`."""
    with ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videojob-e2e-")))
        own = own_kubeconfig()
        if own is None:
            cluster, node = stack.enter_context(_own_node(place / "cluster"))
            make_namespaces(cluster, *_NAMESPACES)
        else:
            cluster, node = stack.enter_context(existing_cluster(own, place / "cluster")), None
            stack.enter_context(own_namespaces(cluster, *_NAMESPACES))
        for name, (port, command, where) in _STORES.items():
            _start_service(cluster, name, port, command, where)
        urls = {
            name: _address(cluster, name, port)
            if node
            else stack.enter_context(_forwarded_when_ready(cluster, name, port))
            for name, (port, _, _) in _STORES.items()
        }
        broken = _broken_model(place)
        digests = model_digest(ensure_built(MODEL) / MODEL), model_digest(broken)
        made = World(cluster, node, urls["s3"], urls["dynamodb"], *digests)
        _fill(made, broken)
        yield made
        if node is None:
            made.uninstall()


@contextmanager
def _own_node(folder: Path) -> Iterator[tuple[Cluster, Node]]:
    images = [project_image(), triton_image(), support_image()]
    pause = pause_image()
    with (
        network() as holder,
        control_plane(folder, HOST_ADDRESS) as cluster,
        real_node(cluster, holder, pause) as node,
    ):
        for image in images:
            node.import_image(image)
        yield cluster, node


def _entry(digest: str, folder: str) -> dict[str, Any]:
    """A model of the installation, from a folder of the bucket "models"."""
    variant = {
        "backend": "python",
        "framesPerSecond": "20",
        "cpu": "500m",
        "memory": "2Gi",
        "instances": 1,
        "maxReplicas": 2,
    }
    source = {"s3": {"bucket": "models", "prefix": f"{folder}/"}}
    return {"version": 1, "digest": digest, "source": source, "variants": {"cpu": variant}}


def _broken_model(place: Path) -> Path:
    """The model's folder under another name, with weights that no runtime reads."""
    folder = place / BROKEN_MODEL
    shutil.copytree(ensure_built(MODEL) / MODEL, folder)
    config = folder / "config.pbtxt"
    config.write_text(config.read_text().replace(f'name: "{MODEL}"', f'name: "{BROKEN_MODEL}"'))
    (folder / "1" / "model.onnx").write_bytes(b"these are no weights")
    return folder


def _fill(made: World, broken: Path) -> None:
    wait_for("S3", lambda: _answers(made.s3_url))
    wait_for("DynamoDB", lambda: _answers(made.dynamodb_url))
    client = made.s3()
    for bucket in ("models", "videos"):
        client.create_bucket(Bucket=bucket)
    upload_folder(client, ensure_built(MODEL) / MODEL, "models", MODEL)
    upload_folder(client, broken, "models", BROKEN_MODEL)


def upload_folder(client: S3Client, folder: Path, bucket: str, prefix: str) -> None:
    """Every file of a folder, below a prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            client.upload_file(str(path), bucket, f"{prefix}/{path.relative_to(folder).as_posix()}")


def _start_service(cluster: Cluster, name: str, port: int, command: list[str], folder: str) -> None:
    """A pod of the support image behind a Service."""
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


def _address(cluster: Cluster, name: str, port: int) -> str:
    """The URL by which this process reaches a Service of the node that it started."""
    return f"http://{cluster.get(f'/api/v1/namespaces/support/services/{name}')['spec']['clusterIP']}:{port}"


@contextmanager
def _forwarded_when_ready(cluster: Cluster, name: str, port: int) -> Iterator[str]:
    cluster.kubectl("-n", "support", "rollout", "status", f"deployment/{name}", "--timeout=5m", timeout_s=310)
    with forwarded(cluster, "support", name, port) as url:
        yield url


def _answers(url: str) -> bool:
    try:
        httpx.get(url, timeout=2)
    except httpx.TransportError:
        return False
    return True
