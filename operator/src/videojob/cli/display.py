"""Shows a run while it works: a live view in a terminal, plain lines elsewhere, nothing for `--json`."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from videojob.cli.terminal import cell, tell
from videojob.local.run_types import JobPlan, RunObserver, RunProgress, VideoProgress
from videojob.ports.clock import Clock
from videojob.printable import printable

_PLAIN_EVERY_S = 2.0
_VIDEOS_SHOWN = 8
_VIDEOS_TOLD = 24  # a log of more would be little but their names: their number is enough
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
    """One line per step, per video that ended, and every two seconds, for logs and pipes.

    Of a job with very many videos only the number of those that ended is told.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._next_s = 0.0
        self._told: set[int] = set()

    def stage(self, text: str) -> None:
        """One line."""
        tell(self._console, text)

    def planned(self, plan: JobPlan) -> None:
        """What will be done, and which inputs cannot be used."""
        tell(self._console, plan_text(plan))
        self._told = _settled(plan)
        if len(plan.videos) <= _VIDEOS_TOLD:
            for video in plan.videos:
                if video.error is not None:
                    tell(self._console, f"{printable(video.name or video.uri)}: failed, {video.error.reason}")

    def progress(self, progress: RunProgress) -> None:
        """The videos that ended since the last call, and at most every two seconds how far the job is."""
        if len(progress.videos) <= _VIDEOS_TOLD:
            self._ended([video for video in progress.videos if video_ended(video) and video.video not in self._told])
        now_s = self._clock.monotonic_s()
        if now_s >= self._next_s:
            self._next_s = now_s + _PLAIN_EVERY_S
            tell(self._console, progress_text(progress))

    def notice(self, text: str) -> None:
        """One line."""
        tell(self._console, text)

    def _ended(self, videos: list[VideoProgress]) -> None:
        for video in videos:
            self._told.add(video.video)
            how = "failed" if video.failed else f"done, {video.frames_done:,} {plural(video.frames_done, 'frame')}"
            tell(self._console, f"{printable(video.name or video.uri)}: {how}")


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
        self._live.update(cell(f"{text} …", "dim"))

    def planned(self, plan: JobPlan) -> None:
        """Stays above the live part."""
        tell(self._live.console, plan_text(plan))

    def progress(self, progress: RunProgress) -> None:
        """Redraws."""
        self._live.update(progress_view(progress))

    def notice(self, text: str) -> None:
        """Stays above the live part."""
        tell(self._live.console, text, "yellow")


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
    if plan.kept:
        parts.append(f"{len(plan.kept)} {plural(len(plan.kept), 'segment')} kept from an earlier run")
    return f"{plan.run.name}: {', '.join(parts)}"


def progress_text(progress: RunProgress) -> str:
    """One plain line."""
    parts = [
        f"{progress.frames_done:,}/{progress.frames_total:,} frames",
        f"{progress.segments_done}/{progress.segments_total} segments",
        f"{progress.frames_per_s:.1f} frames/s",
    ]
    if len(progress.videos) > 1:
        parts.append(_videos_text(progress.videos))
    if progress.mean_batch is not None:
        parts.append(f"mean batch {progress.mean_batch:.1f}")
    if progress.remaining_s is not None:
        parts.append(f"{duration_text(progress.remaining_s)} left")
    return "  ".join(parts)


def _videos_text(videos: Sequence[VideoProgress]) -> str:
    failed = sum(video.failed for video in videos)
    done = sum(video_ended(video) for video in videos) - failed
    return f"{done}/{len(videos)} videos{f', {failed} failed' if failed else ''}"


def progress_view(progress: RunProgress) -> RenderableType:
    """The live view: a line and a bar for the job, then the videos in work."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=_NAME_CHARS)
    table.add_column(width=24)
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text("all", style="bold"), _bar(progress.frames_done, progress.frames_total), _counts(progress))
    shown = sorted(progress.videos, key=_interest)[:_VIDEOS_SHOWN]
    for video in sorted(shown, key=lambda video: video.video):
        name = cell(video_name(video.name, video.uri))
        table.add_row(name, _bar(video.frames_done, video.frames_total), _video_counts(video))
    hidden = len(progress.videos) - len(shown)
    more = [Text(f"and {hidden} more {plural(hidden, 'video')}", style="dim")] if hidden else []
    return Group(Text(progress_text(progress)), table, *more)


def _interest(video: VideoProgress) -> tuple[int, int]:
    """Videos in work first, then those that wait, then those that ended."""
    working = 0 < video.frames_done < video.frames_total
    return (2 if video_ended(video) else 0 if working else 1, video.video)


def video_ended(video: VideoProgress) -> bool:
    """Whether nothing more will be done to it."""
    return video.failed or video.segments_done == video.segments_total


def _settled(plan: JobPlan) -> set[int]:
    """Videos of which nothing is left to do: they cannot be used, or an earlier run finished them."""
    to_run = plan.to_run
    open_videos = {segment.video for segment in plan.segments if segment.index in to_run}
    return {video.video for video in plan.videos} - open_videos


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=min(done, total), width=24)


def _counts(progress: RunProgress) -> Text:
    share = progress.frames_done / progress.frames_total if progress.frames_total else 1.0
    return Text(f"{share:4.0%}")


def _video_counts(video: VideoProgress) -> Text:
    return Text("failed" if video.failed else f"{video.frames_done:,}/{video.frames_total:,}")


def video_name(name: str, uri: str) -> str:
    """What a person calls a video: by their own name for it, else by the end of its URI; printable."""
    return short_uri(name or uri)


def short_uri(uri: str, limit: int = _NAME_CHARS) -> str:
    """The end of a URI, which is the part that tells videos apart; printable."""
    uri = printable(uri)
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
