"""An upgrade under a running job: this release finishes what the previous one began, wherever it was, byte for byte.

Controllers, planner, workers, apiserver, DynamoDB, S3 and Triton are real. Kubelet and Job controller are played: a
Job's pods run here as processes, with the arguments of its template, and the program of the release that its image
stands for.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.apiserver import ApiServer
from support.command import TIMEOUT_S, command_line
from support.controller_world import CHILDREN, LEASE, TEAM, ControllerWorld, controller_world
from support.controllers import RunningController
from support.dynamodb import settings_for
from support.played_jobs import TABLE
from support.previous_release import Release, unpack_previous_release
from support.s3 import direct_client, use_endpoint
from support.samples import sample_path
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.cli.programs.crd import CrdFormat, crd_text
from videojob.local.triton.server import EmbeddedTriton

pytestmark = pytest.mark.timeout(900)
VIDEOS = ("bikes", "carphone", "carphone-again")
REFERENCE = "reference"
Object = dict[str, Any]


@dataclass
class Upgrade:
    """A cluster with the previous release's CRD and a job's videos.

    Attributes:
        old: the previous release.
        server: HOST:PORT of the Triton that all pods use.
    """

    world: ControllerWorld
    old: Release
    server: str
    folder: Path

    def start(self, name: str) -> str:
        spec = {"inputs": [{"s3": {"bucket": "videos", "prefix": "job/"}}], "sampling": {"everyNthFrame": 20}}
        return self.world.start(name, **spec)

    @contextmanager
    def previous(self) -> Iterator[RunningController]:
        """The previous release leads, with its own CRD."""
        ApiServer(self.world.client).install_crd(self.old.crd)
        self.world.client.delete(LEASE)
        with self.world.controller("--lease=2", release=self.old) as leading:
            leading.ready()
            yield leading

    @contextmanager
    def present(self) -> Iterator[RunningController]:
        """This release takes over, its CRD first, as the guide says."""
        ApiServer(self.world.client).install_crd(crd_text(CrdFormat.YAML))
        self.world.client.delete(LEASE)
        with self.world.controller("--lease=2") as leading:
            leading.ready()
            yield leading

    def begun(self, leading: RunningController, name: str, done: int) -> tuple[str, Object]:
        """A job of the previous release, some of whose indexes are done; its uid and its workers' Job."""
        uid = self.start(name)
        self.plan(self.child(leading, name, "planner"), self.old)
        work = self.child(leading, name, "worker")
        leading.wait("the epoch in its status", lambda: "epoch" in self.world.status(name))
        for number in range(done):
            self.pod(work, self.old, number)
        return uid, work

    def child(self, leading: RunningController, name: str, component: str, *, other_than: str = "") -> Object:
        """A Job that the controller has made, and has not suspended."""

        def found() -> list[Object]:
            return [
                one
                for one in self.world.children(name)
                if one["metadata"]["labels"]["app.kubernetes.io/component"] == component
                and not one["spec"].get("suspend")
                and one["metadata"]["uid"] != other_than
            ]

        leading.wait(f"a {component}", found)
        return found()[-1]

    def plan(self, job: Object, release: Release | None) -> None:
        self.pod(job, release)
        self.world.played.end(job)

    def all_indexes(self, job: Object) -> None:
        """The whole Job, by this release."""
        for number in range(job["spec"]["completions"]):
            self.pod(job, None, number)
        self.world.played.end(job)

    def demand_end(self, leading: RunningController, name: str, uid: str, summary: bytes) -> None:
        leading.wait("the end", lambda: self.world.has_ended(name))
        assert self.world.reason(name) == "PartiallyCompleted", self.world.status(name)
        assert self.world.status(name)["epoch"] == 1
        assert _without_hints(self.summary(uid, name)) == _without_hints(summary)

    def pod(self, job: Object, release: Release | None, index: int | None = None) -> None:
        """Runs a pod of a Job to its end, which must be a good one."""
        spec = job["spec"]["template"]["spec"]
        (volume,) = [one["configMap"] for one in spec["volumes"] if "configMap" in one]
        path = f"/api/v1/namespaces/{TEAM}/configmaps/{volume['name']}"
        (content,) = self.world.client.get(path).json()["data"].values()
        name = f"{job['metadata']['name']}-{index}"
        file = self.folder / f"{name}.json"
        file.write_text(content)
        given = {"--job": str(file), "--server": self.server}
        arguments = [_with(argument, given) for argument in spec["containers"][0]["args"]]
        program = command_line() if release is None else release.program
        environment = os.environ | {
            **({} if release is None else release.environment),
            "AWS_ENDPOINT_URL_DYNAMODB": self.world.table_url,
            "VIDEOJOB_SCRATCH": str(self.folder / f"scratch-{name}"),
            "VIDEOJOB_TERMINATION_LOG": str(self.folder / f"last-words-{name}"),
            **({} if index is None else {"JOB_COMPLETION_INDEX": str(index)}),
        }
        done = subprocess.run(
            [*program, *arguments], env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]

    def summary(self, uid: str, name: str) -> bytes:
        """Of a finished job, with another name in it."""
        with closing(DynamoDbJobStore(settings_for(self.world.table_url, table=TABLE))) as store:
            found = store.summary(f"{TEAM}.{uid}")
        assert found is not None
        return found.replace(json.dumps(name).encode(), b'"the job"')


def _without_hints(summary: bytes) -> Any:
    """A plan that this release makes leaves the advice to its table; a plan of the previous one has it in it."""
    values = json.loads(summary)
    for one in values["failed_inputs"]:
        one["error"].pop("hint", None)
    return values


def _with(argument: str, given: dict[str, str]) -> str:
    name, _, _ = argument.partition("=")
    return f"{name}={given[name]}" if name in given else argument


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory, s3_url: str, face_server: EmbeddedTriton) -> Iterator[Upgrade]:
    folder = tmp_path_factory.mktemp("upgrade")
    client = direct_client(s3_url)
    client.create_bucket(Bucket="videos")
    for name in VIDEOS:
        body = sample_path(f"{name.partition('-')[0]}.mp4").read_bytes()
        client.put_object(Bucket="videos", Key=f"job/{name}.mp4", Body=body)
    client.put_object(Bucket="videos", Key="job/letter.mp4", Body=b"Dear all, this is no video. " * 200)
    old = unpack_previous_release(tmp_path_factory.mktemp("previous"))
    with pytest.MonkeyPatch.context() as patch, controller_world(folder) as world:
        use_endpoint(patch, s3_url)
        world.played.plans = world.played.works = False
        yield Upgrade(world, old, face_server.grpc_address, folder)


@pytest.fixture(scope="module")
def reference(upgrade: Upgrade) -> bytes:
    """The summary of the previous release alone."""
    with upgrade.previous() as leading:
        uid = upgrade.start(REFERENCE)
        upgrade.plan(upgrade.child(leading, REFERENCE, "planner"), upgrade.old)
        work = upgrade.child(leading, REFERENCE, "worker")
        for number in range(len(VIDEOS)):
            upgrade.pod(work, upgrade.old, number)
        upgrade.world.played.end(work)
        leading.wait("the end", lambda: upgrade.world.has_ended(REFERENCE))
    assert upgrade.world.reason(REFERENCE) == "PartiallyCompleted"
    return upgrade.summary(uid, REFERENCE)


def test_a_job_whose_planner_runs_is_finished_by_this_release(upgrade: Upgrade, reference: bytes) -> None:
    with upgrade.previous() as before:
        uid = upgrade.start("planning")
        planner = upgrade.child(before, "planning", "planner")
        before.kill()
    with upgrade.present() as leading:
        upgrade.plan(planner, upgrade.old)  # its pod has the previous release's image
        # That release let a spec change while it was planned: the plan is made again, from the spec that is locked.
        again = upgrade.child(leading, "planning", "planner", other_than=planner["metadata"]["uid"])
        upgrade.plan(again, None)
        work = upgrade.child(leading, "planning", "worker")
        upgrade.all_indexes(work)
        upgrade.demand_end(leading, "planning", uid, reference)


@pytest.mark.parametrize("done", [0, 1, len(VIDEOS)])
def test_a_job_at_work_is_finished_by_this_release(upgrade: Upgrade, reference: bytes, done: int) -> None:
    """Its Job and the pods of that stay those of the previous release."""
    name = f"working-{done}"
    with upgrade.previous() as before:
        uid, work = upgrade.begun(before, name, done)
        before.kill()
    with upgrade.present() as leading:
        for number in range(done, len(VIDEOS)):
            upgrade.pod(work, upgrade.old, number)
        upgrade.world.played.end(work)
        upgrade.demand_end(leading, name, uid, reference)


def test_a_job_whose_pods_are_lost_goes_on_with_workers_of_this_release(upgrade: Upgrade, reference: bytes) -> None:
    """They read a plan, and add to commits, that lie under the previous release's keys."""
    with upgrade.previous() as before:
        uid, work = upgrade.begun(before, "lost", 1)
        before.kill()
    with upgrade.present() as leading:
        upgrade.world.client.delete(
            f"{CHILDREN}/{work['metadata']['name']}", params={"propagationPolicy": "Background"}
        )
        again = upgrade.child(leading, "lost", "worker", other_than=work["metadata"]["uid"])
        upgrade.all_indexes(again)
        upgrade.demand_end(leading, "lost", uid, reference)
