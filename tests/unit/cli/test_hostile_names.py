"""Names, labels and other programs' words are shown letter by letter: no markup, no emoji codes, no escapes."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from support.fakes import FakeClock
from support.segments import job_plan, run_record, video_plan
from videojob.api.loading.problems import ManifestProblem
from videojob.cli.display import LiveRun, PlainRun, progress_view, short_uri
from videojob.cli.laptop.validate import Validation, validation_json, validation_text
from videojob.cli.results.outcome import class_table, outcome_document, show_outcome
from videojob.cli.results.results import show_results, videos_table, windows_csv
from videojob.cli.terminal import cell, console, tell, write_json
from videojob.errors import InputCorrupt, InputNotFound
from videojob.local.progress import ProgressTracker
from videojob.local.run_types import RunOptions, RunOutcome, SinkConfig
from videojob.results.aggregate.merge import fold
from videojob.results.aggregate.segment_results import ClassStats, Gap, SegmentResult, Window
from videojob.results.aggregate.summary import (
    ClassSummary,
    FailedInput,
    FrameCounts,
    JobIdentity,
    ResultSettings,
    Summary,
    VideoEntry,
    VideoSummary,
)
from videojob.results.stored.summary_codec import encode_summary

HOSTILE = [
    ("[Group] Show [h264].mkv", "[Group] Show [h264].mkv"),
    ("x[/y].mp4", "x[/y].mp4"),
    ("[red]x[/red]", "[red]x[/red]"),
    ("clip:fire:x", "clip:fire:x"),
    ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
    ("\x1b[2Jx", r"\x1b[2Jx"),
    ("a\u202eb", r"a\u202eb"),
    ("a\nb\rc", r"a\x0ab\x0dc"),
    ("caf\udce9", r"caf\xe9"),
]
names = pytest.mark.parametrize(("name", "shown"), HOSTILE, ids=[shown for _, shown in HOSTILE])


def drawn(content: RenderableType) -> str:
    """What a console of the plainest kind, with markup and emoji codes on, makes of it."""
    out = io.StringIO()
    Console(file=out, width=200).print(content)
    return out.getvalue()


def make_summary(uri: str = "clip.mp4", label: str = "face", *, gap: str = "", failed: str = "") -> Summary:
    counts = FrameCounts(50, 50, 0, 50)
    classes = (ClassSummary(0, label, 3, 2, 2, "0.700000", "0.900000", 1000, 1, None),)
    gaps = (Gap(1000, 2000, gap),) if gap else ()
    error = InputNotFound(f"no {failed}", uri=failed).as_dict()
    return Summary(
        JobIdentity("default", "job", "model", labels=(label,)),
        ResultSettings(window_ms=2000, presence_gap_ms=1000),
        "PartiallyCompleted",
        "",
        counts,
        classes,
        (VideoSummary(0, VideoEntry(uri, 4000, 640, 272), 1, counts, classes, (), gaps),),
        (FailedInput(1, failed, error),) if failed else (),
    )


def options() -> RunOptions:
    return RunOptions(Path(), Path("out"), SinkConfig("sqlite", path=Path("out/results.sqlite3")))


@names
def test_the_live_view_shows_it(name: str, shown: str) -> None:
    plan = job_plan(videos=(replace(video_plan(), uri=name),))
    assert f"{shown} " in drawn(progress_view(ProgressTracker(plan, 0.0).snapshot(1.0, None)))


@names
def test_the_table_of_classes_shows_it(name: str, shown: str) -> None:
    assert f"{shown} " in drawn(class_table(make_summary(label=name).classes))


@names
def test_the_table_of_videos_shows_it(name: str, shown: str) -> None:
    assert f"{shown} " in drawn(videos_table(make_summary(name), {}))


@names
def test_lines_for_a_log_show_it_on_one_line(name: str, shown: str) -> None:
    out = io.StringIO()
    bad = replace(video_plan(0, error=InputNotFound("gone")), uri=name)
    PlainRun(Console(file=out, width=200), FakeClock()).planned(job_plan(videos=(bad, video_plan(1))))
    assert out.getvalue().splitlines()[1:] == [f"{shown}: failed, InputNotFound"]


@names
def test_the_end_of_a_run_shows_it_in_failures_and_gaps(name: str, shown: str) -> None:
    out = io.StringIO()
    bad = replace(video_plan(1, error=InputCorrupt(f"the decoder said {name}", uri=name)), uri=name)
    summary = encode_summary(make_summary("a.mp4", gap=name.replace("\udce9", "\x9b")))
    outcome = RunOutcome("PartiallyCompleted", run_record(), summary, failed=(bad,), videos=(video_plan(), bad))
    show_outcome(Console(file=out, width=200), outcome, options())
    in_message = shown.replace(r"\x0a", "\n    ")
    assert f"  {shown}: InputCorrupt: the decoder said {in_message} ({shown})." in out.getvalue()
    assert f"  gap in a.mp4: 1.000 to 2.000 s, {shown.replace('xe9', 'x9b')}\n" in out.getvalue()
    assert all(character.isprintable() for character in out.getvalue().replace("\n", ""))


@names
def test_results_show_it_for_failed_inputs(name: str, shown: str) -> None:
    out = io.StringIO()
    show_results(Console(file=out, width=200), make_summary(failed=name), {})
    assert f"  {shown}: InputNotFound: " in out.getvalue()


@names
def test_csv_shows_it_in_its_cells(name: str, shown: str) -> None:
    stats = ClassStats(0, detections=3, frames=2, max_at_once=2, score_sum_ppm=2_100_000, score_max_ppm=900_000)
    result = SegmentResult(0, 0, None, None, 50, 50, 0, (Window(0, 50, (stats,)),))
    row = windows_csv(make_summary(name, name), fold([result], 1000)).splitlines()[1]
    assert row == f"0,{shown},0.0,2.0,50,{shown},3,2,2,0.700000,0.900000"


@names
def test_validation_shows_it(name: str, shown: str) -> None:
    found = Validation((("good.yaml", "job"),), (ManifestProblem(name, 1, 2, "spec", f"no {name}"),))
    assert validation_text(found).splitlines()[0] == f"{shown}:1:2: spec: no {shown}."
    assert json.loads(validation_json(found))["problems"][0]["file"] == name
    assert validation_json(found).isascii()


@names
def test_json_is_ascii_and_exact(name: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    bad = replace(video_plan(0, error=InputNotFound("gone", uri=name)), uri=name, name=name)
    outcome = RunOutcome("Failed", None, error=bad.error, failed=(bad,), videos=(bad,))
    write_json(outcome_document(outcome, options()))
    text = capsys.readouterr().out
    assert text.isascii()
    assert text.count("\n") == 1
    [failed] = json.loads(text)["failed_inputs"]
    assert (failed["uri"], failed["name"], failed["error"]["uri"]) == (name, name, name)


def test_a_notice_keeps_its_lines_but_no_escape() -> None:
    out = io.StringIO()
    PlainRun(Console(file=out, width=200), FakeClock()).notice("the end of its log:\n    \x1b[31mred")
    assert out.getvalue() == "the end of its log:\n    \\x1b[31mred\n"


def test_the_live_view_lives_through_every_name() -> None:
    out = io.StringIO()
    videos = tuple(replace(video_plan(at), uri=name) for at, (name, _) in enumerate(HOSTILE))
    plan = job_plan(videos=videos)
    with LiveRun(Console(file=out, width=200, force_terminal=True)) as view:
        view.stage("\x1b]0;x\x07")
        view.planned(plan)
        view.progress(ProgressTracker(plan, 0.0).snapshot(1.0, None))
        view.notice("\x1b]0;x\x07")
    assert "\x1b]" not in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_a_shortened_name_is_shortened_as_shown() -> None:
    assert short_uri("\x1b" * 20, 12) == r"…x1b\x1b\x1b"


def test_consoles_of_commands_take_nothing_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[red]:fire:[/red]")
    tell(console(), "[/x] :fire:")
    console().print(cell("[/x] :fire:"))
    assert capsys.readouterr().out == "[red]:fire:[/red]\n[/x] :fire:\n[/x] :fire:\n"
