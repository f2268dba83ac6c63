"""`videojob worker sync-model`, the init container: from S3 and folders, whole or not; its termination message."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.cluster.processes import wait_for
from support.command import Finished, manifest, running, videojob
from support.http_server import Page, file_server
from support.models import built_repository
from support.s3 import direct_client, faulty_proxy, moto_server
from support.samples import sample_path
from support.triton import write_filter
from support.triton_pods import triton_pod
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.adapters.triton.model_repository import find_model, model_digest
from videojob.planning.state.ending import Ending

OWNER = "123456789012"  # moto's account


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """S3 with an empty bucket `models`."""
    with moto_server() as url:
        direct_client(url).create_bucket(Bucket="models")
        yield url


def upload(url: str, folder: Path, prefix: str) -> None:
    client = direct_client(url)
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), "models", f"{prefix}/{path.relative_to(folder).as_posix()}")


def sync(folder: Path, source: dict[str, str], url: str = "", **changes: str) -> tuple[Finished, dict[str, Any]]:
    """How it ended, and what it left in the termination log."""
    options = {"model": "filter", "backend": "python", "instances": "1", "target": str(folder / "models")}
    given = options | source | changes
    words = folder / "termination-log"
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "VIDEOJOB_TERMINATION_LOG": str(words),
    }
    done = videojob("worker", "sync-model", *(f"--{key}={value}" for key, value in given.items()), **environment)
    told = json.loads(words.read_text(encoding="utf-8")) if words.exists() else {}
    return done, told


def files(folder: Path) -> list[str]:
    """All there is, hidden things too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


SERVED = ["1/joined.py", "1/model.onnx", "1/model.py", "1/onnx_engine.py", "1/shim.json", "config.pbtxt"]


def test_a_model_comes_from_s3_or_a_folder_as_often_as_asked(s3: str, tmp_path: Path) -> None:
    source = write_filter(tmp_path / "source")
    digest = model_digest(source)
    upload(s3, source, "detectors/filter/v1")
    (source / ".git").mkdir()
    (source / ".git" / "HEAD").write_text("x", encoding="utf-8")
    mounted = source.rename(tmp_path / "source" / "any-name")
    address = {"s3": "s3://models/detectors/filter/v1", "digest": digest, "owner": OWNER, "region": "us-east-1"}
    for origin in (address, address, {"folder": str(mounted), "digest": digest}):
        done, told = sync(tmp_path, origin, s3)
        assert done.code == 0, done.err
        assert told == {}
        assert files(tmp_path / "models") == [f"filter/{name}" for name in SERVED]
        served = find_model(tmp_path / "models", "filter")
        assert served.backend == "python"
        assert json.loads((served.folder / "1" / "shim.json").read_text(encoding="utf-8"))["weights"] == "model.onnx"


def test_other_files_than_the_pinned_ones_are_never_seen_and_what_was_there_stays(s3: str, tmp_path: Path) -> None:
    source = write_filter(tmp_path / "source")
    good = {"folder": str(source), "digest": model_digest(source)}
    assert sync(tmp_path, good)[0].code == 0
    (source / "1" / "model.onnx").write_bytes(b"other weights")
    done, told = sync(tmp_path, good)
    assert done.code == Ending.HOPELESS
    assert told["reason"] == "ModelLoadFailed"
    assert good["digest"] in told["message"]
    assert model_digest(source) in told["message"]
    assert files(tmp_path / "models") == [f"filter/{name}" for name in SERVED]
    assert not list((tmp_path / "models").glob(".*"))


FAULTS: dict[str, tuple[dict[str, str], str, int]] = {
    "no such bucket": ({"s3": "s3://nobodys/filter"}, "ModelNotFound", Ending.FAILED),
    "no such prefix": ({"s3": "s3://models/nothing"}, "ModelNotFound", Ending.FAILED),
    "no such folder": ({"folder": "/nowhere"}, "ModelNotFound", Ending.FAILED),
    "no source": ({}, "InvalidUsage", Ending.HOPELESS),
    "no address": ({"s3": "models/filter"}, "InvalidUsage", Ending.HOPELESS),
    "a hostile name": ({"s3": "s3://models/hostile"}, "ModelLoadFailed", Ending.HOPELESS),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_told_in_one_of_our_words(fault: str, s3: str, tmp_path: Path) -> None:
    upload(s3, write_filter(tmp_path / "source"), "filter")
    direct_client(s3).put_object(Bucket="models", Key="hostile//etc/passwd", Body=b"")
    source, reason, code = FAULTS[fault]
    done, told = sync(tmp_path, source | {"digest": "sha256:" + "0" * 64}, s3)
    assert (told.get("reason"), done.code) == (reason, code), done.err
    assert not (tmp_path / "models").exists() or files(tmp_path / "models") == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"backend": "tensorrt"}, "ModelLoadFailed"),
        ({"model": "other"}, "ModelLoadFailed"),
        ({"model-version": "2"}, "ModelNotFound"),
    ],
)
def test_a_model_that_does_not_fit_the_catalogue_is_refused(
    arguments: dict[str, str], reason: str, tmp_path: Path
) -> None:
    source = write_filter(tmp_path / "source")
    done, told = sync(tmp_path, {"folder": str(source), "digest": model_digest(source)}, **arguments)
    assert done.code != 0
    assert told["reason"] == reason
    assert files(tmp_path / "models") == []


def test_an_s3_that_stumbles_is_asked_again(s3: str, tmp_path: Path) -> None:
    source = write_filter(tmp_path / "source")
    upload(s3, source, "stumbling")
    with faulty_proxy(s3) as faults:
        faults.statuses.extend([503, 500])
        faults.cuts.append(100)
        address = {"s3": "s3://models/stumbling", "digest": model_digest(source), "owner": OWNER}
        done, _ = sync(tmp_path, address, faults.url)
    assert done.code == 0, done.err
    headers = [{key.lower(): value for key, value in seen.items()} for _, _, seen in faults.seen]
    assert {one.get("x-amz-expected-bucket-owner") for one in headers} == {OWNER}, "S3 learns whose bucket it must be"
    assert files(tmp_path / "models") == [f"filter/{name}" for name in SERVED]


def test_engines_are_built_once_published_when_the_server_is_ready_and_brought_to_the_next_one(tmp_path: Path) -> None:
    """The commands around a server with TensorRT, which this machine has not: a file stands for what it builds."""
    source = built_repository() / "face_detector"
    shared = tmp_path / "volume" / "set"
    given = {"folder": str(source), "digest": model_digest(source)} | {
        "model": "face_detector",
        "backend": "tensorrt",
        "accelerator": "gpu",
        "server-release": "26.07-py3",
        "shared-engines": str(shared),
    }
    first, second = tmp_path / "first", tmp_path / "second"
    for pod in (first, second):
        pod.mkdir()
    done, _ = sync(first, given, engines=str(first / "engines" / "cache"))
    assert done.code == 0, done.err
    served = find_model(first / "models", "face_detector")
    assert served.config["default_model_filename"] == "model.fp16.onnx"
    assert served.config["parameters"]["engine"]["string_value"] == "tensorrt-fp16@26.07-py3"
    (first / "engines" / "cache" / "sm75.engine").write_bytes(b"an engine")
    with file_server() as server:
        server.pages["/ready"] = Page(statuses=deque([503]))
        own = [f"--engines={first}/engines/cache", f"--shared-engines={shared}", f"--ready={server.url}/ready"]
        with running("worker", "share-engines", *own) as process:
            shell = psutil.Process(process.pid)
            wait_for("the shell that only waits", lambda: [one.name() for one in shell.children()] == ["sleep"])
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert not (shared / "building").exists()
    done, _ = sync(second, given, engines=str(second / "engines" / "cache"))
    assert done.code == 0, done.err
    assert (second / "engines" / "cache" / "sm75.engine").read_bytes() == b"an engine"


def summary(output: Path) -> bytes:
    sink = SqliteSink(output / "results.sqlite3", read_only=True)
    try:
        (run,) = sink.runs()
        found = sink.summary(run.uid)
    finally:
        sink.close()
    assert found is not None
    return found


def test_a_job_on_a_server_from_s3_ends_as_on_the_laptops_own(s3: str, tmp_path: Path) -> None:
    source = built_repository() / "face_detector"
    upload(s3, source, "face_detector")
    address = {"s3": "s3://models/face_detector", "digest": model_digest(source)}
    done, _ = sync(tmp_path, address, s3, model="face_detector", instances="2")
    assert done.code == 0, done.err
    job = manifest(tmp_path, sample_path("bikes.mp4"), sampling={"everyNthFrame": 5})
    environment = {"HOME": os.environ["HOME"]}
    with triton_pod(tmp_path / "models", "face_detector", tmp_path) as pod:
        pod.wait_ready()
        on_pod = videojob("run", job, "--output", tmp_path / "pod", "--triton-url", pod.grpc_address, **environment)
        assert on_pod.code == 0, on_pod.err
    alone = videojob(
        "run", job, "--output", tmp_path / "alone", "--model-repository", built_repository(), **environment
    )
    assert alone.code == 0, alone.err
    assert summary(tmp_path / "pod") == summary(tmp_path / "alone")
