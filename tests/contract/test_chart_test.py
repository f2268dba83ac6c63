"""The program that `helm test` runs: its clip is a video, its manifest a VideoJob, and it ends as the job does."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import httpx
import pytest

from support.apiserver import ApiServer
from support.chart_matrix import CPU_ONLY, MODEL
from support.charts import CHART, pods, render
from support.cluster.processes import free_ports, process, wait_for
from support.dynamodb import AWS_ENVIRONMENT
from videojob.api.videojob import VideoJob
from videojob.media.files.video_file import WholeFile
from videojob.media.probing.examine import examine

CONDITION = {"type": "Succeeded", "lastTransitionTime": "2026-01-31T12:00:00Z"}


@pytest.fixture(scope="module")
def program() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("helm_test", CHART / "files" / "helm_test.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("helm_test", None)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL", "face_detector")
    monkeypatch.setenv("ACCELERATOR", "cpu")


def test_its_clip_is_two_seconds_of_video(program: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(program.make_clip())
    info = examine(WholeFile(path), "clip.mp4", 30_000)
    assert (info.duration_ms, info.frames_estimate) == (2000, 24)


@pytest.mark.usefixtures("settings")
def test_a_real_apiserver_takes_its_manifest(program: ModuleType, apiserver: ApiServer) -> None:
    values = program.manifest("videos", "a/clip.mp4", 600)
    path = "/apis/videojob.dev/v1alpha1/namespaces/default/videojobs"
    answer = apiserver.client.post(path, params={"dryRun": "All", "fieldValidation": "Strict"}, json=values)
    assert answer.is_success, answer.text
    job = VideoJob.model_validate(answer.json() | {"metadata": {"name": answer.json()["metadata"]["name"]}})
    assert (job.spec.compute.accelerator, job.spec.active_deadline_seconds) == ("cpu", 600)


def test_the_trial_s3_takes_its_clip_under_the_name_of_its_service(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pod = dict(pods(render({"trial": {"enabled": True}})))["videojob-trial-s3"]["spec"]["containers"][0]
    (port,) = free_ports(1)
    arguments = [{"0.0.0.0": "127.0.0.1", "5000": str(port)}.get(one, one) for one in pod["args"]]  # noqa: S104
    environment = os.environ | {item["name"]: item["value"] for item in pod["env"]}
    command = [str(Path(sys.executable).with_name(pod["command"][0])), *arguments]
    with process(command, tmp_path / "moto.log", env=environment):
        for name, value in AWS_ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        probe = f"http://127.0.0.1:{port}{pod['readinessProbe']['httpGet']['path']}"
        wait_for("moto", lambda: _is_there(probe))
        bucket, key = program.video()
        # As a pod reaches it: by a name whose first part is no bucket.
        service = "videojob-trial-s3.videojob-system.svc:5000"
        client = boto3.client("s3", endpoint_url=f"http://{service}")
        address = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
        stored = httpx.get(address.replace(service, f"127.0.0.1:{port}"), headers={"Host": service})
    assert stored.content[4:8] == b"ftyp"


def _is_there(url: str) -> bool:
    try:
        return httpx.get(url).is_success
    except httpx.TransportError:
        return False


def watched(*statuses: dict[str, Any]) -> httpx.Client:
    """A client whose server tells these states of a job, then ends the watch."""
    events = [{"type": "MODIFIED", "object": {"status": {"conditions": [CONDITION | one]}}} for one in statuses]
    lines = "".join(json.dumps(one) + "\n" for one in [{"type": "ADDED", "object": {}}, *events])
    return httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, text=lines)), base_url="http://cluster"
    )


@pytest.mark.parametrize(
    ("statuses", "good", "words"),
    [
        ([{"status": "Unknown", "reason": "Queued"}, {"status": "True", "reason": "Completed"}], True, "Completed"),
        ([{"status": "False", "reason": "ModelLoadFailed", "message": "no"}], False, "ModelLoadFailed no"),
        ([{"status": "Unknown", "reason": "Queued"}], False, "did not end within 60 s"),
        ([], False, "not seen by the controller yet"),
    ],
)
def test_it_ends_as_the_job_does(
    program: ModuleType, capsys: pytest.CaptureFixture[str], statuses: list[dict[str, Any]], good: bool, words: str
) -> None:
    with watched(*statuses) as client:
        assert program.follow(client, "/videojobs", "helm-test-x", 60) is good
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "needs a model"),
        ({"models": {"face_detector": MODEL}}, "needs a video"),
        ({"models": {"face_detector": CPU_ONLY}, "trial": {"enabled": True}}, "/etc/videojob-test/helm_test.py"),
    ],
)
def test_without_a_model_or_a_video_it_says_so(values: dict[str, Any], words: str) -> None:
    command = dict(pods(render(values)))["videojob-test"]["spec"]["containers"][0]["command"]
    assert words in command[-1]
