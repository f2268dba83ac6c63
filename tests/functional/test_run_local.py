"""`videojob run` as a person meets it: real video, the embedded Triton, SQLite; killed, stopped, fed with rubbish."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.clips import looped
from support.command import TIMEOUT_S, Finished, manifest, running, videojob
from support.samples import sample_path
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.local.triton.server import EmbeddedTriton

SPARSE = {"framesPerSecond": "0.23"}  # not a whole number of frames in a loop: it meets other frames in each round
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
LOOPS, SLOWER = 8, 2  # 160 s of video in few pictures: decoding them is not what these tests are about
SHORTEST = {"segmentSeconds": 20}
SEGMENTS = 8


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    return looped(sample_path("bikes.mp4"), folder / "long.mp4", LOOPS, slower=SLOWER)


@pytest.fixture(scope="module")
def undisturbed(long_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = videojob("run", long_job(folder, long_clip), "--output", folder / "out", "--json")
    assert done.code == 0, done.err
    return done


@pytest.fixture
def shared(face_server: EmbeddedTriton) -> list[str]:
    """Arguments of a run that needs neither a Triton of its own nor many workers: to start them is most of its work."""
    return ["--triton-url", face_server.grpc_address, "--workers", "1"]


def long_job(folder: Path, clip: Path) -> Path:
    return manifest(folder, clip, sampling=SPARSE, compute=SHORTEST)


def summary_bytes(output: Path) -> bytes:
    sink = SqliteSink(output / "results.sqlite3")
    try:
        (run,) = sink.runs()
        found = sink.summary(run.uid)
    finally:
        sink.close()
    assert found is not None
    return found


def wait_for_a_commit(process: subprocess.Popen[str], output: Path) -> int:
    """Returns as soon as the store holds a segment and not yet all of them."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            raise AssertionError("the run ended before it could be disturbed")
        done = committed(output)
        if 0 < done < SEGMENTS:
            return done


def committed(output: Path) -> int:
    database = output / "results.sqlite3"
    if not database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as db:
        try:
            (count,) = db.execute("select count(*) from segments").fetchone()
        except sqlite3.OperationalError:  # the tables are being made
            return 0
    return int(count)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_every_frame_is_in_the_results(undisturbed: Finished) -> None:
    document = undisturbed.document
    assert document["state"] == "Completed"
    assert document["summary"]["frames"]["selected"] == 37
    assert document["segments_run"] == 8
    faces = document["summary"]["classes"]
    assert [item["label"] for item in faces] == ["face"]
    assert faces[0]["detections"] > 0
    price = document["on_cluster"]
    assert (price["region"], price["why_not"]) == ("us-east-1", None)
    assert Decimal(price["usd"]) > 0


@pytest.mark.parametrize("workers", ["1", "3"])
def test_the_number_of_workers_changes_nothing(
    workers: str, long_clip: Path, undisturbed: Finished, tmp_path: Path, shared: list[str]
) -> None:
    job = long_job(tmp_path, long_clip)
    done = videojob("run", job, "--output", tmp_path / "out", "--json", *shared, "--workers", workers)
    assert done.document["summary"] == undisturbed.document["summary"]


def test_after_kill_9_a_rerun_goes_on_and_ends_byte_for_byte_the_same(
    long_clip: Path, undisturbed: Finished, tmp_path: Path
) -> None:
    job, output = long_job(tmp_path, long_clip), tmp_path / "out"
    with running("run", job, "--output", output, "--workers", "1") as process:
        committed = wait_for_a_commit(process, output)
        children = family(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == [], "no process outlives the command"
    again = videojob("run", job, "--output", output, "--json")
    assert again.document["segments_kept"] >= committed
    assert again.document["segments_kept"] + again.document["segments_run"] == 8
    assert again.document["summary"] == undisturbed.document["summary"]


@pytest.mark.parametrize("part", ["spawn_main", "decoder_process", "tritonserver", "triton_python_backend_stub"])
def test_a_killed_part_costs_at_most_its_segment(
    part: str, long_clip: Path, undisturbed: Finished, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    with running("run", long_job(tmp_path, long_clip), "--output", output, "--workers", "1") as process:
        wait_for_a_commit(process, output)
        victims = [child for child in family(process) if part in " ".join(child.cmdline())]
        assert victims, "the part is there to be killed"
        for victim in victims:
            victim.kill()
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, out
    assert json.loads(summary_bytes(output)) == undisturbed.document["summary"]


def kill_workers_on(video: Path, process: subprocess.Popen[str]) -> int:
    """Kills each worker whose decoder has the video open, until the run ends; returns how many."""
    killed = 0
    while process.poll() is None:
        for decoder in family(process):
            with contextlib.suppress(psutil.Error):
                worker = decoder.parent()
                is_on_it = str(video) in [opened.path for opened in decoder.open_files()]
                if is_on_it and worker is not None and "spawn_main" in " ".join(worker.cmdline()):
                    worker.kill()
                    worker.wait()
                    killed += 1
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.02)
    return killed


def test_a_video_that_kills_its_workers_is_given_up_and_the_others_are_in_the_results(
    long_clip: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    job = manifest(tmp_path, long_clip, sample_path("carphone.mp4"), backoffLimit=1, sampling={"everyNthFrame": 2})
    with running("run", job, "--output", output, "--workers", "1") as process:
        killed = kill_workers_on(long_clip, process)
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, killed) == (3, 2), out
    summary = json.loads(summary_bytes(output))
    assert summary["state"] == "PartiallyCompleted"
    assert [(one["video"], one["error"]["reason"]) for one in summary["failed_inputs"]] == [(0, "WorkerLost")]
    assert summary["frames"]["selected"] == 60


def test_a_job_of_one_video_that_kills_its_workers_fails_and_its_next_run_tries_again(
    long_clip: Path, tmp_path: Path
) -> None:
    job, output = manifest(tmp_path, long_clip, sampling=SPARSE, backoffLimit=0), tmp_path / "out"
    with running("run", job, "--output", output, "--workers", "1") as process:
        kill_workers_on(long_clip, process)
        out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1, out
    assert "WorkerLost" in out
    again = videojob("run", job, "--output", output, "--json")
    assert (again.code, again.document["state"]) == (0, "Completed")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_keeps_what_is_done_and_says_so(
    number: signal.Signals, long_clip: Path, undisturbed: Finished, tmp_path: Path
) -> None:
    job, output = long_job(tmp_path, long_clip), tmp_path / "out"
    with running("run", job, "--output", output, "--workers", "1", "--grace", "0") as process:
        wait_for_a_commit(process, output)
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run it again to continue" in out
    again = videojob("run", job, "--output", output, "--json")
    assert again.document["segments_kept"] >= 1
    assert again.document["summary"] == undisturbed.document["summary"]


def test_a_finished_job_is_not_run_again(long_clip: Path, tmp_path: Path, shared: list[str]) -> None:
    job, output = long_job(tmp_path, long_clip), tmp_path / "out"
    first = videojob("run", job, "--output", output, "--json", *shared)
    before = summary_bytes(output)
    second = videojob("run", job, "--output", output, "--json", *shared)
    assert (first.document["segments_run"], second.document["segments_run"]) == (8, 0)
    assert summary_bytes(output) == before


def test_a_changed_setting_starts_over(long_clip: Path, tmp_path: Path, shared: list[str]) -> None:
    output = tmp_path / "out"
    short: dict[str, Any] = {"sampling": {"everyNthFrame": 125}, "compute": SHORTEST}
    videojob("run", manifest(tmp_path, long_clip, **short), "--output", output, "--json", *shared)
    other = manifest(tmp_path, long_clip, **short, aggregation={"window": "5s"})
    done = videojob("run", other, "--output", output, "--json", *shared)
    assert (done.document["segments_run"], done.document["segments_kept"]) == (8, 0)
    assert done.document["summary"]["settings"]["window_ms"] == 5000


def test_a_bad_video_does_not_stop_the_others(tmp_path: Path, shared: list[str]) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("this is no video\n" * 100)
    job = manifest(tmp_path, text, sample_path("carphone.mp4"), tmp_path / "missing.mp4", sampling={"everyNthFrame": 4})
    done = videojob("run", job, "--output", tmp_path / "out", "--json", *shared)
    assert done.code == 3
    assert done.document["state"] == "PartiallyCompleted"
    reasons = [item["error"]["reason"] for item in done.document["failed_inputs"]]
    assert reasons == ["InputNotVideo", "InputNotFound"]
    assert done.document["summary"]["frames"]["selected"] == 30


def test_only_bad_videos_fail_the_job_with_the_reason(tmp_path: Path) -> None:
    done = videojob("run", manifest(tmp_path, "missing.mp4"), "--output", tmp_path / "out")
    assert done.code == 1
    assert "InputNotFound" in done.out
    assert "not retryable" in done.out


def test_a_truncated_video_fails_or_is_skipped_as_asked(tmp_path: Path, shared: list[str]) -> None:
    source = sample_path("bikes.mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(source[: len(source) * 2 // 3])
    sparse = {"everyNthFrame": 10}
    failed = videojob("run", manifest(tmp_path, cut, sampling=sparse), "--output", tmp_path / "fail", "--json", *shared)
    assert failed.code == 1, failed.out
    job = manifest(tmp_path, cut, onCorruption="Skip", name="skip", sampling=sparse)
    skipped = videojob("run", job, "--output", tmp_path / "skip", "--json", *shared)
    if "moov" in failed.out:  # the index is at the end of this file and is gone with it: nothing can be skipped
        assert skipped.code == 1
    else:
        assert skipped.code == 3, skipped.out
        assert skipped.document["summary"]["videos"][0]["gaps"]


def test_an_unknown_model_is_named(tmp_path: Path) -> None:
    job = manifest(tmp_path, sample_path("carphone.mp4"), model={"name": "no_such_model"})
    done = videojob("run", job, "--output", tmp_path / "out")
    assert done.code == 1
    assert "ModelNotFound" in done.err
    assert "no_such_model" in done.err


def test_an_unknown_class_is_refused_with_those_there_are(tmp_path: Path) -> None:
    job = manifest(tmp_path, sample_path("carphone.mp4"), model={"name": "face_detector", "classes": ["cat"]})
    done = videojob("run", job, "--output", tmp_path / "out")
    assert done.code == 2
    assert "its classes are: face" in done.err.lower()


def test_detections_and_preview_are_written_beside_the_results(tmp_path: Path) -> None:
    extra: dict[str, Any] = {"detections": {}, "preview": {"mode": "blur"}}
    job = manifest(tmp_path, sample_path("carphone.mp4"), results=extra, aggregation={"track": True})
    done = videojob("run", job, "--output", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert list(Path(done.document["preview"]).rglob("*.mp4"))
    assert list(Path(done.document["detections"]).rglob("*.parquet"))
    assert done.document["summary"]["classes"][0]["unique"] >= 1


def test_dynamodb_holds_the_same_summary_as_sqlite(
    long_clip: Path, undisturbed: Finished, tmp_path: Path, results_url: str, shared: list[str]
) -> None:
    output = tmp_path / "out"
    where = ["--sink", "dynamodb", "--table", "run-local", "--endpoint-url", results_url]
    job = long_job(tmp_path, long_clip)
    missing = videojob("run", job, "--output", output, *where, **AWS)
    assert missing.code == 1
    assert "--create-table" in missing.err
    done = videojob("run", job, "--output", output, "--create-table", "--json", *shared, *where, **AWS)
    assert done.code == 0, done.err
    assert done.document["summary"] == undisturbed.document["summary"]
    assert 0 < done.document["write_units"] < done.document["write_units_one_item_per_frame"]
    shown = videojob("results", "job", "--output", output, "--format", "json", *where, **AWS)
    assert json.loads(shown.out) == undisturbed.document["summary"]
