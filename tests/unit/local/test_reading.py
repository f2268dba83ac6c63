"""When a run on this machine must not begin though there are good videos: its summary would hide one that has more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.results import job_description, planned, run_record, segment_commit, segment_result
from support.segments import video_plan
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.api.spec import VideoJobSpec
from videojob.errors import InputNotFound, InputUnavailable, SetupError, VideoJobError
from videojob.local.reading import reason_to_wait
from videojob.ports.results import Sink
from videojob.results.aggregate.summary import VideoEntry, summarise
from videojob.results.stored.summary_codec import encode_summary
from videojob.worker.segment.task import VideoPlan

UID = "uid-1"


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with closing(SqliteSink(tmp_path / "results.sqlite3")) as sink:
        yield sink


def finish_with(sink: Sink, *uris: str) -> None:
    """A finished epoch with results of such videos."""
    segments = tuple(segment for at in range(len(uris)) for segment in planned(1, video=at, first_index=at))
    run = sink.begin(run_record(UID, segments=len(segments)))
    results = [segment_result(segment) for segment in segments]
    for result in results:
        sink.commit(run, segment_commit(result))
    described = job_description(segments, videos=len(uris))
    videos = tuple(VideoEntry(uri, 60_000, 640, 272) for uri in uris)
    sink.finalise(run, encode_summary(summarise(replace(described, videos=videos), results)), None)


def spec(*inputs: Mapping[str, object]) -> VideoJobSpec:
    return VideoJobSpec.model_validate({"inputs": list(inputs), "model": {"name": "face_detector"}})


def failed(uri: str, error: VideoJobError) -> VideoPlan:
    return replace(video_plan(1, error=error), uri=uri, version="")


FILE = {"file": {"path": "clip-0.mp4"}}
AWAY = InputUnavailable("no answer")


@pytest.mark.parametrize(
    ("known", "uri", "waits"),
    [
        ((), "s3://films/day/1.mp4", False),
        (("clip-0.mp4",), "s3://films/day/1.mp4", False),
        (("clip-0.mp4", "s3://films/day/1.mp4"), "s3://films/day/1.mp4", True),
        (("clip-0.mp4", "s3://films/day/1.mp4"), "s3://films/day/", True),
        (("clip-0.mp4", "s3://films/night/1.mp4"), "s3://films/day/", False),
        (("clip-0.mp4", "s3://films/day/1.mp4x"), "s3://films/day/1.mp4", False),
    ],
)
def test_results_that_have_what_is_away_now_are_not_replaced(
    sink: Sink, known: tuple[str, ...], uri: str, *, waits: bool
) -> None:
    if known:
        finish_with(sink, *known)
    job = spec(FILE, {"s3": {"bucket": "films", "prefix": "day/"}})
    assert reason_to_wait(job, [video_plan(), failed(uri, AWAY)], sink, UID) is (AWAY if waits else None)


def test_what_is_wrong_for_good_keeps_nobody_waiting(sink: Sink) -> None:
    finish_with(sink, "clip-0.mp4", "clip-1.mp4")
    gone = failed("clip-1.mp4", InputNotFound("no such file"))
    assert reason_to_wait(spec(FILE), [video_plan(), gone], sink, UID) is None


def test_a_passing_fault_of_this_machine_is_no_verdict_on_a_video(sink: Sink) -> None:
    full = SetupError("the disk is full", retryable=True)
    assert reason_to_wait(spec(FILE), [video_plan(), failed("clip-1.mp4", full)], sink, UID) is full
