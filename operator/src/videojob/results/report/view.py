"""The page as words: nothing is left for the templates but to place them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from videojob.errors import error_from_dict
from videojob.results import words
from videojob.results.aggregate.summary import ClassSummary, FailedInput, Summary
from videojob.results.report.content import PeakPicture, ReportData
from videojob.results.report.parts import ClassRow, Figure, Page, Picture, ProblemRow
from videojob.results.report.spent import spent_of
from videojob.results.report.tables import moment, settings_of, store_of, window_rows
from videojob.results.report.timeline import Timeline, timeline_of
from videojob.results.run_facts import RunFacts

MAX_TIMELINES = 40
MAX_PROBLEMS = 30
PALETTE = 8
_STATE_WORDS = {"Completed": "Completed", "PartiallyCompleted": "Partially completed", "Failed": "Failed"}


def page_of(data: ReportData) -> Page:
    """The page's words."""
    summary, facts = data.summary, data.facts
    colours = {item.class_id: at % PALETTE for at, item in enumerate(summary.classes)}
    problems = list(_problems(summary))
    names = {} if facts is None else {video.video: video.name for video in facts.videos if video.name}
    windows, hidden_windows = window_rows(data, names, colours)
    return Page(
        name=summary.identity.name,
        namespace=summary.identity.namespace,
        state=summary.state,
        state_word=_STATE_WORDS[summary.state],
        lead=_lead(summary),
        finished="" if facts is None else moment(facts.finished_at),
        figures=_figures(summary, facts),
        classes=tuple(_class_row(item, colours) for item in summary.classes),
        tracked=summary.settings.tracked,
        problems=tuple(problems[:MAX_PROBLEMS]),
        hidden_problems=max(0, len(problems) - MAX_PROBLEMS),
        timelines=_timelines(data, names, colours),
        hidden_timelines=max(0, len(summary.videos) - MAX_TIMELINES),
        pictures=tuple(_picture(picture, summary, names, colours) for picture in data.pictures),
        windows=windows,
        hidden_windows=hidden_windows,
        window_words=words.duration(summary.settings.window_ms),
        spent=None if facts is None else spent_of(facts),
        store=None if facts is None else store_of(facts),
        settings=tuple(settings_of(summary, facts)),
        manifest="" if facts is None else words.without_queries(facts.manifest),
        version="" if facts is None else facts.version,
    )


def _timelines(data: ReportData, names: Mapping[int, str], colours: Mapping[int, int]) -> tuple[Timeline, ...]:
    windows = {video.video: video.windows for video in data.results.videos}
    return tuple(
        timeline_of(names.get(video.video, ""), video, windows.get(video.video, ()), data.summary.settings, colours)
        for video in data.summary.videos[:MAX_TIMELINES]
    )


def _footage_ms(summary: Summary) -> int:
    return sum(video.entry.duration_ms for video in summary.videos)


def _lead(summary: Summary) -> str:
    """What happened, for somebody who reads one sentence."""
    if not summary.videos:
        return "No video could be processed."
    processed = f"{summary.identity.model} processed {words.plural(len(summary.videos), 'video')}"
    if _footage_ms(summary):
        processed += f", {words.duration(_footage_ms(summary))} of footage"
    missing = f" {summary.message[:1].upper()}{summary.message[1:]}." if summary.message else ""
    return f"{processed}. {_found(summary.classes)}.{missing}"


def _found(classes: tuple[ClassSummary, ...]) -> str:
    if not classes:
        return "It found nothing"
    most = sorted(classes, key=lambda item: (-item.present_ms, -item.detections, item.class_id))
    named = [f"{item.label} ({words.in_view(item.present_ms)})" for item in most[:3]]
    more = f" and {words.plural(len(most) - 3, 'more class', 'more classes')}" if len(most) > 3 else ""
    return f"In view: {', '.join(named)}{more}"


def _figures(summary: Summary, facts: RunFacts | None) -> tuple[Figure, ...]:
    frames = summary.frames
    decoded_remark = f"of {words.count(frames.decoded)} decoded" if frames.decoded != frames.inferred else ""
    detections = sum(item.detections for item in summary.classes)
    most = max((item.max_at_once for item in summary.classes), default=0)
    figures = [
        Figure(words.duration(_footage_ms(summary)), "of video", words.plural(len(summary.videos), "file")),
        Figure(words.count(frames.inferred), "frames processed", decoded_remark),
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


def _problems(summary: Summary) -> Iterable[ProblemRow]:
    for failed in summary.failed_inputs:
        yield _failed(failed)
    for video in summary.videos:
        for gap in video.gaps:
            yield ProblemRow(
                reason="Gap",
                place=f"{video.entry.uri}, {words.span(gap.start_ms, gap.end_ms)}",
                message=f"This stretch could not be decoded: {gap.reason}.",
                hint="It is missing from the results. Export or remux the recording from its source for a new run.",
            )


def _failed(failed: FailedInput) -> ProblemRow:
    error = error_from_dict(failed.error)
    retry = "Retryable." if error.retryable else "Not retryable."
    return ProblemRow(
        reason=str(failed.error.get("reason") or "Failed"),
        place=failed.uri,
        message=f"{error.message[:1].upper()}{error.message[1:]}.",
        hint=f"{error.hint} {retry}".strip(),
    )


def _picture(picture: PeakPicture, summary: Summary, names: Mapping[int, str], colours: Mapping[int, int]) -> Picture:
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
        place=names.get(peak.video) or entry.uri.rsplit("/", 1)[-1] if len(summary.videos) > 1 else "",
        image=f"data:image/jpeg;base64,{encoded}" if encoded else "",
        view_box=f"{left} {top} {right - left} {bottom - top}",
        width=str(right - left),
        height=str(bottom - top),
        x=str(left),
        y=str(top),
        box=(str(x_min), str(y_min), str(max(0, x_max - x_min)), str(max(0, y_max - y_min))),
        missing=picture.missing,
    )
