"""The page as words: every figure formatted, nothing left for the template but to place it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from videojob.results.report import words
from videojob.results.report.spent import Spent, spent_of
from videojob.results.report.timeline import Timeline, timeline_of
from videojob.results.report.values import PeakPicture, ReportData
from videojob.results.run_facts import RunFacts
from videojob.results.summary import ClassSummary, FailedInput, ResultSettings, Summary, class_label
from videojob.results.write_cost import cost_of, one_item_per_frame

MAX_TIMELINES = 40
MAX_WINDOW_ROWS = 400
MAX_TROUBLES = 30
PALETTE = 8
_STATE_WORDS = {"Completed": "Completed", "PartiallyCompleted": "Partially completed", "Failed": "Failed"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One headline: a big value, what it is, and a remark."""

    value: str
    what: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class over the whole job."""

    label: str
    colour: int
    detections: str
    frames: str
    most: str
    present: str
    mean: str
    best: str
    unique: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that did not go through, and what to do about it."""

    reason: str
    place: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One tile of the contact sheet; the box is in the coordinates of `view_box`."""

    label: str
    colour: int
    score: str
    time: str
    place: str
    image: str
    view_box: str
    width: str
    height: str
    x: str
    y: str
    box: tuple[str, str, str, str]
    missing: str


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One class in one window; `video` is "" when it is that of the row above."""

    video: str
    time: str
    label: str
    colour: int
    frames: str
    detections: str
    most: str
    mean: str
    best: str


@dataclass(frozen=True, slots=True)
class Store:
    """What writing the results took, beside what one item per frame would have."""

    ours_units: str
    ours_usd: str
    naive_units: str
    naive_usd: str
    ours_width: str
    times_fewer: str
    remark: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the template needs."""

    name: str
    namespace: str
    state: str
    state_word: str
    lead: str
    finished: str
    figures: tuple[Figure, ...]
    classes: tuple[ClassRow, ...]
    tracked: bool
    troubles: tuple[Trouble, ...]
    hidden_troubles: int
    timelines: tuple[Timeline, ...]
    hidden_timelines: int
    pictures: tuple[Picture, ...]
    windows: tuple[WindowRow, ...]
    hidden_windows: int
    window_words: str
    spent: Spent | None
    store: Store | None
    settings: tuple[tuple[str, str], ...]
    manifest: str
    version: str


def page_of(data: ReportData) -> Page:
    """The page's words."""
    summary, facts = data.summary, data.facts
    colours = {item.class_id: at % PALETTE for at, item in enumerate(summary.classes)}
    windows, hidden_windows = _windows(data, colours)
    troubles = list(_troubles(summary))
    results = {video.video: video.windows for video in data.results.videos}
    drawn = summary.videos[:MAX_TIMELINES]
    return Page(
        name=summary.identity.name,
        namespace=summary.identity.namespace,
        state=summary.state,
        state_word=_STATE_WORDS[summary.state],
        lead=_lead(summary),
        finished="" if facts is None else _moment(facts.finished_at),
        figures=_figures(summary, facts),
        classes=tuple(_class_row(item, colours) for item in summary.classes),
        tracked=summary.settings.tracked,
        troubles=tuple(troubles[:MAX_TROUBLES]),
        hidden_troubles=max(0, len(troubles) - MAX_TROUBLES),
        timelines=tuple(timeline_of(video, results.get(video.video, ()), summary.settings, colours) for video in drawn),
        hidden_timelines=len(summary.videos) - len(drawn),
        pictures=tuple(_picture(picture, summary, colours) for picture in data.pictures),
        windows=windows,
        hidden_windows=hidden_windows,
        window_words=words.duration(summary.settings.window_ms),
        spent=None if facts is None else spent_of(facts),
        store=None if facts is None else _store(facts),
        settings=tuple(_settings(summary, facts)),
        manifest="" if facts is None else words.without_queries(facts.manifest),
        version="" if facts is None else facts.version,
    )


def _footage_ms(summary: Summary) -> int:
    return sum(video.entry.duration_ms for video in summary.videos)


def _lead(summary: Summary) -> str:
    """What happened, for somebody who reads one sentence."""
    looked = f"{summary.identity.model} looked at {words.plural(len(summary.videos), 'video')}"
    if _footage_ms(summary):
        looked += f", {words.duration(_footage_ms(summary))} of footage"
    missing = f" {summary.message[:1].upper()}{summary.message[1:]}." if summary.message else ""
    return f"{looked}. {_found(summary.classes)}.{missing}"


def _found(classes: tuple[ClassSummary, ...]) -> str:
    if not classes:
        return "It found nothing"
    most = sorted(classes, key=lambda item: (-item.present_ms, -item.detections, item.class_id))
    named = [f"{item.label} ({words.in_view(item.present_ms)})" for item in most[:3]]
    more = f" and {words.plural(len(most) - 3, 'more class', 'more classes')}" if len(most) > 3 else ""
    return f"In view: {', '.join(named)}{more}"


def _figures(summary: Summary, facts: RunFacts | None) -> tuple[Figure, ...]:
    frames = summary.frames
    looked_remark = f"of {words.count(frames.decoded)} decoded" if frames.decoded != frames.inferred else ""
    detections = sum(item.detections for item in summary.classes)
    most = max((item.max_at_once for item in summary.classes), default=0)
    figures = [
        Figure(words.duration(_footage_ms(summary)), "of video", words.plural(len(summary.videos), "file")),
        Figure(words.count(frames.inferred), "frames looked at", looked_remark),
        Figure(words.count(detections), "detections", f"up to {words.count(most)} at once"),
    ]
    if facts is not None and facts.frames_per_s:
        speed = _footage_ms(summary) / 1000 / facts.wall_s if facts.wall_s and not facts.segments_kept else 0.0
        remark = (
            f"{words.number(speed)} {words.TIMES} real time" if speed else f"in {words.duration(facts.wall_s * 1000)}"
        )
        figures.append(Figure(words.number(facts.frames_per_s), "frames per second", remark))
    if facts is not None and facts.mean_batch:
        figures.append(Figure(words.number(facts.mean_batch), "frames per batch", "on average"))
    return tuple(figures)


def _class_row(item: ClassSummary, colours: Mapping[int, int]) -> ClassRow:
    return ClassRow(
        label=item.label,
        colour=colours[item.class_id],
        detections=words.count(item.detections),
        frames=words.count(item.frames),
        most=words.count(item.max_at_once),
        present=words.in_view(item.present_ms),
        mean=words.score(float(item.mean_score)),
        best=words.score(float(item.max_score)),
        unique="" if item.unique is None else words.count(item.unique),
    )


def _troubles(summary: Summary) -> Iterable[Trouble]:
    for failed in summary.failed_inputs:
        yield _failed(failed)
    for video in summary.videos:
        for gap in video.gaps:
            yield Trouble(
                reason="Gap",
                place=f"{video.entry.uri}, {words.span(gap.start_ms, gap.end_ms)}",
                message=f"This stretch could not be decoded: {gap.reason}.",
                hint="It is missing from the results. Export or remux the recording from its source, then run again.",
            )


def _failed(failed: FailedInput) -> Trouble:
    error = failed.error
    hint = str(error.get("hint") or "")
    retry = "A retry may help." if error.get("retryable") else "A retry does not help."
    message = str(error.get("message") or "")
    return Trouble(
        reason=str(error.get("reason") or "Failed"),
        place=failed.uri,
        message=f"{message[:1].upper()}{message[1:]}.",
        hint=f"{hint} {retry}".strip(),
    )


def _picture(picture: PeakPicture, summary: Summary, colours: Mapping[int, int]) -> Picture:
    peak = picture.peak
    left, top, right, bottom = picture.region
    x_min, y_min, x_max, y_max = peak.box
    entry = next(video.entry for video in summary.videos if video.video == peak.video)
    encoded = "" if picture.jpeg is None else base64.b64encode(picture.jpeg).decode("ascii")
    return Picture(
        label=peak.label,
        colour=colours.get(peak.class_id, 0),
        score=words.score(peak.score_ppm / 1_000_000),
        time=words.clock(peak.time_ms, tenths=True),
        place=entry.uri if len(summary.videos) > 1 else "",
        image=f"data:image/jpeg;base64,{encoded}" if encoded else "",
        view_box=f"{left} {top} {right - left} {bottom - top}",
        width=str(right - left),
        height=str(bottom - top),
        x=str(left),
        y=str(top),
        box=(str(x_min), str(y_min), str(max(0, x_max - x_min)), str(max(0, y_max - y_min))),
        missing=picture.missing,
    )


def _windows(data: ReportData, colours: Mapping[int, int]) -> tuple[tuple[WindowRow, ...], int]:
    summary = data.summary
    names = {video.video: video.entry.uri for video in summary.videos}
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
                        video=names[video.video],
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


def _store(facts: RunFacts) -> Store | None:
    usage = facts.usage
    if not usage.write_units or not facts.frames_selected:
        return None
    ours, naive = cost_of(usage.write_units), one_item_per_frame(facts.frames_selected)
    times = naive.write_units / ours.write_units
    throttled = f" {words.plural(usage.throttled, 'answer')} asked to slow down." if usage.throttled else ""
    return Store(
        ours_units=words.number(ours.write_units),
        ours_usd=words.dollars(ours.usd),
        naive_units=words.number(naive.write_units),
        naive_usd=words.dollars(naive.usd),
        ours_width=f"{min(100.0, 100 / times):.2f}",
        times_fewer=words.number(times) if times >= 1.05 else "",
        remark=f"{words.plural(usage.items, 'item')}, {words.number(usage.payload_bytes / 1024)} KB.{throttled}",
    )


def _settings(summary: Summary, facts: RunFacts | None) -> Iterable[tuple[str, str]]:
    identity, settings = summary.identity, summary.settings
    yield "Model", f"{identity.model} {identity.model_version}".strip()
    yield "Least score", words.score(settings.threshold_ppm / 1_000_000)
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
    yield "Started", _moment(facts.started_at)
    yield "Took", _took(facts)
    if facts.timings.peak_rss_bytes:
        yield "Peak memory of a worker", f"{words.number(facts.timings.peak_rss_bytes / (1 << 20))} MiB"
    if facts.timings.retries:
        yield "Requests sent again", words.count(facts.timings.retries)


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


def _moment(iso: str) -> str:
    """A time as written in the record: "1 March 2026, 12:00 UTC"; what is no ISO time is shown as it is."""
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = "" if moment.tzinfo is None else f" {moment.tzname()}"
    return f"{moment.day} {moment:%B %Y, %H:%M}{zone}"
