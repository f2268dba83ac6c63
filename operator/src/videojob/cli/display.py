"""Shows a run while it works: a live view in a terminal, plain lines elsewhere, nothing for `--json`."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from videojob.local.values import JobPlan, RunObserver, RunProgress, VideoProgress
from videojob.ports import Clock

_PLAIN_EVERY_S = 2.0
_VIDEOS_SHOWN = 8
_NAME_CHARS = 40


class Display(RunObserver, Protocol):
    """An observer that may hold the terminal."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to give back."""

    def stage(self, text: str) -> None:
        """Ignored."""

    def planned(self, plan: JobPlan) -> None:
        """Ignored."""

    def progress(self, progress: RunProgress) -> None:
        """Ignored."""

    def notice(self, text: str) -> None:
        """Ignored."""


class PlainLines(Silent):
    """One line per step and every two seconds, for logs and pipes."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._next_s = 0.0

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def stage(self, text: str) -> None:
        """One line."""
        self._line(text)

    def planned(self, plan: JobPlan) -> None:
        """What will be done."""
        self._line(plan_text(plan))

    def progress(self, progress: RunProgress) -> None:
        """At most one line every two seconds."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._next_s:
            self._next_s = now_s + _PLAIN_EVERY_S
            self._line(progress_text(progress))

    def notice(self, text: str) -> None:
        """One line."""
        self._line(text)


class LiveView(Silent):
    """A view that redraws itself in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the terminal back."""
        self._live.stop()

    def stage(self, text: str) -> None:
        """Shown until the next step."""
        self._live.update(Text(f"{text} …", style="dim"))

    def planned(self, plan: JobPlan) -> None:
        """Stays above the live part."""
        self._live.console.print(plan_text(plan), markup=False, highlight=False)

    def progress(self, progress: RunProgress) -> None:
        """Redraws."""
        self._live.update(progress_view(progress))

    def notice(self, text: str) -> None:
        """Stays above the live part."""
        self._live.console.print(Text(text, style="yellow"))


def display(console: Console, clock: Clock, *, silent: bool) -> Display:
    """The display that fits the console."""
    if silent:
        return Silent()
    return LiveView(console) if console.is_terminal else PlainLines(console, clock)


def plan_text(plan: JobPlan) -> str:
    """One line: how much there is to do, and what an earlier run did."""
    good = sum(video.error is None for video in plan.videos)
    frames = sum(plan.frames_of(segment) for segment in plan.segments)
    bad = len(plan.videos) - good
    parts = [f"{good} {plural(good, 'video')}", f"{len(plan.segments)} {plural(len(plan.segments), 'segment')}"]
    parts.append(f"about {frames:,} frames")
    if bad:
        parts.append(f"{bad} {plural(bad, 'input')} cannot be used")
    if plan.committed:
        parts.append(f"{len(plan.committed)} {plural(len(plan.committed), 'segment')} kept from an earlier run")
    return f"{plan.run.name}: {', '.join(parts)}"


def progress_text(progress: RunProgress) -> str:
    """One plain line."""
    parts = [
        f"{progress.frames_done:,}/{progress.frames_total:,} frames",
        f"{progress.segments_done}/{progress.segments_total} segments",
        f"{progress.frames_per_s:.1f} frames/s",
    ]
    if progress.mean_batch is not None:
        parts.append(f"mean batch {progress.mean_batch:.1f}")
    if progress.remaining_s is not None:
        parts.append(f"{duration_text(progress.remaining_s)} left")
    return "  ".join(parts)


def progress_view(progress: RunProgress) -> RenderableType:
    """The live view: a line and a bar for the job, then the videos in work."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=_NAME_CHARS)
    table.add_column(width=24)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text("all", style="bold"), _bar(progress.frames_done, progress.frames_total), _counts(progress))
    shown = sorted(progress.videos, key=_interest)[:_VIDEOS_SHOWN]
    for video in sorted(shown, key=lambda video: video.video):
        table.add_row(short_uri(video.uri), _bar(video.frames_done, video.frames_total), _video_counts(video))
    hidden = len(progress.videos) - len(shown)
    more = [Text(f"and {hidden} more {plural(hidden, 'video')}", style="dim")] if hidden else []
    return Group(Text(progress_text(progress)), table, *more)


def _interest(video: VideoProgress) -> tuple[int, int]:
    """Videos in work first, then those that wait, then those that ended."""
    working = 0 < video.frames_done < video.frames_total
    ended = video.failed or video.segments_done == video.segments_total
    return (0 if working else 2 if ended else 1, video.video)


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=min(done, total), width=24)


def _counts(progress: RunProgress) -> str:
    share = progress.frames_done / progress.frames_total if progress.frames_total else 1.0
    return f"{share:4.0%}"


def _video_counts(video: VideoProgress) -> str:
    return "failed" if video.failed else f"{video.frames_done:,}/{video.frames_total:,}"


def short_uri(uri: str, limit: int = _NAME_CHARS) -> str:
    """The end of a URI, which is the part that tells videos apart."""
    return uri if len(uri) <= limit else f"…{uri[-(limit - 1) :]}"


def duration_text(seconds: float) -> str:
    """A length of time for a person: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plural(count: int, word: str) -> str:
    """The word for so many."""
    return word if count == 1 else f"{word}s"
