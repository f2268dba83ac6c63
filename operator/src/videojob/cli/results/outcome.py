"""How a run's end is shown: a short table for people, one document for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from videojob.cli.display import duration_text, plural, video_name
from videojob.cli.terminal import cell, tell
from videojob.local.record import results_place
from videojob.local.run_types import RunOptions, RunOutcome
from videojob.printable import printable
from videojob.results.aggregate.summary import ClassSummary, Summary
from videojob.results.stored.codec import parse
from videojob.results.stored.summary_codec import decode_summary
from videojob.results.stored.write_cost import one_item_per_frame

_STYLES = {"Completed": "green", "PartiallyCompleted": "yellow", "Failed": "red", "Interrupted": "yellow"}


def show_outcome(console: Console, outcome: RunOutcome, options: RunOptions) -> None:
    """State, counts, speed and places, in a dozen lines."""
    tell(console, outcome.state, f"bold {_STYLES[outcome.state]}")
    for video in outcome.failed:
        tell(console, f"  {printable(video.name or video.uri)}: {video.error}", "red")
    failed_errors = {id(video.error) for video in outcome.failed}
    if outcome.error is not None and id(outcome.error) not in failed_errors:
        tell(console, f"  {outcome.error}", "red")
    if outcome.summary is not None:
        names = {video.video: video.name for video in outcome.videos if video.name}
        show_summary(console, decode_summary(outcome.summary), names)
    _show_speed(console, outcome)
    _show_places(console, outcome, options)


def show_summary(console: Console, summary: Summary, names: Mapping[int, str]) -> None:
    """What was found: a row per class, then what is missing.

    Args:
        console: where to.
        summary: of a finished run.
        names: what the user calls a video, by its position; the others are called by their URI.
    """
    frames = summary.frames
    videos = f"{len(summary.videos)} {plural(len(summary.videos), 'video')}"
    how = f"{frames.inferred:,} inferred, {frames.gated:,} repeated by the motion gate"
    tell(console, f"  {frames.selected:,} frames of {videos}: {how}")
    if summary.classes:
        console.print(class_table(summary.classes))
    else:
        tell(console, "  nothing was detected")
    for video in summary.videos:
        name = video_name(names.get(video.video, ""), video.entry.uri)
        for gap in video.gaps:
            span = f"{gap.start_ms / 1000:.3f} to {gap.end_ms / 1000:.3f} s"
            tell(console, f"  gap in {name}: {span}, {printable(gap.reason)}", "yellow")


def class_table(classes: tuple[ClassSummary, ...]) -> Table:
    """One row per class."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for title in ("class", "detections", "frames", "at once", "mean score", "present"):
        table.add_column(title, justify="left" if title == "class" else "right")
    tracked = any(item.unique is not None for item in classes)
    if tracked:
        table.add_column("unique", justify="right")
    for item in classes:
        cells = [
            item.label,
            f"{item.detections:,}",
            f"{item.frames:,}",
            str(item.max_at_once),
            f"{float(item.mean_score):.3f}",
            duration_text(item.present_ms / 1000),
            *([str(item.unique)] if tracked else []),
        ]
        table.add_row(*map(cell, cells))
    return table


def _show_speed(console: Console, outcome: RunOutcome) -> None:
    parts = []
    if outcome.segments_run:
        parts.append(f"{outcome.frames_per_s:.1f} frames/s over {duration_text(outcome.wall_s)}")
    if outcome.mean_batch is not None and outcome.segments_run:
        parts.append(f"mean batch {outcome.mean_batch:.2f}")
    if outcome.transport:
        parts.append(f"transport: {outcome.transport}")
    if outcome.segments_kept:
        parts.append(f"{outcome.segments_kept} {plural(outcome.segments_kept, 'segment')} kept from an earlier run")
    if parts:
        tell(console, f"  {', '.join(parts)}")
    if outcome.kept_other:
        segments = f"{outcome.kept_other} {plural(outcome.kept_other, 'segment')}"
        tell(console, f"  {segments} gave a different result than before; the results stored first are kept", "yellow")
    if outcome.segments_run and outcome.write_units:
        naive = one_item_per_frame(outcome.frames_selected).write_units
        tell(console, f"  stored in {outcome.write_units:g} write units; one item per frame would take {naive:g}")


def _show_places(console: Console, outcome: RunOutcome, options: RunOptions) -> None:
    if outcome.state == "Interrupted":
        done = outcome.segments_run + outcome.segments_kept
        total = 0 if outcome.run is None else outcome.run.segments
        tell(console, f"  {done} of {total} segments are kept; run it again to continue")
    if outcome.summary is None:
        return
    tell(console, f"  results  {results_place(options.sink)}")
    for title, path in (("report", outcome.report), ("boxes", outcome.detections), ("preview", outcome.preview)):
        if path is not None:
            tell(console, f"  {title:<8} {printable(str(path))}")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def outcome_document(outcome: RunOutcome, options: RunOptions) -> dict[str, Any]:
    """The same for a script. Fields are only ever added."""
    return {
        "state": outcome.state,
        "job": None if outcome.run is None else {"name": outcome.run.name, "namespace": outcome.run.namespace},
        "error": None if outcome.error is None else outcome.error.as_shown(),
        "failed_inputs": [
            {
                "video": video.video,
                "uri": video.uri,
                "name": video.name,
                "error": None if video.error is None else video.error.as_shown(),
            }
            for video in outcome.failed
        ],
        "segments_run": outcome.segments_run,
        "segments_kept": outcome.segments_kept,
        "segments_kept_other": outcome.kept_other,
        "frames_selected": outcome.frames_selected,
        "frames_inferred": outcome.frames_inferred,
        "frames_per_s": round(outcome.frames_per_s, 2),
        "mean_batch": None if outcome.mean_batch is None else round(outcome.mean_batch, 3),
        "wall_s": round(outcome.wall_s, 3),
        "transport": outcome.transport,
        "write_units": outcome.write_units,
        "write_units_one_item_per_frame": one_item_per_frame(outcome.frames_selected).write_units,
        "results": results_place(options.sink),
        "report": _text(outcome.report),
        "detections": _text(outcome.detections),
        "preview": _text(outcome.preview),
        "summary": None if outcome.summary is None else parse(outcome.summary),
    }
