"""A job's pods without Kubernetes: a planner and the indexes of a Job as processes, before S3, DynamoDB and Triton."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from support.command import videojob
from support.dynamodb import dynamodb_local
from support.pods import PodJob
from support.s3 import direct_client, moto_server, use_endpoint
from support.samples import sample_path
from support.triton import start
from videojob.adapters.sqlite import SqliteSink
from videojob.local.models.paths import ensure_built
from videojob.worker.batch import Ending
from videojob.worker.finalise import finalise_run

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as url:
        client = direct_client(url)
        client.create_bucket(Bucket="videos")
        for name in ("bikes.mp4", "carphone.mp4"):
            client.put_object(Bucket="videos", Key=f"good/{name}", Body=sample_path(name).read_bytes())
        client.put_object(Bucket="videos", Key="mixed/bikes.mp4", Body=sample_path("bikes.mp4").read_bytes())
        client.put_object(Bucket="videos", Key="mixed/letter.mp4", Body=b"Dear all, this is no video. " * 200)
        yield url


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[str]:
    with dynamodb_local() as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("triton")
    with start(ensure_built("face_detector"), "face_detector", folder) as triton:
        yield triton.grpc_address


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, moto)


@pytest.fixture
def pods(tmp_path: Path, dynamodb: str, server: str) -> PodJob:
    made = PodJob(_manifest("good/"), tmp_path / "pods", f"results-{uuid4().hex[:8]}", dynamodb, server)
    made.store().create_table()
    return made


def _manifest(prefix: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "faces", "namespace": "team"},
        "spec": {
            "inputs": [{"s3": {"bucket": "videos", "prefix": prefix}}],
            "model": {"name": "face_detector", "threshold": "0.5"},
            "sampling": {"everyNthFrame": 5},
        }
        | spec,
    }


def _laptop(pods: PodJob, folder: Path) -> bytes:
    """The summary of `videojob run` on the same manifest."""
    path = folder / "job.yaml"
    path.write_text(json.dumps(pods.manifest))
    done = videojob("run", path, "--output", folder / "laptop", "--triton-url", pods.server, "--json")
    assert done.code in {0, 3}, done.err
    sink = SqliteSink(folder / "laptop" / "results.sqlite3", read_only=True)
    summary = sink.summary(sink.runs()[0].uid)
    sink.close()
    assert summary is not None
    return summary


def test_planner_and_indexes_give_the_laptops_summary_byte_for_byte(pods: PodJob, tmp_path: Path) -> None:
    assert pods.plan().code == Ending.SETTLED
    head, run = pods.begin()
    assert (head.videos, head.failed, head.segments) == (2, 0, 2)
    assert [pods.index(number).code for number in range(head.segments)] == [Ending.SETTLED] * 2
    outcome = finalise_run(pods.store(), pods.job, head, run)
    assert outcome is not None
    assert outcome.state == "Completed"
    assert pods.store().finished(run) == _laptop(pods, tmp_path)


def test_a_bad_video_among_good_ones_is_named_as_on_the_laptop(pods: PodJob, tmp_path: Path) -> None:
    pods = replace(pods, manifest=_manifest("mixed/"))
    assert pods.plan().code == Ending.SETTLED
    head, run = pods.begin()
    assert (head.videos, head.failed, head.segments) == (2, 1, 1)
    assert pods.index(0).code == Ending.SETTLED
    outcome = finalise_run(pods.store(), pods.job, head, run)
    assert outcome is not None
    assert outcome.state == "PartiallyCompleted"
    assert pods.store().finished(run) == _laptop(pods, tmp_path)


def test_a_job_without_one_good_video_gets_a_head_that_says_why(pods: PodJob) -> None:
    pods = replace(pods, manifest=_manifest("mixed/letter"))
    assert pods.plan().code == Ending.SETTLED
    head = pods.store().plan_head(pods.uid, 1)
    assert head is not None
    assert head.error is not None
    assert (head.segments, head.error["reason"]) == (0, "InputNotVideo")


def test_a_missing_bucket_is_told_by_name(pods: PodJob) -> None:
    manifest = _manifest("x/")
    manifest["spec"]["inputs"][0]["s3"]["bucket"] = "no-such-bucket"
    pods = replace(pods, manifest=manifest)
    assert pods.plan().code == Ending.SETTLED
    head = pods.store().plan_head(pods.uid, 1)
    assert head is not None
    assert head.error is not None
    assert head.error["reason"] == "InputNotFound"


def test_the_first_plan_of_an_attempt_stands(pods: PodJob) -> None:
    assert pods.plan().code == Ending.SETTLED
    first = pods.store().plan_head(pods.uid, 1)
    assert pods.plan().code == Ending.SETTLED
    assert pods.store().plan_head(pods.uid, 1) == first


def test_a_killed_index_runs_again_and_a_settled_one_meets_no_server(pods: PodJob) -> None:
    pods.plan()
    head, run = pods.begin()
    with pods.worker(0) as process:
        assert process.stderr is not None
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL
    assert pods.index(0).code == Ending.SETTLED
    again = pods.index(0, server="127.0.0.1:1")
    assert again.code == Ending.SETTLED
    assert pods.store().committed(run) == {0}
    assert finalise_run(pods.store(), pods.job, head, run) is None


def test_two_pods_of_one_index_store_one_result(pods: PodJob) -> None:
    pods.plan()
    _, run = pods.begin()
    with pods.worker(0) as one, pods.worker(0) as other:
        assert [process.wait(timeout=120) for process in (one, other)] == [0, 0]
    assert [commit.result.segment for commit in pods.store().commits(run)] == [0]


def test_a_pod_of_an_older_epoch_stores_nothing(pods: PodJob) -> None:
    pods.plan()
    head, run = pods.begin()
    pods.store().begin(replace(run, plan_digest="another"))
    ended = pods.index(0, epoch=run.epoch)
    assert (ended.code, ended.words["reason"]) == (Ending.HOPELESS, "StaleEpoch")


def test_a_stop_signal_ends_a_worker_without_blame_and_nothing_half_stored(pods: PodJob) -> None:
    pods = replace(pods, manifest=_manifest("good/", sampling={"everyNthFrame": 1}))
    pods.plan()
    head, run = pods.begin()
    with pods.worker(0, batch=2, grace_s=0) as process:
        _wait_for_work(process)
        process.send_signal(signal.SIGTERM)
        ended = pods.ended(process, 0)
    assert (ended.code, ended.words["reason"]) == (Ending.STOPPED, "Cancelled")
    assert pods.store().committed(run) == frozenset()
    assert pods.index(0, batch=2).code == Ending.SETTLED
    outcome = finalise_run(pods.store(), pods.job, head, run)
    assert outcome is not None
    assert outcome.state == "Completed"


def _wait_for_work(process: subprocess.Popen[str]) -> None:
    """Until the worker says that it runs its first segment."""
    assert process.stderr is not None
    for line in process.stderr:
        if json.loads(line)["message"] == "segment begins":
            return
    raise AssertionError("it never began")
