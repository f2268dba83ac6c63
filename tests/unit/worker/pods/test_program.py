"""What planner and worker pods share: the stop signal, the termination message, the log, the job file."""

from __future__ import annotations

import json
import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.fakes import FakeClock
from support.job_stores import FakeJobStore
from support.plans import plan_head, planned_job
from videojob.errors import (
    Cancelled,
    InputCorrupt,
    ManifestError,
    ModelLoadFailed,
    ResultsIncomplete,
    UsageError,
    VideoJobError,
)
from videojob.kube.job_file import JobFile
from videojob.planning.state.ending import Ending
from videojob.worker.pods.planned_batch import planned_batch
from videojob.worker.pods.program import TERMINATION_LOG, Drain, ended, read_job_file, termination_message
from videojob.worker.process.logs import JsonLines

SPEC = {"inputs": [{"s3": {"bucket": "videos", "key": "k.mp4"}}], "model": {"name": "m"}}
CLUSTER = {"uid": "team.1", "table": "t", "region": None, "modelDigest": "sha256:0", "modelVersion": 3}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    monkeypatch.setenv(TERMINATION_LOG, str(path))
    return path


def test_what_runs_may_go_on_until_shortly_before_the_kill(clock: FakeClock) -> None:
    drain = Drain(60.0, clock)
    assert (drain.asked(), drain.over()) == (False, False)
    drain.asked_at_s = clock.monotonic_s()
    assert (drain.asked(), drain.over()) == (True, False)
    clock.seconds += 51
    assert not drain.over()
    clock.seconds += 2
    assert drain.over()


def test_without_grace_what_runs_is_dropped_at_once(clock: FakeClock) -> None:
    drain = Drain(0.0, clock, asked_at_s=clock.monotonic_s())
    with pytest.raises(Cancelled):
        drain.check()


def test_a_wait_ends_when_there_is_no_time_for_another_try(clock: FakeClock) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        clock.seconds += seconds

    drain = Drain(60.0, clock, sleep=sleep)
    drain.pause(500)
    drain.asked_at_s = clock.monotonic_s()
    drain.pause(50)
    with pytest.raises(Cancelled):
        drain.pause(5)
    with pytest.raises(Cancelled):
        drain.pause(5)
    assert waited == [500, 50, 5]


def test_a_signal_ends_the_process_at_once_unless_segments_run(clock: FakeClock) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    drain = Drain(60.0, clock)
    try:
        drain.install()
        with pytest.raises(Cancelled):
            os.kill(os.getpid(), signal.SIGTERM)
        first_s = drain.asked_at_s
        drain.working = True
        os.kill(os.getpid(), signal.SIGTERM)
        assert drain.asked_at_s == first_s is not None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_pod_that_settled_says_nothing(words: Path) -> None:
    assert ended(lambda: (Ending.SETTLED, None)) == 0
    assert not words.exists()


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (InputCorrupt("damaged", uri="s3://b/k", segment=3), 1, "InputCorrupt"),
        (ManifestError("wrong"), 64, "InvalidManifest"),
        (Cancelled("signal"), 75, "Cancelled"),
        (ZeroDivisionError("by zero"), 1, "InternalError"),
    ],
)
def test_a_pod_tells_why_it_ended(words: Path, error: Exception, code: int, reason: str) -> None:
    def work() -> tuple[Ending, VideoJobError | None]:
        raise error

    assert ended(work) == code
    assert json.loads(words.read_text())["reason"] == reason


def test_an_outcome_with_an_error_tells_it_too(words: Path) -> None:
    assert ended(lambda: (Ending.EXHAUSTED, InputCorrupt("damaged"))) == 65
    assert json.loads(words.read_text())["message"] == "damaged"


def test_words_without_a_place_do_not_change_the_ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(TERMINATION_LOG, str(tmp_path / "no" / "folder"))
    assert ended(lambda: (Ending.STOPPED, Cancelled("signal"))) == 75


@pytest.mark.parametrize("letter", ["x", "ü", "\x00"])
def test_a_termination_message_is_json_that_the_kubelet_keeps_whole(letter: str) -> None:
    long = letter * 9000
    error = ModelLoadFailed(long, uri="s3://" + long, hint=long, segment=1)
    text = termination_message(error)
    assert len(text.encode()) <= 4096
    assert json.loads(text)["reason"] == "ModelLoadFailed"


def test_a_short_termination_message_is_the_whole_error() -> None:
    error = InputCorrupt("damaged", uri="s3://b/k", segment=3, time_ms=40)
    assert json.loads(termination_message(error)) == error.as_dict()


def test_a_line_of_the_log_is_one_object_bound_to_its_job() -> None:
    record = logging.makeLogRecord(
        {
            "name": "videojob.x",
            "levelname": "WARNING",
            "msg": "two\nlines %d",
            "args": (7,),
            "segment": 3,
            "p": Path("a"),
        }
    )
    line = JsonLines({"job": "faces", "namespace": "team"}).format(record)
    values = json.loads(line)
    assert "\n" not in line
    assert values.pop("time").endswith("+00:00")
    assert values == {
        "level": "warning",
        "logger": "videojob.x",
        "message": "two\nlines 7",
        "job": "faces",
        "namespace": "team",
        "segment": 3,
        "p": "a",
    }


def job_file(folder: Path, **changes: Any) -> Path:
    values = {"job": {"metadata": {"name": "n", "namespace": "team"}, "spec": SPEC}, "cluster": CLUSTER} | changes
    path = folder / "job.json"
    path.write_text(json.dumps(values))
    return path


def read(folder: Path, **changes: Any) -> JobFile:
    return read_job_file(job_file(folder, **changes))


def test_the_jobs_file_tells_job_table_and_model(tmp_path: Path) -> None:
    file = read(tmp_path)
    assert (file.job.metadata.namespace, file.job.spec.model.name) == ("team", "m")
    assert (file.uid, file.table, file.region) == ("team.1", "t", None)
    assert (file.model_digest, file.model_version) == ("sha256:0", 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": {name: value for name, value in CLUSTER.items() if name != "uid"}},
        {"cluster": CLUSTER | {"modelVersion": "three"}},
        {"job": {"metadata": {"name": "n"}, "spec": SPEC | {"unheardOf": 1}}},
        {"job": []},
    ],
)
def test_a_file_of_another_version_is_refused_with_what_to_do(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, **changes)
    assert "upgrade" in caught.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError):
        read_job_file(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("index", "segments", "videos"), [(0, [0, 1], [0]), (1, [2, 3], [0, 2]), (2, [4], [3]), (3, [], [])]
)
def test_an_index_owns_its_batch_of_segments(
    tmp_path: Path, index: int, segments: list[int], videos: list[int]
) -> None:
    planned = planned_job(cuts=[2, None, 0, 0])
    store = FakeJobStore(plan_head(planned), planned)
    found = planned_batch(read(tmp_path), store, attempt=1, epoch=4, index=index, batch=2)
    assert [segment.index for segment in found.segments] == segments
    assert [video.video for video in found.videos] == videos
    assert (found.run.uid, found.run.epoch, found.run.segments) == ("team.1", 4, 5)


@pytest.mark.parametrize("lost", [0, 2])
def test_an_index_whose_segments_are_not_in_the_table_is_no_success(tmp_path: Path, lost: int) -> None:
    planned = planned_job(cuts=[2, None, 2])
    store = FakeJobStore(plan_head(planned), [video for video in planned if video.video != lost])
    with pytest.raises(ResultsIncomplete, match="0 of its 2 segments") as caught:
        planned_batch(read(tmp_path), store, attempt=1, epoch=1, index=lost and 2, batch=2)
    assert not caught.value.retryable


def test_a_run_has_the_keys_of_its_plan(tmp_path: Path) -> None:
    planned = planned_job(cuts=[2])
    for keys in (1, 2):
        store = FakeJobStore(replace(plan_head(planned), keys=keys), planned)
        assert planned_batch(read(tmp_path), store, attempt=1, epoch=1, index=0, batch=3).run.keys == keys


def test_a_worker_without_a_plan_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no plan of attempt 2"):
        planned_batch(read(tmp_path), FakeJobStore(plan_head([])), attempt=2, epoch=1, index=0, batch=1)
