"""VideoJobs on a cluster under test: made, waited for, disturbed, and compared with the laptop."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.cluster.processes import wait_for
from support.cluster.world import CREDENTIALS, SYSTEM, TABLE, World
from support.command import videojob
from support.samples import sample_path
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.adapters.sqlite.sink import SqliteSink

_ROOT = "/apis/videojob.dev/v1alpha1/namespaces"
DONE_S = 300.0


@dataclass(frozen=True, slots=True)
class Job:
    """One VideoJob on the cluster."""

    world: World
    manifest: dict[str, Any]

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def path(self) -> str:
        return f"{_ROOT}/{self.namespace}/videojobs/{self.name}"

    def read(self) -> dict[str, Any]:
        return self.world.cluster.get(self.path)

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.read().get("status", {}))

    @property
    def reason(self) -> str:
        conditions = {one["type"]: one for one in self.status.get("conditions", ())}
        return str(conditions.get("Succeeded", {}).get("reason", ""))

    def wait(self, what: Callable[[dict[str, Any]], bool], words: str, timeout_s: float = DONE_S) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            status = self.status
            return status if what(status) else None

        try:
            return wait_for(f"{self.namespace}/{self.name}: {words}", look, timeout_s)
        except TimeoutError as error:
            raise AssertionError(f"{error}; it is {self.reason}: {self.status.get('message')}") from error

    def end(self, timeout_s: float = DONE_S) -> str:
        """The reason that it ended with."""
        self.wait(lambda status: "completionTime" in status, "its end", timeout_s)
        return self.reason

    def working(self) -> None:
        """Until a worker pod runs."""
        wait_for("a running worker", lambda: self.pods("worker", "Running") or None, DONE_S)

    def pods(self, component: str, phase: str | None = None) -> list[dict[str, Any]]:
        labels = f"videojob.dev/job-name={self.name},app.kubernetes.io/component={component}"
        found = self.world.cluster.get(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector={labels}")["items"]
        return [pod for pod in found if phase in {None, pod["status"].get("phase")}]

    def children(self) -> list[str]:
        """What was made for it, by kind and name."""
        labels = f"videojob.dev/job-name={self.name}"
        kinds = "jobs,pods,configmaps"
        return self.world.cluster.kubectl("-n", self.namespace, "get", kinds, "-l", labels, "-o", "name").splitlines()

    def patch(self, spec: dict[str, Any]) -> None:
        text = json.dumps({"spec": spec})
        self.world.cluster.kubectl("-n", self.namespace, "patch", "vj", self.name, "--type=merge", "-p", text)

    def delete(self) -> None:
        self.world.cluster.kubectl("-n", self.namespace, "delete", "vj", self.name, "--wait=true")

    def summary(self) -> bytes:
        """What DynamoDB has of it."""
        uid = f"{self.namespace}.{self.read()['metadata']['uid']}"
        store = DynamoDbJobStore(DynamoDbSettings(TABLE), self.world.dynamodb())
        found = store.summary(uid)
        store.close()
        assert found is not None
        return found


def put_videos(world: World) -> None:
    """Real videos into the bucket "videos": two good ones, and a good and a bad one."""
    client = world.s3()
    for name in ("bikes.mp4", "carphone.mp4"):
        client.put_object(Bucket="videos", Key=f"good/{name}", Body=sample_path(name).read_bytes())
    client.put_object(Bucket="videos", Key="mixed/bikes.mp4", Body=sample_path("bikes.mp4").read_bytes())
    client.put_object(Bucket="videos", Key="mixed/letter.mp4", Body=b"Dear all, this is no video. " * 200)


def start(world: World, name: str, prefix: str, *, namespace: str = "team-a", **spec: Any) -> Job:
    """Applies a VideoJob on what lies in the bucket "videos" below a prefix."""
    manifest = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "inputs": [{"s3": {"bucket": "videos", "prefix": prefix}}],
            "model": {"name": "face_detector"},
        }
        | spec,
    }
    world.cluster.apply(manifest)
    return Job(world, manifest)


def laptop_summary(job: Job, folder: Path) -> bytes:
    """What `videojob run` makes of the same manifest."""
    path = folder / "job.yaml"
    path.write_text(json.dumps(job.manifest))
    output = folder / "laptop"
    done = videojob("run", path, "--output", output, "--json", AWS_ENDPOINT_URL_S3=job.world.s3_url, **CREDENTIALS)
    assert done.code in {0, 3}, done.err
    sink = SqliteSink(output / "results.sqlite3", read_only=True)
    found = sink.summary(sink.runs()[0].uid)
    sink.close()
    assert found is not None
    return found


def job_keys(world: World) -> set[str]:
    """The partition keys in the results table."""
    pages = world.dynamodb().get_paginator("scan").paginate(TableName=TABLE, ProjectionExpression="PK")
    return {item["PK"]["S"] for page in pages for item in page["Items"]}


def servers(world: World) -> list[dict[str, Any]]:
    """The pods of Triton."""
    labels = "app.kubernetes.io/component=server"
    items: list[dict[str, Any]] = world.cluster.get(f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector={labels}")["items"]
    return items


def wait_for_no_server(world: World) -> None:
    """Until Triton is back at zero."""
    wait_for("Triton at zero", lambda: not servers(world) or None, 120.0)


def processes_of(words: str) -> list[int]:
    """Processes of pods whose command line has these words; never one that this machine runs beside the node."""
    found, own = [], Path("/proc/self/ns/pid").readlink()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if words in line and (folder / "ns" / "pid").readlink() != own:
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended meanwhile
    return found


def send(words: str, number: signal.Signals) -> int:
    """Sends a signal to those processes; returns to how many."""
    found = processes_of(words)
    for pid in found:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return len(found)
