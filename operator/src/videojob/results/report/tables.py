"""The page's tables: windows, what storing took, how it was run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from videojob.results import words
from videojob.results.aggregate.summary import ResultSettings, Summary, class_label
from videojob.results.report.content import ReportData
from videojob.results.report.parts import Store, WindowRow
from videojob.results.run_facts import RunFacts
from videojob.results.stored.write_cost import cost_of, one_item_per_frame

MAX_WINDOW_ROWS = 400


def window_rows(
    data: ReportData, names: Mapping[int, str], colours: Mapping[int, int]
) -> tuple[tuple[WindowRow, ...], int]:
    """The first rows of the table of windows, and how many more there are."""
    summary = data.summary
    shown = {video.video: video.entry.uri for video in summary.videos} | dict(names)
    rows: list[WindowRow] = []
    total = 0
    for video in data.results.videos:
        total += sum(len(window.classes) for window in video.windows)
        for window in video.windows:
            if len(rows) >= MAX_WINDOW_ROWS:
                break
            start_ms = window.index * summary.settings.window_ms
            time = words.span(start_ms, start_ms + summary.settings.window_ms)
            for stats in window.classes:
                mean_ppm = stats.score_sum_ppm / stats.detections
                rows.append(
                    WindowRow(
                        video=shown[video.video],
                        time=time,
                        label=class_label(summary.identity.labels, stats.class_id),
                        colour=colours[stats.class_id],
                        frames=f"{words.count(stats.frames)} of {words.count(window.frames)}",
                        detections=words.count(stats.detections),
                        most=words.count(stats.max_at_once),
                        mean=words.score(mean_ppm / 1_000_000),
                        best=words.score(stats.score_max_ppm / 1_000_000),
                    )
                )
    return tuple(rows[:MAX_WINDOW_ROWS]), total - min(total, MAX_WINDOW_ROWS)


def store_of(facts: RunFacts) -> Store | None:
    """What storing took; None when nothing was stored."""
    usage = facts.usage
    if not usage.write_units or not facts.frames_selected:
        return None
    ours, naive = cost_of(usage.write_units), one_item_per_frame(facts.frames_selected)
    times = naive.write_units / ours.write_units
    throttled = f" {words.plural(usage.throttled, 'answer')} were throttled." if usage.throttled else ""
    return Store(
        ours_units=words.number(ours.write_units),
        ours_usd=words.dollars(ours.usd),
        naive_units=words.number(naive.write_units),
        naive_usd=words.dollars(naive.usd),
        ours_width=f"{min(100.0, 100 / times):.2f}",
        times_fewer=words.number(times) if times >= 1.05 else "",
        remark=f"{words.plural(usage.items, 'item')}, {words.number(usage.payload_bytes / 1024)} KB.{throttled}",
    )


def settings_of(summary: Summary, facts: RunFacts | None) -> Iterable[tuple[str, str]]:
    """Name and value of what shaped the results and of where they were made."""
    identity, settings = summary.identity, summary.settings
    yield "Model", f"{identity.model} {identity.model_version}".strip()
    yield "Score threshold", words.score(settings.threshold_ppm / 1_000_000)
    yield "Sampling", settings.sampling
    yield "Windows", _window_words(settings)
    yield "Tracking", "on" if settings.tracked else "off"
    if facts is None:
        return
    yield "Server", facts.server
    yield "Transport", facts.transport
    yield "Machine", _machine(facts)
    yield "Results in", facts.sink
    yield "Segments", _segments(facts)
    if facts.kept_other:
        yield "Different results", f"{words.plural(facts.kept_other, 'segment')}; the results stored first are kept"
    yield "Started", moment(facts.started_at)
    yield "Took", _took(facts)
    if facts.timings.peak_rss_bytes:
        yield "Peak memory of a worker", f"{words.number(facts.timings.peak_rss_bytes / (1 << 20))} MiB"
    if facts.timings.retries:
        yield "Retried requests", words.count(facts.timings.retries)


def _window_words(settings: ResultSettings) -> str:
    gap = words.duration(settings.presence_gap_ms)
    return f"{words.duration(settings.window_ms)}; breaks in view up to {gap} are bridged"


def _machine(facts: RunFacts) -> str:
    cores = words.plural(facts.cores, "core") if facts.cores else ""
    return ", ".join(part for part in (facts.cpu_model, cores, words.plural(facts.workers, "worker")) if part)


def _segments(facts: RunFacts) -> str:
    kept = f", {words.count(facts.segments_kept)} kept from an earlier run" if facts.segments_kept else ""
    return f"{words.count(facts.segments_run)} run{kept}"


def _took(facts: RunFacts) -> str:
    total = words.duration((facts.total_s or facts.wall_s) * 1000)
    return f"{total}, {words.duration(facts.wall_s * 1000)} of it processing" if facts.total_s else total


def moment(iso: str) -> str:
    """A time as written in the record: "1 March 2026, 12:00 UTC"; what is no ISO time is shown as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = "" if moment.tzinfo is None else f" {moment.tzname()}"
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"
