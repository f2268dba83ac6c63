"""Where things were seen, as places on a chart that is `WIDTH` wide and stretched to the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from videojob.results import words
from videojob.results.aggregate.merge import join_presence
from videojob.results.aggregate.segment_results import ClassStats, Gap, Presence, Window
from videojob.results.aggregate.summary import ClassSummary, ResultSettings, VideoSummary

WIDTH = 1000
BAR_HEIGHT = 44
MAX_BARS = 200
MAX_CLASSES = 6
"""Rows drawn per video; the classes with the most detections."""
_MIN_WIDTH = 1.5  # a glimpse must not vanish
_TICK_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
_MAX_TICKS = 9


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle on the chart, and what it says when pointed at."""

    x: str
    y: str
    width: str
    height: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the axis, `left` in percent."""

    left: str
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One class of one video.

    Attributes:
        counts: most at once, per window or group of windows.
        presence: intervals, on a strip below the counts.
    """

    label: str
    colour: int
    top: str
    note: str
    counts: tuple[Bar, ...]
    presence: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """One video: its rows over one axis, and its gaps across all of them."""

    title: str
    note: str
    rows: tuple[Row, ...]
    hidden_classes: int
    gaps: tuple[Bar, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class _Windows:
    items: Sequence[Window]
    length_ms: int


def timeline_of(
    name: str, video: VideoSummary, windows: Sequence[Window], settings: ResultSettings, colours: Mapping[int, int]
) -> Timeline:
    """The chart of one video.

    Args:
        name: what the user calls it; "" when the manifest gives no name.
        video: its summary, with presence and gaps.
        windows: ascending by index.
        settings: for the windows' length.
        colours: class_id to position in the palette.
    """
    grid = _Windows(windows, settings.window_ms)
    extent_ms = _extent_ms(video, grid)
    drawn = sorted(video.classes, key=lambda item: (-item.detections, item.class_id))[:MAX_CLASSES]
    return Timeline(
        title=name or video.entry.uri,
        note=_note(video, extent_ms, video.entry.uri if name else ""),
        rows=tuple(
            _row(item, colours[item.class_id], video.presence, extent_ms, _counts(item, grid, extent_ms))
            for item in sorted(drawn, key=lambda item: item.class_id)
        ),
        hidden_classes=len(video.classes) - len(drawn),
        gaps=tuple(_gap_bar(gap, extent_ms) for gap in video.gaps),
        ticks=ticks(extent_ms),
    )


def ticks(extent_ms: int) -> tuple[Tick, ...]:
    """Marks at round times, few of them, the first at 0; none so near the end that its label would stand out."""
    step_ms = next((int(step * 1000) for step in _TICK_STEPS_S if extent_ms / (step * 1000) < _MAX_TICKS), 0)
    step_ms = step_ms or -(-extent_ms // _MAX_TICKS)
    tenths = step_ms % 1000 != 0
    last_ms = max(1, extent_ms * 95 // 100)
    return tuple(
        Tick(f"{100 * at / extent_ms:.2f}", words.clock(at, tenths=tenths)) for at in range(0, last_ms, step_ms)
    )


def _extent_ms(video: VideoSummary, windows: _Windows) -> int:
    seen = [span.last_ms for span in video.presence] + [gap.end_ms for gap in video.gaps]
    known = max([video.entry.duration_ms, *seen])
    return max(1, known or (windows.items[-1].index + 1 if windows.items else 0) * windows.length_ms)


def _note(video: VideoSummary, extent_ms: int, uri: str) -> str:
    size = f"{video.entry.width} {words.TIMES} {video.entry.height}" if video.entry.width else ""
    frames = f"{words.count(video.frames.selected)} frames processed"
    return " · ".join(part for part in (words.duration(extent_ms), size, frames, uri) if part)


def _row(item: ClassSummary, colour: int, presence: Iterable[Presence], extent_ms: int, counts: tuple[Bar, ...]) -> Row:
    spans = _joined([span for span in presence if span.class_id == item.class_id], extent_ms // WIDTH)
    top = words.count(item.max_at_once)
    return Row(
        label=item.label,
        colour=colour,
        top=top,
        note=f"in view {words.in_view(item.present_ms)}, {words.plural(item.intervals, 'time')}",
        counts=counts,
        presence=tuple(_presence_bar(span, extent_ms) for span in spans),
    )


def _gap_bar(gap: Gap, extent_ms: int) -> Bar:
    title = f"Not decodable {words.span(gap.start_ms, gap.end_ms)}: {gap.reason}"
    return _bar(gap.start_ms, gap.end_ms, extent_ms, title)


def _joined(spans: Sequence[Presence], least_ms: int) -> list[Presence]:
    """Intervals over breaks that could not be seen on the chart: thousands of them would be drawn for nothing."""
    joined: list[Presence] = []
    for span in spans:
        if joined and span.first_ms - joined[-1].last_ms <= least_ms:
            joined[-1] = join_presence(joined[-1], span)
        else:
            joined.append(span)
    return joined


def _presence_bar(span: Presence, extent_ms: int) -> Bar:
    title = (
        f"In view {words.span(span.first_ms, span.last_ms)}, "
        f"best {words.score(span.peak_score_ppm / 1_000_000)} at {words.clock(span.peak_ms, tenths=True)}"
    )
    return _bar(span.first_ms, span.last_ms, extent_ms, title)


def _counts(item: ClassSummary, windows: _Windows, extent_ms: int) -> tuple[Bar, ...]:
    per_bar = ceil(ceil(extent_ms / windows.length_ms) / MAX_BARS)
    groups: dict[int, list[ClassStats]] = {}
    for window in windows.items:
        for stats in window.classes:
            if stats.class_id == item.class_id:
                groups.setdefault(window.index // per_bar, []).append(stats)
    bar_ms = per_bar * windows.length_ms
    bars = []
    for group, found in sorted(groups.items()):
        start_ms = group * bar_ms
        end_ms = min(extent_ms, start_ms + bar_ms)
        most = max(stats.max_at_once for stats in found)
        boxes = words.plural(sum(stats.detections for stats in found), "box", "boxes")
        title = f"{words.span(start_ms, end_ms)}: at most {words.count(most)} at once, {boxes}"
        bars.append(_bar(start_ms, end_ms, extent_ms, title, share=most / item.max_at_once))
    return tuple(bars)


def _bar(start_ms: int, end_ms: int, extent_ms: int, title: str, share: float = 1.0) -> Bar:
    x = WIDTH * start_ms / extent_ms
    width = max(_MIN_WIDTH, WIDTH * (end_ms - start_ms) / extent_ms)
    x = max(0.0, min(x, WIDTH - width))
    height = BAR_HEIGHT * share
    return Bar(f"{x:.2f}", f"{BAR_HEIGHT - height:.2f}", f"{width:.2f}", f"{height:.2f}", title)
