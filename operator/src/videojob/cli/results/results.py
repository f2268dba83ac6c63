"""`videojob results NAME` and `videojob report NAME`: what a finished run found."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from videojob.adapters.clock import SystemClock
from videojob.cli.display import video_name
from videojob.cli.options import with_options
from videojob.cli.results.cluster_results import find_place
from videojob.cli.results.deleting import delete_results
from videojob.cli.results.outcome import show_summary
from videojob.cli.results.stored import NameArgument, Origin, finished_run
from videojob.cli.terminal import cell, console, tell, write_json
from videojob.errors import error_from_dict
from videojob.local.record import REPORT_FILE, read_facts
from videojob.local.report import write_report
from videojob.printable import printable
from videojob.results.aggregate.merge import JobResults
from videojob.results.aggregate.segment_results import RunRecord
from videojob.results.aggregate.summary import Summary, class_label, decimal_ppm, results_of
from videojob.results.run_facts import RunFacts
from videojob.results.stored.codec import parse
from videojob.results.stored.summary_codec import decode_summary

_COLUMNS = (
    "video",
    "uri",
    "start_s",
    "end_s",
    "frames",
    "class",
    "detections",
    "frames_with",
    "max_at_once",
    "mean_score",
    "max_score",
)


class ResultsFormat(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@with_options
def results(
    name: NameArgument,
    *,
    origin: Origin,
    form: Annotated[
        ResultsFormat, typer.Option("--format", help="table for people, json: the summary, csv: a row per window.")
    ] = ResultsFormat.TABLE,
    delete: Annotated[bool, typer.Option("--delete", help="Delete all stored results of the job.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --delete: do not ask for confirmation.")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="With --delete: also those of an unfinished run.")
    ] = False,
) -> None:
    """Show or delete the results of a finished run."""
    where = find_place(name, origin)
    if delete:
        delete_results(where, sure=yes, unfinished=unfinished)
        return
    with finished_run(where) as (store, run, encoded):
        summary = decode_summary(encoded)
        if form is ResultsFormat.JSON:
            write_json(parse(encoded))
        elif form is ResultsFormat.CSV:
            merged = results_of(summary, (commit.result for commit in store.commits(run)))
            sys.stdout.write(windows_csv(summary, merged))
        else:
            show_results(console(), summary, user_names(_facts(where.output, run, "Names of videos")))


def _facts(folder: Path, run: RunRecord, without: str) -> RunFacts | None:
    """The run's record, if the folder has it; of a record that cannot be used a notice says what is left out."""

    def remark(why: str) -> None:
        tell(console(stderr=True), f"{without} are left out: {why}.", "yellow")

    return read_facts(folder, run, remark)


def user_names(facts: RunFacts | None) -> dict[int, str]:
    """What the user calls the videos, by position, as the run's record has it; the summary knows no names."""
    return {} if facts is None else {video.video: video.name for video in facts.videos if video.name}


def show_results(where: Console, summary: Summary, names: Mapping[int, str]) -> None:
    """State, what was found, what could not be used, and a row per video."""
    tell(where, f"{summary.identity.name}: {summary.state}")
    show_summary(where, summary, names)
    for failed in summary.failed_inputs:
        name = printable(names.get(failed.video) or failed.uri)
        tell(where, f"  {name}: {error_from_dict(failed.error)}", "red")
    where.print(videos_table(summary, names))


def windows_csv(summary: Summary, merged: JobResults) -> str:
    """One row per video, window and class; a window without any detection has one row without a class.

    Names are shown as on a terminal, where CSV often ends; the exact ones are in the JSON, by the number of the video.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    uris = {video.video: printable(video.entry.uri) for video in summary.videos}
    window_ms = summary.settings.window_ms
    for video in merged.videos:
        for window in video.windows:
            start_s, end_s = window.index * window_ms / 1000, (window.index + 1) * window_ms / 1000
            head = [video.video, uris.get(video.video, ""), start_s, end_s, window.frames]
            if not window.classes:
                writer.writerow([*head, "", 0, 0, 0, "", ""])
            for stats in window.classes:
                label = printable(class_label(summary.identity.labels, stats.class_id))
                mean = decimal_ppm((2 * stats.score_sum_ppm + stats.detections) // (2 * stats.detections))
                counts = [stats.detections, stats.frames, stats.max_at_once]
                writer.writerow([*head, label, *counts, mean, decimal_ppm(stats.score_max_ppm)])
    return text.getvalue()


def videos_table(summary: Summary, names: Mapping[int, str]) -> Table:
    """One row per video, called as in `show_summary`."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("video")
    for title in ("frames", "segments", "detections", "present", "gaps"):
        table.add_column(title, justify="right")
    for video in summary.videos:
        present_s = sum(item.present_ms for item in video.classes) / 1000
        cells = [
            video_name(names.get(video.video, ""), video.entry.uri),
            f"{video.frames.selected:,}",
            str(video.segments),
            f"{sum(item.detections for item in video.classes):,}",
            f"{present_s:.1f} s",
            str(len(video.gaps)),
        ]
        table.add_row(*map(cell, cells))
    return table


@with_options
def report(
    name: NameArgument,
    *,
    origin: Origin,
    to: Annotated[Path | None, typer.Option(help="File to write.", show_default="OUTPUT/report.html")] = None,
) -> None:
    """Write the report of a finished run: one HTML file that needs nothing else."""
    where = find_place(name, origin)
    with finished_run(where) as (store, run, _):
        facts = _facts(where.output, run, "Pictures and timings")
        path = write_report(store, run, facts, SystemClock(), to or where.output / REPORT_FILE)
    tell(console(), str(path))
