"""A job's pods without Kubernetes: a planner and the indexes of a Job as processes, before S3, DynamoDB and Triton."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from support.pods import PodJob, job_manifest
from support.s3 import direct_client, use_endpoint
from support.samples import sample_path
from videojob.local.triton.server import EmbeddedTriton
from videojob.planning.state.ending import Ending
from videojob.worker.steps.finalise import finalise_run

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture(scope="module")
def videos(s3_url: str) -> str:
    client = direct_client(s3_url)
    client.create_bucket(Bucket="videos")
    for name in ("bikes.mp4", "carphone.mp4"):
        client.put_object(Bucket="videos", Key=f"good/{name}", Body=sample_path(name).read_bytes())
    client.put_object(Bucket="videos", Key="mixed/bikes.mp4", Body=sample_path("bikes.mp4").read_bytes())
    client.put_object(Bucket="videos", Key="mixed/letter.mp4", Body=b"Dear all, this is no video. " * 200)
    return s3_url


@pytest.fixture
def aws(videos: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, videos)


@pytest.fixture
def pods(tmp_path: Path, results_url: str, face_server: EmbeddedTriton) -> PodJob:
    table = f"results-{uuid4().hex[:8]}"
    made = PodJob(job_manifest("good/"), tmp_path / "pods", table, results_url, face_server.grpc_address)
    made.store().create_table()
    return made


def test_planner_and_indexes_give_the_laptops_summary_byte_for_byte(pods: PodJob, tmp_path: Path) -> None:
    assert pods.plan().code == Ending.SETTLED
    head, run = pods.begin()
    assert (head.videos, head.failed, head.segments) == (2, 0, 2)
    assert [pods.index(number).code for number in range(head.segments)] == [Ending.SETTLED] * 2
    outcome = finalise_run(pods.store(), pods.job, head, run)
    assert outcome is not None
    assert outcome.state == "Completed"
    assert pods.store().finished(run) == pods.on_laptop(tmp_path)


def test_a_bad_video_among_good_ones_is_named_as_on_the_laptop(pods: PodJob, tmp_path: Path) -> None:
    pods = replace(pods, manifest=job_manifest("mixed/"))
    assert pods.plan().code == Ending.SETTLED
    head, run = pods.begin()
    assert (head.videos, head.failed, head.segments) == (2, 1, 1)
    assert pods.index(0).code == Ending.SETTLED
    outcome = finalise_run(pods.store(), pods.job, head, run)
    assert outcome is not None
    assert outcome.state == "PartiallyCompleted"
    assert pods.store().finished(run) == pods.on_laptop(tmp_path)


def test_a_job_without_one_good_video_gets_a_head_that_says_why(pods: PodJob) -> None:
    pods = replace(pods, manifest=job_manifest("mixed/letter"))
    assert pods.plan().code == Ending.SETTLED
    head = pods.store().plan_head(pods.uid, 1)
    assert head is not None
    assert head.error is not None
    assert (head.segments, head.error["reason"]) == (0, "InputNotVideo")


def test_a_missing_bucket_is_told_by_name(pods: PodJob) -> None:
    manifest = job_manifest("x/")
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


def test_two_pods_of_one_index_store_one_result(pods: PodJob) -> None:
    pods.plan()
    _, run = pods.begin()
    with pods.worker(0) as one, pods.worker(0) as other:
        assert [process.wait(timeout=120) for process in (one, other)] == [0, 0]
    assert [commit.result.segment for commit in pods.store().commits(run)] == [0]


def test_a_pod_of_an_older_epoch_stores_nothing(pods: PodJob) -> None:
    pods.plan()
    _, run = pods.begin()
    pods.store().begin(replace(run, plan_digest="another"))
    ended = pods.index(0, epoch=run.epoch)
    assert (ended.code, ended.words["reason"]) == (Ending.HOPELESS, "StaleEpoch")
