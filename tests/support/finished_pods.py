"""Jobs with many pods that have ended, before a real kube-apiserver and a real controller, and what that takes.

No kubelet and no Job controller run: pods are made as the Job's template says and told how they ended, and the Job's
status is written as the Job controller would write it. The plan and the commits are in DynamoDB Local.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.cluster.processes import wait_for
from support.cluster.readings import Readings, Watched
from support.controller_world import CHILDREN, CONFIG, TEAM, ControllerWorld, controller_world
from support.controllers import RunningController, kubeconfig, running_controller
from support.dynamodb import settings_for
from support.plans import planned_job
from support.played_jobs import TABLE
from support.results import segment_commit, segment_result
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import ModelFacts

RELEASE = "VIDEOJOB_SOAK_RELEASE"
"""Environment variable: the `operator/src` of another release, whose controller is measured instead."""
MERGE = {"Content-Type": "application/merge-patch+json"}
MIB = 1 << 20
SEGMENTS = 1600
"""Of each job, however many of its pods have ended: what is compared is the pods alone."""
FRAMES = 20_000_000
"""So many that each pod has one segment or two."""
_THREADS = 8
_POD_LOOK_S = 60.0

Object = dict[str, Any]


@dataclass
class Soak:
    """A world whose controllers go past the proxy, and are watched by /proc.

    Attributes:
        world: see there.
        watched: all controllers.
    """

    world: ControllerWorld
    watched: Watched = field(default_factory=Watched)
    _started: int = 0
    _done: dict[str, int] = field(default_factory=dict)

    @contextmanager
    def controller(self, *flags: str) -> Iterator[RunningController]:
        """One with the chart's usual times, ready and watched."""
        self._started += 1
        folder = self.world.folder
        config = folder / f"soak-{self._started}.yaml"
        config.write_text(yaml.safe_dump(dict(CONFIG)))
        url = str(self.world.client.base_url)
        access = kubeconfig(folder / f"soak-kubeconfig-{self._started}", url, self.world.token)
        log = folder / f"soak-{self._started}.log"
        with other_release(), running_controller(config, access, self.world.table_url, log, *flags) as made:
            made.ready()
            self.watched.follow(made)
            yield made

    def readings(self) -> Readings:
        """As of now."""
        self.watched.read()
        return self.watched.readings()

    def at_work(self, name: str, ended: int) -> Object:
        """A job at work of whose pods so many have ended well, one failed, one waits and one runs; returns its Job."""
        self.world.played.segments, self.world.played.frames = SEGMENTS, FRAMES
        uid = self.world.start(name)
        work = wait_for(f"workers of {name}", lambda: self._work_job(name), _POD_LOOK_S)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda at: self._pod(work, at, "Succeeded"), range(ended)))
        for at, phase in enumerate(("Failed", "Pending", "Running")):
            self._pod(work, ended + at, phase)
        self._commit(name, uid, int(work["metadata"]["annotations"]["videojob.dev/epoch"]), ended)
        self._done[work["metadata"]["name"]] = int(work["spec"]["completions"]) // 2
        self.move(work)
        return work

    def move(self, work: Object) -> None:
        """One more pod ends: the Job controller writes the Job's status."""
        name = work["metadata"]["name"]
        done = self._done[name] = self._done[name] + 1
        assert done < int(work["spec"]["completions"]), "as many pods have ended as there are indexes"
        status = {
            "startTime": "2026-01-01T00:00:00Z",
            "active": 2,
            "ready": 1,
            "failed": 1,
            "succeeded": done,
            "completedIndexes": f"0-{done - 1}" if done > 1 else "0",
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
        path = f"{CHILDREN}/{name}/status"
        answer = self.world.client.patch(path, content=json.dumps({"status": status}), headers=MERGE)
        assert answer.is_success, answer.text

    def first_status_s(self, name: str) -> float:
        """From a job's creation to its first status."""
        began_s = time.monotonic()
        self.world.start(name)
        while "startTime" not in self.world.status(name):
            assert time.monotonic() - began_s < _POD_LOOK_S, f"{name} has no status"
            time.sleep(0.02)
        return time.monotonic() - began_s

    def _work_job(self, name: str) -> Object | None:
        found = [one for one in self.world.children(name) if "-work-" in one["metadata"]["name"]]
        return found[0] if found and not found[0]["spec"].get("suspend") else None

    def _pod(self, work: Object, at: int, phase: str) -> None:
        template, name = work["spec"]["template"], work["metadata"]["name"]
        index = {"batch.kubernetes.io/job-completion-index": str(at)}
        labels = template["metadata"]["labels"] | {"batch.kubernetes.io/job-name": name, "job-name": name} | index
        metadata = {"name": f"{name}-{at}-abcde", "namespace": TEAM, "labels": labels, "annotations": index}
        place = {} if phase == "Pending" else {"nodeName": f"node-{at % 20}"}
        spec = template["spec"] | place
        pods = f"/api/v1/namespaces/{TEAM}/pods"
        value = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
        answer = self.world.client.post(pods, json=value)
        assert answer.is_success, answer.text
        path = f"{pods}/{metadata['name']}/status"
        answer = self.world.client.patch(path, content=json.dumps({"status": pod_status(phase)}), headers=MERGE)
        assert answer.is_success, answer.text

    def _commit(self, name: str, uid: str, epoch: int, count: int) -> None:
        videos = planned_job(cuts=[SEGMENTS - 1])
        segments = [segment for video in videos for segment in video.segments]
        run = RunRecord(f"{TEAM}.{uid}", TEAM, name, "plan-a", len(segments), epoch=epoch)
        with closing(DynamoDbJobStore(settings_for(self.world.table_url, table=TABLE))) as store:
            store.describe_model(run, ModelFacts("face_detector", "1", ("face", "car")))
            with ThreadPoolExecutor(_THREADS) as pool:
                list(pool.map(lambda one: store.commit(run, segment_commit(segment_result(one))), segments[:count]))


@contextmanager
def soak() -> Iterator[Soak]:
    """A world of its own, without a controller, whose workers do nothing."""
    with tempfile.TemporaryDirectory(prefix="videojob-soak-") as folder, controller_world(Path(folder)) as world:
        world.played.works = False
        yield Soak(world)


def pod_status(phase: str) -> Object:
    """As a kubelet, or for one that waits the scheduler, tells it."""
    at = "2026-01-01T00:00:00Z"
    if phase == "Pending":
        words = "0/20 nodes are available: 20 Insufficient cpu. preemption: 0/20 nodes are available."
        waits = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        return {"phase": phase, "conditions": [waits | {"lastTransitionTime": at}]}
    running = phase == "Running"
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    code = 0 if phase == "Succeeded" else 1
    ended = {
        "exitCode": code,
        "reason": "Completed",
        "startedAt": at,
        "finishedAt": at,
        "containerID": "containerd://a",
    }
    return {
        "phase": phase,
        "conditions": [{"type": one, "status": "True", "lastTransitionTime": at} for one in kinds],
        "hostIP": "10.0.0.1",
        "podIP": "10.1.0.1",
        "podIPs": [{"ip": "10.1.0.1"}],
        "startTime": at,
        "qosClass": "Burstable",
        "containerStatuses": [
            {
                "name": "videojob",
                "image": CONFIG["image"],
                "imageID": f"{CONFIG['image']}@sha256:{'a' * 64}",
                "containerID": "containerd://a",
                "ready": running,
                "started": running,
                "restartCount": 0,
                "state": {"running": {"startedAt": at}} if running else {"terminated": ended},
            }
        ],
    }


def other_release() -> AbstractContextManager[object]:
    """Programs that are started in the block are of the release that `RELEASE` names, if it does."""
    folder = os.environ.get(RELEASE)
    if folder is None:
        return pytest.MonkeyPatch.context()
    return _with_path(Path(folder))


@contextmanager
def _with_path(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder.resolve(strict=True)))
        yield
