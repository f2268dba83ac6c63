"""What a controller needs around itself: a real apiserver behind a proxy that breaks, a table, a configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from support.api_faults import ApiFaults, faulty_api
from support.apiserver import ApiServer, running_apiserver
from support.cluster.processes import wait_for
from support.controllers import RunningController, kubeconfig, running_controller
from support.dynamodb import AWS_ENVIRONMENT, dynamodb_local, settings_for
from support.played_jobs import TABLE, PlayedCluster, played_cluster
from support.previous_release import Release
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.cli.programs.crd import CrdFormat, crd_text

SYSTEM = "videojob-system"
TEAM = "team-a"
JOBS = f"/apis/videojob.dev/v1alpha1/namespaces/{TEAM}/videojobs"
CHILDREN = f"/apis/batch/v1/namespaces/{TEAM}/jobs"
SERVER = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/triton-face-detector-cpu"
SERVICE = f"/api/v1/namespaces/{SYSTEM}/services/triton-face-detector-cpu"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/videojob-controller"
MERGE = {"Content-Type": "application/merge-patch+json"}
QUICK = ("--lease=2",)
"""Flags of a controller that need not wait long for itself."""

CONFIG: Mapping[str, Any] = {
    "image": "registry.example/videojob:1",
    "results": {"table": TABLE, "createTable": True, "region": "us-east-1"},
    "triton": {"namespace": SYSTEM, "cpu": {"image": "registry.example/triton:1", "idleSeconds": 1}},
    "models": {
        "face_detector": {
            "digest": "sha256:" + "a" * 64,
            "source": {"pvc": {"claimName": "models"}},
            "variants": {"cpu": {"framesPerSecond": "20", "startSeconds": 1}},
        }
    },
}


@dataclass
class ControllerWorld:
    """The surroundings.

    Attributes:
        client: talks to the apiserver, past the proxy.
        faults: the proxy before it, which controllers go through.
        played: the cluster's other half.
    """

    folder: Path
    client: httpx.Client
    faults: ApiFaults
    played: PlayedCluster
    table_url: str
    token: str
    _logs: list[Path] = field(default_factory=list)

    def controller(
        self,
        *flags: str,
        config: Mapping[str, Any] = CONFIG,
        ends_well: bool = True,
        clock_ahead_s: float = 0.0,
        release: Release | None = None,
    ) -> AbstractContextManager[RunningController]:
        """A controller that goes through the proxy."""
        number = len(self._logs)
        path = self.folder / f"config-{number}.yaml"
        path.write_text(yaml.safe_dump(dict(config)))
        access = kubeconfig(self.folder / f"kubeconfig-{number}", self.faults.url, self.token)
        self._logs.append(self.folder / f"controller-{number}.log")
        return running_controller(
            path,
            access,
            self.table_url,
            self._logs[-1],
            *flags,
            ends_well=ends_well,
            clock_ahead_s=clock_ahead_s,
            release=release,
        )

    def start(self, name: str, **spec: Any) -> str:
        """Makes a VideoJob; returns its uid."""
        base = {"inputs": [{"s3": {"bucket": "videos", "key": "a.mp4"}}], "model": {"name": "face_detector"}}
        labels = spec.pop("labels", {})
        value = {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoJob",
            "metadata": {"name": name, "namespace": TEAM, "labels": labels},
            "spec": base | spec,
        }
        answer = self.client.post(JOBS, json=value)
        assert answer.is_success, answer.text
        return str(answer.json()["metadata"]["uid"])

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"{JOBS}/{name}").json()
        return found

    def status(self, name: str) -> dict[str, Any]:
        return dict(self.job(name).get("status") or {})

    def reason(self, name: str) -> str:
        conditions = {one["type"]: one for one in self.status(name).get("conditions", ())}
        return str(conditions.get("Succeeded", {}).get("reason", ""))

    def has_ended(self, name: str) -> bool:
        return "completionTime" in self.status(name)

    def children(self, name: str) -> list[dict[str, Any]]:
        """Its Jobs."""
        answer = self.client.get(CHILDREN, params={"labelSelector": f"videojob.dev/job-name={name}"})
        return list(answer.json()["items"])

    def change(self, path: str, value: Mapping[str, Any]) -> None:
        answer = self.client.patch(path, content=json.dumps(value), headers=MERGE)
        assert answer.is_success, answer.text

    def free_lease(self) -> None:
        """Its holder is known to be dead: the next one need not wait until that is certain."""
        self.change(LEASE, {"spec": {"holderIdentity": ""}})

    def demand_right_end(self, name: str, uid: str, after: str) -> None:
        """One Job of each kind, one run, one summary, no orphan, and the server back at zero."""
        assert self.reason(name) == "Completed", (after, self.status(name))
        kinds = sorted(one["metadata"]["labels"]["app.kubernetes.io/component"] for one in self.children(name))
        assert kinds == ["planner", "worker"], (after, kinds)
        identity = f"{TEAM}.{uid}"
        assert {run for run in self.played.begun if run[0] == identity} == {(identity, 1)}, after
        assert self.status(name)["epoch"] == 1, after
        with closing(DynamoDbJobStore(settings_for(self.table_url, table=TABLE))) as store:
            assert store.summary(identity) is not None, after
        assert self.client.get(SERVICE).is_success, after
        wait_for(f"the server at zero after {after}", lambda: self.replicas() == 0, 30)

    def replicas(self) -> int | None:
        """Of the server; None when there is none."""
        answer = self.client.get(SERVER)
        return None if answer.status_code == httpx.codes.NOT_FOUND else int(answer.json()["spec"].get("replicas", 0))


@contextmanager
def controller_world(
    folder: Path, start: Callable[[Path], AbstractContextManager[ApiServer]] = running_apiserver
) -> Iterator[ControllerWorld]:
    """Brings it up in seconds, without a controller; `start` brings the apiserver."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in AWS_ENVIRONMENT.items():
            patch.setenv(name, value)
        server = stack.enter_context(start(folder))
        url = stack.enter_context(dynamodb_local())
        server.install_crd(crd_text(CrdFormat.YAML))
        for name in (SYSTEM, TEAM):
            server.client.post("/api/v1/namespaces", json={"metadata": {"name": name}})
        faults = stack.enter_context(faulty_api(str(server.client.base_url)))
        played = stack.enter_context(played_cluster(server.client, url))
        token = server.client.headers.get("Authorization", "").removeprefix("Bearer ")
        yield ControllerWorld(folder, server.client, faults, played, url, token)
