"""The pods of a job without Kubernetes: planner and workers as processes, with the file that a ConfigMap would hold."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.command import TIMEOUT_S, command_line, videojob
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.api.videojob import VideoJob
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.plan import PlanHead

MODEL_DIGEST = "sha256:" + "0" * 64


def job_manifest(prefix: str, **spec: Any) -> dict[str, Any]:
    """Faces in all videos under a prefix of the bucket "videos"; `spec` adds to it or replaces."""
    return {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "faces", "namespace": "team"},
        "spec": {
            "inputs": [{"s3": {"bucket": "videos", "prefix": prefix}}],
            "model": {"name": "face_detector", "threshold": "0.5"},
            "sampling": {"everyNthFrame": 25},
        }
        | spec,
    }


def until(process: subprocess.Popen[str], message: str) -> None:
    """Reads a pod's log up to a line that says so."""
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["message"] == message:
            return
    raise AssertionError(f"it never said {message!r}")


@dataclass(frozen=True, slots=True)
class Ended:
    """A pod that ended: its exit code, its termination message and its log."""

    code: int
    words: dict[str, Any]
    log: str


@dataclass(frozen=True, slots=True)
class PodJob:
    """One VideoJob and the place of its pods.

    Attributes:
        manifest: as users write it. folder: for everything.
        table: of results. url: of DynamoDB.
        server: HOST:PORT of a Triton.
        more: that its file says of the cluster.
    """

    manifest: dict[str, Any]
    folder: Path
    table: str
    url: str
    server: str
    uid: str = "team.11111111-2222-3333-4444-555555555555"
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def job(self) -> VideoJob:
        return VideoJob.from_manifest(self.manifest)

    def store(self) -> DynamoDbJobStore:
        return DynamoDbJobStore(DynamoDbSettings(self.table, "us-east-1", self.url))

    def plan(self, attempt: int = 1) -> Ended:
        with self.started("plan", "--attempt", str(attempt)) as process:
            return self.ended(process)

    def take_plan(self, other: PodJob) -> None:
        """Puts the plan of this manifest that is in another job's table into its own, as its planner would."""
        head = other.store().plan_head(other.uid, 1)
        assert head is not None
        self.store().save_plan(self.uid, head, list(other.store().planned_videos(other.uid, head.plan_id)))

    def begin(self, attempt: int = 1) -> tuple[PlanHead, RunRecord]:
        """What the controller does behind a planner."""
        store = self.store()
        head = store.plan_head(self.uid, attempt)
        assert head is not None
        metadata = self.job.metadata
        run = RunRecord(self.uid, metadata.namespace, metadata.name, head.plan_digest, head.segments)
        return head, store.begin(run)

    def index(self, number: int, **options: Any) -> Ended:
        """Runs one index to its end; options as in `worker`."""
        with self.worker(number, **options) as process:
            return self.ended(process, number)

    def worker(
        self,
        number: int,
        *,
        epoch: int = 1,
        batch: int = 1,
        grace_s: float = 60,
        patience_s: float = 120,
        failures: int = 0,
    ) -> AbstractContextManager[subprocess.Popen[str]]:
        """A pod of an index, of which so many have failed before."""
        return self.started(
            "run",
            *("--plan-attempt", "1", "--epoch", str(epoch), "--batch", str(batch)),
            *("--server", self.server, "--grace", str(grace_s), "--patience", str(patience_s)),
            index=number,
            failures=failures,
        )

    def on_laptop(self, folder: Path) -> bytes:
        """The summary of `videojob run` on the same manifest."""
        path = folder / "job.yaml"
        path.write_text(json.dumps(self.manifest))
        done = videojob("run", path, "--output", folder / "laptop", "--triton-url", self.server, "--json")
        assert done.code in {0, 3}, done.err
        with closing(SqliteSink(folder / "laptop" / "results.sqlite3", read_only=True)) as sink:
            summary = sink.summary(sink.runs()[0].uid)
        assert summary is not None
        return summary

    @contextmanager
    def started(self, *arguments: str, index: int | None = None, failures: int = 0) -> Iterator[subprocess.Popen[str]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "job.json"
        cluster: dict[str, object] = {"uid": self.uid, "table": self.table, "region": "us-east-1"}
        cluster |= {"modelDigest": MODEL_DIGEST, "modelVersion": 1, **self.more}
        file.write_text(json.dumps({"job": self.manifest, "cluster": cluster}))
        environment = os.environ | {
            "AWS_ENDPOINT_URL_DYNAMODB": self.url,
            "VIDEOJOB_SCRATCH": str(self.folder / f"scratch-{index}"),
            "VIDEOJOB_TERMINATION_LOG": str(self.words_of(index)),
            **({} if index is None else {"JOB_COMPLETION_INDEX": str(index)}),
            "VIDEOJOB_INDEX_FAILURES": str(failures),
        }
        process = subprocess.Popen(
            command_line("worker", arguments[0], "--job", file, *arguments[1:]),
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=TIMEOUT_S)

    def ended(self, process: subprocess.Popen[str], index: int | None = None) -> Ended:
        _, log = process.communicate(timeout=TIMEOUT_S)
        path = self.words_of(index)
        return Ended(process.returncode, json.loads(path.read_text()) if path.exists() else {}, log)

    def words_of(self, index: int | None) -> Path:
        return self.folder / f"last-words-{'plan' if index is None else index}"
