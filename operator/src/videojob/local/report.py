"""`videojob report`: gathers what the store and the output folder have, and writes the page."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from videojob.errors import ResultsIncomplete, SetupError
from videojob.local.thumbnails import peak_pictures
from videojob.ports.clock import Clock
from videojob.ports.results import Sink
from videojob.results.aggregate.segment_results import RunRecord
from videojob.results.aggregate.summary import results_of
from videojob.results.report import ReportData, choose_peaks, render_report
from videojob.results.run_facts import RunFacts
from videojob.results.stored.summary_codec import decode_summary


def gather(sink: Sink, run: RunRecord, facts: RunFacts | None, clock: Clock) -> ReportData:
    """All that the report shows.

    Args:
        sink: has the summary and the segments' results.
        run: the finished run.
        facts: that run's own record; without it there are no pictures and no timings.
        clock: bounds the time that pictures may take.

    Raises:
        ResultsIncomplete: the run has no summary yet.
        SinkUnavailable: the store does not answer.
    """
    encoded = sink.finished(run)
    if encoded is None:
        raise ResultsIncomplete(f"epoch {run.epoch} of {run.namespace}/{run.name} is not finished")
    summary = decode_summary(encoded)
    results = results_of(summary, (commit.result for commit in sink.commits(run)))
    videos = () if facts is None else facts.videos
    return ReportData(summary, results, facts, peak_pictures(choose_peaks(summary), videos, clock))


def write_report(sink: Sink, run: RunRecord, facts: RunFacts | None, clock: Clock, path: Path) -> Path:
    """Writes the report by rename, so that nobody sees half a page; returns where.

    Raises:
        ResultsIncomplete: the run has no summary yet.
        SinkUnavailable: the store does not answer.
        SetupError: the folder cannot be written to.
    """
    page = render_report(gather(sink, run, facts, clock))
    part = path.with_name(f"{path.name}.part-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        message = f"the report cannot be written to {path}: {error.strerror}"
        raise SetupError(message, hint="Give another path.") from error
    return path
