"""The Job of 10^5 segments on a real kube-apiserver: taken, and small at its fullest.

What a Job has to tell grows with its indexes, so an index owns a batch of segments.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.apiserver import ApiServer
from support.decisions import NOW_S, READY, a_catalogue, a_head, a_job, running, stored
from videojob.api.videojob import VideoJob
from videojob.kube.read.objects import job_observed
from videojob.kube.render.jobs import config_map, work_job
from videojob.kube.render.status import timestamp
from videojob.planning.installation import Installation, WorkerSettings
from videojob.results.stored.keys import last_segment, segment_sort_key

pytestmark = pytest.mark.timeout(3600)  # the first run may have to build the apiserver
NAMESPACE = "large"
SEGMENTS = 100_000
JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
MERGE = {"Content-Type": "application/merge-patch+json"}
_OBJECT_BYTES = 96 << 10
"""Each reconcile reads it, and each index that ends writes it: etcd would take 1.5 MB."""


@pytest.fixture(scope="module")
def client(apiserver: ApiServer) -> Iterator[httpx.Client]:
    found = apiserver.client
    assert found.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}}).is_success
    yield found
    found.delete(f"/api/v1/namespaces/{NAMESPACE}")


def made(installation: Installation, name: str) -> tuple[VideoJob, dict[str, Any]]:
    """The Job that the controller makes when it sees this plan."""
    spec = {"inputs": [{"s3": {"bucket": "videos", "prefix": "archive/"}}]}
    job = a_job(spec, name=name, namespace=NAMESPACE)
    seen = running(server=READY, head=a_head(segments=SEGMENTS, frames=75_000_000))
    job, desired = stored(job, seen, installation, NOW_S)
    assert desired.work_job is not None
    return job, work_job(job, desired.work_job, installation)


def half_done(job: dict[str, Any]) -> dict[str, Any]:
    """The longest status that it can have: every second index has ended, and as many pods as may be are not counted."""
    completions = job["spec"]["completions"]
    uncounted = [f"{at:08d}-0000-4000-8000-000000000000" for at in range(500)]  # the Job controller counts so many
    return {
        "startTime": timestamp(NOW_S),
        "active": job["spec"]["parallelism"],
        "ready": 0,
        "terminating": 0,
        "succeeded": completions // 2 - len(uncounted[: completions // 4]),
        "completedIndexes": ",".join(str(at) for at in range(0, completions, 2)),
        "uncountedTerminatedPods": {"succeeded": uncounted[: completions // 4]},
    }


@pytest.mark.parametrize("workers", [1, 200, 10_000])
def test_the_job_of_a_hundred_thousand_segments_is_taken_and_stays_small(client: httpx.Client, workers: int) -> None:
    installation = a_catalogue(worker=WorkerSettings(max_workers=workers))
    job, value = made(installation, f"large-{workers}")
    value["spec"]["suspend"] = False
    answer = client.post(JOBS, params={"fieldValidation": "Strict"}, json=value)
    assert answer.is_success, answer.text
    path = f"{JOBS}/{value['metadata']['name']}"
    answer = client.patch(f"{path}/status", content=json.dumps({"status": half_done(value)}), headers=MERGE)
    assert answer.is_success, answer.text
    there = client.get(path)
    assert len(there.content) < _OBJECT_BYTES
    seen = job_observed(there.json(), ())
    assert seen.batch * (seen.completions - 1) < SEGMENTS <= seen.batch * seen.completions
    assert sum(len(text) for text in there.json()["metadata"]["annotations"].values()) < 200
    assert len(json.dumps(config_map(job, installation))) < 4096
    client.delete(path)


def test_the_status_of_a_videojob_does_not_grow_with_its_segments() -> None:
    job, _ = made(a_catalogue(), "large")
    assert job.status is not None
    assert len(json.dumps(job.status.as_manifest())) < 4096


@pytest.mark.parametrize("version", [1, 2])
def test_keys_of_so_many_segments_sort_as_their_numbers_do(version: int) -> None:
    last = last_segment(version)
    keys = [segment_sort_key(index, version) for index in (0, 9, 99_999, SEGMENTS, 999_999, last)]
    assert keys == sorted(keys)
