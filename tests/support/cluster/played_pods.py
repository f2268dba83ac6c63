"""What planners and workers do in pods that kwok plays: plan, commit the segments of their index, end.

The pods are real objects on played nodes, made by real Jobs; what their programs would write into the results table is
written here, from the pods' own arguments. Looks again and again at what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import httpx

from support.cluster.fake_nodes import end_pod
from support.plans import plan_head, planned_job
from support.played_jobs import playing, uid_of
from support.results import segment_commit, segment_result
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import ModelFacts, PlanHead, PlannedVideo

_LOOK_EVERY_S = 0.1
_INDEX = "batch.kubernetes.io/job-completion-index"
_RUNNING = {
    "labelSelector": "app.kubernetes.io/managed-by=videojob,app.kubernetes.io/component in (planner,worker)",
    "fieldSelector": "status.phase=Running",
}

Object = dict[str, Any]


@dataclass
class PlayedPods:
    """Plays until it is stopped.

    Attributes:
        client: talks to the API server.
        store: the results table; used in one thread.
        segments: of each job.
        sizes: (frames, segments) of jobs by name, where they are others.
        works: while it is not set, workers run and commit nothing.
        stop: ends it.
    """

    client: httpx.Client
    store: DynamoDbJobStore
    segments: int = 8
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    works: Event = field(default_factory=Event)
    stop: Event = field(default_factory=Event)
    errors: list[Exception] = field(default_factory=list)

    def run(self) -> None:
        """In a thread of its own."""
        while not self.stop.wait(_LOOK_EVERY_S):
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - told at the end of the block
                self.errors.append(error)
                return

    def _look(self) -> None:
        answer = self.client.get("/api/v1/pods", params=_RUNNING)
        assert answer.is_success, answer.text
        for pod in answer.json()["items"]:
            if "deletionTimestamp" in pod["metadata"]:
                continue
            if pod["metadata"]["labels"]["app.kubernetes.io/component"] == "planner":
                self._plan(pod)
            elif self.works.is_set():
                self._work(pod)

    def _plan(self, pod: Object) -> None:
        head, videos = self._plan_of(pod)
        self.store.save_plan(uid_of(pod), head, videos)
        end_pod(self.client, pod)

    def _plan_of(self, pod: Object) -> tuple[PlanHead, list[PlannedVideo]]:
        frames, segments = self.sizes.get(pod["metadata"]["labels"]["videojob.dev/job-name"], (None, self.segments))
        videos = planned_job(cuts=[segments - 1])
        head = plan_head(videos)
        return (head if frames is None else replace(head, frames=frames)), videos

    def _work(self, pod: Object) -> None:
        metadata, flags = pod["metadata"], _flags(pod)
        head, videos = self._plan_of(pod)
        name = metadata["labels"]["videojob.dev/job-name"]
        run = RunRecord(
            uid_of(pod), metadata["namespace"], name, head.plan_digest, head.segments, epoch=int(flags["epoch"])
        )
        self.store.describe_model(run, ModelFacts("face_detector", "1", ("face", "car")))
        index, batch = int(metadata["annotations"][_INDEX]), int(flags["batch"])
        for segment in videos[0].segments[index * batch : (index + 1) * batch]:
            self.store.commit(run, segment_commit(segment_result(segment)))
        end_pod(self.client, pod)


@contextmanager
def played_pods(client: httpx.Client, store: DynamoDbJobStore) -> Iterator[PlayedPods]:
    """Plays beside the block; workers work from the start."""
    played = PlayedPods(client, store)
    played.works.set()
    with playing(played):
        yield played


def _flags(pod: Object) -> dict[str, str]:
    """--name=value of the pod's arguments, by name."""
    words = [word.removeprefix("--") for word in pod["spec"]["containers"][0]["args"] if word.startswith("--")]
    return {name: value for name, _, value in (word.partition("=") for word in words)}
