"""Shows a run while it works."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from videojob.cli.screen import Lines, LiveArea, Screen
from videojob.cli.terminal import cell
from videojob.local.run_types import JobPlan, RunProgress, VideoProgress
from videojob.ports.clock import Clock
from videojob.printable import printable
from videojob.results.words import duration

_VIDEOS_SHOWN = 8
_VIDEOS_LISTED = 24  # a log of more would be little but their names: their number is enough
_NAME_CHARS = 40


class RunDisplay(Screen):
    """Where a run is shown, as its `RunObserver`; this one shows nothing."""

    def stage(self, text: str) -> None:
        """A step began that takes a moment."""

    def planned(self, plan: JobPlan) -> None:
        """What will be done, and which inputs cannot be used."""

    def progress(self, progress: RunProgress) -> None:
        """How far the job is."""


class PlainRun(Lines, RunDisplay):
    """One line per step, per video that ended, and every two seconds, for logs and pipes.

    Of a job with very many videos only the number of those that ended is shown.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        super().__init__(console, clock)
        self._reported: set[int] = set()

    def stage(self, text: str) -> None:
        self.line(text)

    def planned(self, plan: JobPlan) -> None:
        self.line(plan_text(plan))
        self._reported = _settled(plan)
        if len(plan.videos) <= _VIDEOS_LISTED:
            for video in plan.videos:
                if video.error is not None:
                    self.line(f"{printable(video.name or video.uri)}: failed, {video.error.reason}")

    def progress(self, progress: RunProgress) -> None:
        """The videos that ended since the last call, and at most every two seconds how far the job is."""
        if len(progress.videos) <= _VIDEOS_LISTED:
            self._ended(
                [video for video in progress.videos if video_ended(video) and video.video not in self._reported]
            )
        if self.may_progress():
            self.line(progress_text(progress))

    def _ended(self, videos: list[VideoProgress]) -> None:
        for video in videos:
            self._reported.add(video.video)
            how = "failed" if video.failed else f"done, {video.frames_done:,} {plural(video.frames_done, 'frame')}"
            self.line(f"{printable(video.name or video.uri)}: {how}")


class LiveRun(LiveArea, RunDisplay):
    """A view that redraws itself in place."""

    def stage(self, text: str) -> None:
        self.redraw(cell(f"{text} …", "dim"))

    def planned(self, plan: JobPlan) -> None:
        self.line(plan_text(plan))

    def progress(self, progress: RunProgress) -> None:
        self.redraw(progress_view(progress))


def run_display(console: Console, clock: Clock, *, silent: bool) -> RunDisplay:
    """The display that fits the console."""
    if silent:
        return RunDisplay()
    return LiveRun(console) if console.is_terminal else PlainRun(console, clock)


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
    """A length of time for a person, in whole seconds: "8 s", "3 min 20 s", "2 h 5 min"."""
    return duration(1000 * max(0, round(seconds)))


def plural(count: int, word: str) -> str:
    """The word for so many."""
    return word if count == 1 else f"{word}s"
