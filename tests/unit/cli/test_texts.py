"""What the command line says, word for word where a person or script depends on it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from support.fakes import FakeClock
from support.reports import run_facts
from support.segments import job_plan, run_record, video_plan
from videojob.cli.display import (
    LiveRun,
    PlainRun,
    RunDisplay,
    duration_text,
    plan_text,
    progress_text,
    progress_view,
    run_display,
    short_uri,
)
from videojob.cli.results.outcome import outcome_document, show_outcome
from videojob.cli.results.results import user_names, videos_table, windows_csv
from videojob.errors import InputNotVideo
from videojob.local.progress import ProgressTracker
from videojob.local.run_types import JobPlan, RunOptions, RunOutcome, RunProgress, SinkConfig
from videojob.results.aggregate.merge import fold
from videojob.results.aggregate.segment_results import ClassStats, Gap, SegmentResult, Window
from videojob.results.aggregate.summary import (
    FrameCounts,
    JobIdentity,
    ResultSettings,
    Summary,
    VideoEntry,
    VideoSummary,
)
from videojob.results.run_facts import VideoFacts
from videojob.results.stored.summary_codec import encode_summary
from videojob.worker.segment.task import Progress


def progress(frames: int = 100) -> RunProgress:
    tracker = ProgressTracker(job_plan(), started_s=0.0)
    tracker.moved(Progress(segment=0, video=0, frames_done=frames, frames_inferred=frames))
    return tracker.snapshot(10.0, 3.14)


def make_summary(gaps: tuple[Gap, ...] = ()) -> Summary:
    counts = FrameCounts(50, 50, 0, 50)
    return Summary(
        JobIdentity("default", "job", "face_detector", labels=("face",)),
        ResultSettings(window_ms=2000, presence_gap_ms=1000),
        "Completed",
        "",
        counts,
        (),
        (VideoSummary(0, VideoEntry("a,b.mp4", 4000, 640, 272), 1, counts, (), (), gaps),),
    )


def drawn(content: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (7.6, "8 s"), (59.6, "1 min"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (-1, "0 s")],
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
    assert type(run_display(log, FakeClock(), silent=True)) is RunDisplay
    assert type(run_display(log, FakeClock(), silent=False)) is PlainRun
    assert type(run_display(terminal, FakeClock(), silent=False)) is LiveRun


def test_a_log_gets_a_progress_line_every_two_seconds_at_most() -> None:
    out, clock = io.StringIO(), FakeClock()
    lines = PlainRun(Console(file=out, width=200), clock)
    clock.seconds = 10.0
    for step in range(8):
        clock.seconds = 10.0 + step / 2
        lines.progress(progress(step))
    assert [line.split("/")[0] for line in out.getvalue().splitlines()] == ["0", "4"]


def log_of(plan: JobPlan, *steps: Callable[[ProgressTracker], None]) -> list[str]:
    """Lines of a log while segments end one after the other, the lines of progress itself left out."""
    out, clock, tracker = io.StringIO(), FakeClock(), ProgressTracker(plan, 0.0)
    lines = PlainRun(Console(file=out, width=200), clock)
    lines.planned(plan)
    for step in steps:
        step(tracker)
        lines.progress(tracker.snapshot(clock.monotonic_s(), None))
    return [line for line in out.getvalue().splitlines()[1:] if "frames/s" not in line]


def finished(segment: int, frames: int = 700) -> Callable[[ProgressTracker], None]:
    return lambda tracker: tracker.finished(segment, frames)


def failed(video: int) -> Callable[[ProgressTracker], None]:
    return lambda tracker: tracker.video_failed(video)


def test_a_log_tells_once_when_a_video_is_done_or_failed() -> None:
    plan = job_plan(videos=(video_plan(0), video_plan(1), video_plan(2)))
    lines = log_of(plan, finished(0), finished(1), finished(4), failed(1), finished(5, 1))
    assert lines == ["clip-0.mp4: done, 1,400 frames", "clip-1.mp4: failed", "clip-2.mp4: done, 701 frames"]


def test_a_log_tells_at_once_why_an_input_cannot_be_used() -> None:
    plan = job_plan(videos=(video_plan(0), video_plan(1, error=InputNotVideo("text"))))
    assert log_of(plan, finished(0)) == ["clip-1.mp4: failed, InputNotVideo"]


def test_a_log_is_silent_about_videos_that_an_earlier_run_finished() -> None:
    plan = job_plan(videos=(video_plan(0), video_plan(1)), committed=frozenset({0, 1, 2}))
    assert log_of(plan, finished(3, 750)) == ["clip-1.mp4: done, 1,500 frames"]


def test_a_log_of_hundreds_of_videos_has_only_their_number() -> None:
    bad = video_plan(299, error=InputNotVideo("text"))
    plan = job_plan(videos=(*(video_plan(at) for at in range(299)), bad))
    assert log_of(plan, finished(0), finished(1)) == []
    tracker = ProgressTracker(plan, 0.0)
    finished(0)(tracker)
    finished(1)(tracker)
    assert "  1/300 videos, 1 failed" in progress_text(tracker.snapshot(1.0, None))


def test_a_video_is_called_by_the_users_name_for_it() -> None:
    plan = job_plan(videos=(replace(video_plan(0), name="lobby"), replace(video_plan(1), name="door")))
    assert log_of(plan, finished(0), finished(1), failed(1)) == ["lobby: done, 1,400 frames", "door: failed"]
    view = drawn(progress_view(ProgressTracker(plan, 0.0).snapshot(1.0, None)))
    assert "lobby" in view
    assert "clip-0.mp4" not in view


def test_the_end_of_a_run_calls_videos_by_the_users_names() -> None:
    out = io.StringIO()
    good = replace(video_plan(0), name="lobby")
    bad = replace(video_plan(1, error=InputNotVideo("text")), name="door")
    summary = encode_summary(make_summary(gaps=(Gap(1000, 2000, "InputCorrupt"),)))
    outcome = RunOutcome("PartiallyCompleted", run_record(), summary, failed=(bad,), videos=(good, bad))
    options = RunOptions(Path(), Path("out"), SinkConfig("sqlite", path=Path("out/results.sqlite3")))
    show_outcome(Console(file=out, width=200), outcome, options)
    assert "  door: InputNotVideo: text." in out.getvalue()
    assert "  gap in lobby: 1.000 to 2.000 s, InputCorrupt\n" in out.getvalue()
    assert outcome_document(outcome, options)["failed_inputs"][0]["name"] == "door"


def test_results_call_videos_by_the_users_names() -> None:
    names = user_names(run_facts(50, videos=(VideoFacts(0, "a,b.mp4", "lobby"), VideoFacts(1, "c.mp4"))))
    assert names == {0: "lobby"}
    assert drawn(videos_table(make_summary(), names)).splitlines()[1].split()[:2] == ["lobby", "50"]


def test_without_a_record_videos_have_no_names() -> None:
    assert user_names(None) == {}


@pytest.mark.parametrize(
    ("kept_other", "said"),
    [
        (0, []),
        (1, ["1 segment gave a different result than before; the results stored first are kept"]),
        (2, ["2 segments gave a different result than before; the results stored first are kept"]),
    ],
)
def test_the_end_of_a_run_says_which_results_came_out_otherwise(kept_other: int, said: list[str]) -> None:
    out = io.StringIO()
    outcome = RunOutcome("Completed", run_record(), segments_run=3, kept_other=kept_other)
    options = RunOptions(Path(), Path("out"), SinkConfig("sqlite", path=Path("out/results.sqlite3")))
    show_outcome(Console(file=out, width=200), outcome, options)
    assert [line.strip() for line in out.getvalue().splitlines() if "different result" in line] == said
    assert outcome_document(outcome, options)["segments_kept_other"] == kept_other


def test_windows_as_csv_have_a_row_per_class_and_one_for_an_empty_window() -> None:
    stats = ClassStats(0, detections=3, frames=2, max_at_once=2, score_sum_ppm=2_100_000, score_max_ppm=900_000)
    result = SegmentResult(0, 0, None, None, 50, 50, 0, (Window(0, 25, (stats,)), Window(1, 25, ())))
    assert windows_csv(make_summary(), fold([result], 1000)).splitlines()[1:] == [
        '0,"a,b.mp4",0.0,2.0,25,face,3,2,2,0.700000,0.900000',
        '0,"a,b.mp4",2.0,4.0,25,,0,0,0,,',
    ]
