"""What the command line says, word for word where a person or script depends on it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from support.fakes import FakeClock
from support.segments import job_plan, video_plan
from videojob.cli.display import (
    LiveView,
    PlainLines,
    Silent,
    display,
    duration_text,
    plan_text,
    progress_text,
    short_uri,
)
from videojob.cli.exit_codes import ExitCode
from videojob.cli.main import exit_code
from videojob.cli.results import windows_csv
from videojob.errors import Cancelled, InputNotVideo, ManifestError, ServerUnavailable, VideoJobError
from videojob.local.progress import ProgressTracker
from videojob.local.values import RunProgress
from videojob.results.merge import fold
from videojob.results.summary import FrameCounts, JobIdentity, ResultSettings, Summary, VideoEntry, VideoSummary
from videojob.results.values import ClassStats, SegmentResult, Window
from videojob.worker.values import Progress


def progress(frames: int = 100) -> RunProgress:
    tracker = ProgressTracker(job_plan(), started_s=0.0)
    tracker.moved(Progress(segment=0, video=0, frames_done=frames, frames_inferred=frames))
    return tracker.snapshot(10.0, 3.14)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (7.6, "8 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-1, "0 s")],
)
def test_a_length_of_time_reads_well(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_long_uri_keeps_its_end() -> None:
    assert short_uri("s3://bucket/" + "x" * 100 + "/lobby.mp4", 20).endswith("lobby.mp4")
    assert len(short_uri("x" * 100, 20)) == 20


def test_the_plan_is_one_line_with_all_that_matters() -> None:
    plan = job_plan(videos=(video_plan(0), video_plan(1, error=InputNotVideo("text"))), committed=frozenset({0}))
    assert plan_text(plan) == (
        "clip: 1 video, 2 segments, about 1,500 frames, 1 input cannot be used, 1 segment kept from an earlier run"
    ).replace("clip", plan.run.name)


def test_progress_is_one_line_with_rate_batch_and_remaining_time() -> None:
    assert progress_text(progress()) == (
        "100/1,500 frames  0/2 segments  10.0 frames/s  mean batch 3.1  2 min 20 s left"
    )


def test_nothing_is_shown_for_scripts_lines_for_logs_and_a_view_for_people() -> None:
    log, terminal = Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True)
    assert type(display(log, FakeClock(), silent=True)) is Silent
    assert type(display(log, FakeClock(), silent=False)) is PlainLines
    assert type(display(terminal, FakeClock(), silent=False)) is LiveView


def test_a_log_gets_a_progress_line_every_two_seconds_at_most() -> None:
    out, clock = io.StringIO(), FakeClock()
    lines = PlainLines(Console(file=out, width=200), clock)
    clock.seconds = 10.0
    for step in range(8):
        clock.seconds = 10.0 + step / 2
        lines.progress(progress(step))
    assert [line.split("/")[0] for line in out.getvalue().splitlines()] == ["0", "4"]


def test_names_from_a_manifest_are_never_markup() -> None:
    out = io.StringIO()
    PlainLines(Console(file=out, width=200), FakeClock()).stage("[red]clip[/red].mp4")
    assert out.getvalue() == "[red]clip[/red].mp4\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ManifestError("bad"), ExitCode.USAGE),
        (ServerUnavailable("away"), ExitCode.FAILED),
        (Cancelled("stop"), ExitCode.INTERRUPTED),
    ],
)
def test_exit_codes_tell_errors_apart(error: VideoJobError, code: ExitCode) -> None:
    assert exit_code(error) is code


def test_windows_as_csv_have_a_row_per_class_and_one_for_an_empty_window() -> None:
    stats = ClassStats(0, detections=3, frames=2, max_at_once=2, score_sum_ppm=2_100_000, score_max_ppm=900_000)
    result = SegmentResult(0, 0, None, None, 50, 50, 0, (Window(0, 25, (stats,)), Window(1, 25, ())))
    entry = VideoEntry("a,b.mp4", 4000, 640, 272)
    counts = FrameCounts(50, 50, 0, 50)
    summary = Summary(
        JobIdentity("default", "job", "face_detector", labels=("face",)),
        ResultSettings(window_ms=2000, presence_gap_ms=1000),
        "Completed",
        "",
        counts,
        (),
        (VideoSummary(0, entry, 1, counts, (), (), ()),),
    )
    assert windows_csv(summary, fold([result], 1000)).splitlines()[1:] == [
        '0,"a,b.mp4",0.0,2.0,25,face,3,2,2,0.700000,0.900000',
        '0,"a,b.mp4",2.0,4.0,25,,0,0,0,,',
    ]
