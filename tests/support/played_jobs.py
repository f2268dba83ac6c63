"""A cluster's other half, played: planners plan, servers answer and workers commit, without a pod.

On an apiserver without controllers, so that statuses of Jobs and Deployments can be written here. Looks again and again
at what there is, as everything on a cluster does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any, Protocol, TypeVar

import httpx

from support.dynamodb import settings_for
from support.plans import plan_head, planned_job
from support.results import segment_commit, segment_result
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import ModelFacts

_LOOK_EVERY_S = 0.1
_MERGE = {"Content-Type": "application/merge-patch+json"}
_MANAGED = "app.kubernetes.io/managed-by=videojob"
TABLE = "videojob-results"

Object = dict[str, Any]


@dataclass
class PlayedCluster:
    """Plays until it is stopped.

    Attributes:
        client: talks to the apiserver, past any proxy.
        table_url: of DynamoDB, past any proxy.
        segments: of each job. frames: of all of them.
        plans, serves, works: whether planners, servers and workers do anything.
        begun: (uid, epoch) of each run that workers were asked to do.
    """

    client: httpx.Client
    table_url: str
    segments: int = 3
    frames: int = 1234
    plans: bool = True
    serves: bool = True
    works: bool = True
    begun: set[tuple[str, int]] = field(default_factory=set)
    stop: Event = field(default_factory=Event)
    errors: list[Exception] = field(default_factory=list)

    def run(self) -> None:
        """In a thread of its own."""
        with closing(DynamoDbJobStore(settings_for(self.table_url, table=TABLE))) as store:
            while not self.stop.wait(_LOOK_EVERY_S):
                try:
                    self._look(store)
                except Exception as error:  # noqa: BLE001 - told at the end of the block
                    self.errors.append(error)
                    return

    def _look(self, store: DynamoDbJobStore) -> None:
        unfinished = {
            "labelSelector": _MANAGED,
            "fieldSelector": "status.successful=0",
        }  # not all that ever was, each time
        jobs = self.client.get("/apis/batch/v1/jobs", params=unfinished).json()["items"]
        for job in jobs:
            if job["spec"].get("suspend") or job.get("status", {}).get("conditions") or _is_going(job):
                continue
            if job["metadata"]["labels"]["app.kubernetes.io/component"] == "planner":
                self._plan(store, job)
            else:
                self._work(store, job)
        if self.serves:
            servers = self.client.get("/apis/apps/v1/deployments", params={"labelSelector": _MANAGED}).json()["items"]
            for server in servers:
                self._serve(server)

    def _plan(self, store: DynamoDbJobStore, job: Object) -> None:
        if not self.plans:
            return
        videos = planned_job(cuts=[self.segments - 1])
        store.save_plan(uid_of(job), replace(plan_head(videos), frames=self.frames), videos)
        self.end(job)

    def _work(self, store: DynamoDbJobStore, job: Object) -> None:
        metadata = job["metadata"]
        epoch = int(metadata["annotations"]["videojob.dev/epoch"])
        self.begun.add((uid_of(job), epoch))
        if not self.works:
            return
        videos = planned_job(cuts=[self.segments - 1])
        name = metadata["labels"]["videojob.dev/job-name"]
        head = plan_head(videos)
        run = RunRecord(uid_of(job), metadata["namespace"], name, head.plan_digest, head.segments, epoch=epoch)
        store.describe_model(run, ModelFacts("face_detector", "1", ("face", "car")))
        for video in videos:
            for segment in video.segments:
                store.commit(run, segment_commit(segment_result(segment)))
        self.end(job)

    def end(self, job: Object) -> None:
        """Writes what the Job controller does when all pods of a Job have ended well."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        completions = job["spec"].get("completions", 1)
        conditions = [
            {"type": kind, "status": "True", "reason": "CompletionsReached", "lastTransitionTime": now}
            for kind in ("SuccessCriteriaMet", "Complete")
        ]
        status = {"startTime": now, "completionTime": now, "succeeded": completions, "conditions": conditions}
        if job["spec"].get("completionMode") == "Indexed":
            status["completedIndexes"] = "0" if completions == 1 else f"0-{completions - 1}"
        status["uncountedTerminatedPods"] = {}
        self._write("/apis/batch/v1", "jobs", job, status)

    def _serve(self, server: Object) -> None:
        wanted = server["spec"].get("replicas", 0)
        status = server.get("status", {})
        if status.get("readyReplicas", 0) != wanted:
            told = {"replicas": wanted, "readyReplicas": wanted, "availableReplicas": wanted, "updatedReplicas": wanted}
            self._write("/apis/apps/v1", "deployments", server, told)

    def _write(self, root: str, kind: str, value: Object, status: Object) -> None:
        metadata = value["metadata"]
        path = f"{root}/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}/status"
        answer = self.client.patch(path, content=json.dumps({"status": status}), headers=_MERGE)
        assert answer.is_success or answer.status_code == httpx.codes.NOT_FOUND, answer.text


@contextmanager
def played_cluster(client: httpx.Client, table_url: str) -> Iterator[PlayedCluster]:
    """Plays beside the block."""
    # A client of its own: the test's may be in use.
    with playing(PlayedCluster(client, table_url)) as played:
        yield played


class Player(Protocol):
    """Plays something in a thread of its own until it is stopped."""

    stop: Event
    errors: list[Exception]

    def run(self) -> None: ...


P = TypeVar("P", bound=Player)


@contextmanager
def playing(player: P) -> Iterator[P]:
    """Plays beside the block; what went wrong with it is a failure of the test."""
    thread = Thread(target=player.run)
    thread.start()
    try:
        yield player
    finally:
        player.stop.set()
        thread.join()
    assert player.errors == []


def uid_of(value: Object) -> str:
    """The identity in the results table of whose Job or pod this is."""
    metadata = value["metadata"]
    return f"{metadata['namespace']}.{metadata['labels']['videojob.dev/job-uid']}"


def _is_going(value: Object) -> bool:
    return "deletionTimestamp" in value["metadata"]
