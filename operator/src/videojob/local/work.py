"""The middle of a run: segments through the pool, the sums of what was done, and progress."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from videojob.errors import DeadlineExceeded, ServerError, VideoJobError
from videojob.local.pool import PoolEvents, StopRequest, WorkerPool
from videojob.local.process import Done, WorkerConfig
from videojob.local.progress import ProgressTracker
from videojob.local.run_types import JobPlan, RunObserver
from videojob.ports.clock import Clock
from videojob.ports.inference import Inference, ServerStatistics
from videojob.results.aggregate.segment_results import SegmentTimings, WriteUsage
from videojob.worker.segment.task import SegmentTask
from videojob.worker.steps.dispatch import Dispatcher, Verdict

_STATISTICS_S = 1.0  # the server's counters cost a call; the mean batch shown need not be fresher
_STATISTICS_TIMEOUT_S = 1.0
_SHOW_S = 0.2


@dataclass(slots=True)
class WorkDone:
    """What the pool did in this run, summed over its workers.

    Attributes:
        timings: sums; they overlap, workers run concurrently.
        usage: what the workers' sinks consumed.
        kept_other: segments whose earlier, different result stayed.
        wall_s: from the first segment given out to the last one's end.
        statistics: how the server's counters moved.
    """

    timings: SegmentTimings = field(default_factory=SegmentTimings)
    usage: WriteUsage = field(default_factory=WriteUsage)
    segments: int = 0
    kept_other: int = 0
    frames_selected: int = 0
    frames_inferred: int = 0
    transport: str = ""
    workers: int = 0
    wall_s: float = 0.0
    statistics: ServerStatistics = field(default_factory=ServerStatistics)

    def add(self, done: Done) -> None:
        """A segment was committed."""
        self.timings = add_timings(self.timings, done.timings)
        self.usage += done.usage
        self.kept_other += done.kept_other
        self.segments += 1
        self.frames_selected += done.frames_selected
        self.frames_inferred += done.frames_inferred
        self.transport = done.transport

    @property
    def frames_per_s(self) -> float:
        """Selected frames per second of processing; 0 when nothing was processed."""
        return self.frames_selected / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def mean_batch(self) -> float | None:
        """Frames per execution on the server; None when nothing was inferred."""
        return mean_batch(self.statistics)


def add_timings(one: SegmentTimings, other: SegmentTimings) -> SegmentTimings:
    """Seconds and retries summed, memory the larger of both; what the server did is of one segment alone."""
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in SegmentTimings.__dataclass_fields__
        if name not in {"peak_rss_bytes", "server"}
    }
    return SegmentTimings(**sums, peak_rss_bytes=max(one.peak_rss_bytes, other.peak_rss_bytes))


def subtract(after: ServerStatistics, before: ServerStatistics) -> ServerStatistics:
    """How the counters moved; what they show now when the server restarted in between."""
    if after.inferences < before.inferences:
        return after
    return ServerStatistics(
        **{name: getattr(after, name) - getattr(before, name) for name in ServerStatistics.__dataclass_fields__}
    )


def mean_batch(statistics: ServerStatistics) -> float | None:
    """Frames per execution; None before the first."""
    return statistics.inferences / statistics.executions if statistics.executions else None


def tasks_of(plan: JobPlan) -> list[SegmentTask]:
    """Segments of which something is left to do, in order."""
    tasks, to_run = [], plan.to_run
    for segment in plan.segments:
        video = plan.videos[segment.video]
        if segment.index in to_run and video.path is not None and video.info is not None:
            tasks.append(SegmentTask(plan.run, video.path, video.info, segment, plan.settings, video.stamp))
    return tasks


@dataclass(slots=True)
class Work:
    """Runs a plan's tasks and tells the observer.

    Attributes:
        inference: the parent's own connection, for the server's counters.
        deadline_s: monotonic time at which the job is stopped and fails; None for never.
    """

    plan: JobPlan
    observer: RunObserver
    inference: Inference
    clock: Clock
    deadline_s: float | None = None
    done: WorkDone = field(default_factory=WorkDone)
    _tracker: ProgressTracker = field(init=False)
    _before: ServerStatistics = field(default_factory=ServerStatistics)
    _now: ServerStatistics = field(default_factory=ServerStatistics)
    _asked_s: float = 0.0
    _shown_s: float = 0.0
    _stop_shown: bool = False

    def __post_init__(self) -> None:
        self._tracker = ProgressTracker(self.plan, self.clock.monotonic_s())
        self._read_statistics()
        self._before = self._now

    def run(self, config: WorkerConfig, dispatcher: Dispatcher, stop: StopRequest, grace_s: float) -> WorkDone:
        """Until nothing is left to give out; `config.workers` of them side by side."""
        started_s = self.clock.monotonic_s()
        events = PoolEvents(self._tracker.moved, self._finished, self._failed, lambda: self._tick(dispatcher, stop))
        with WorkerPool(config, self.clock) as pool:
            pool.run(dispatcher, events, stop, grace_s)
        self.done.workers = config.workers
        self.done.wall_s = self.clock.monotonic_s() - started_s
        self._read_statistics()
        self.done.statistics = subtract(self._now, self._before)
        self._show()  # the last segments may have ended since they were last shown
        return self.done

    def _finished(self, done: Done) -> None:
        self.done.add(done)
        self._tracker.finished(done.segment, done.frames_selected)
        if done.kept_other:
            self.observer.notice(f"segment {done.segment} is already stored with a different result, which is kept")

    def _failed(self, error: VideoJobError, verdict: Verdict) -> None:
        if error.segment is not None:
            self._tracker.dropped(error.segment)
            if verdict is Verdict.VIDEO_FAILED:
                self._tracker.video_failed(self.plan.segments[error.segment].video)
        if verdict is not Verdict.DROPPED:
            self.observer.notice(f"{verdict.value}: {error}")

    def _tick(self, dispatcher: Dispatcher, stop: StopRequest) -> None:
        now_s = self.clock.monotonic_s()
        if self.deadline_s is not None and now_s >= self.deadline_s and dispatcher.job_error is None:
            dispatcher.abort(DeadlineExceeded("activeDeadlineSeconds has passed and segments are left"))
        if stop.asked_at_s is not None and not self._stop_shown:
            self._stop_shown = True
            self.observer.notice("stopping: running segments may finish; a second signal stops at once")
        if now_s - self._shown_s < _SHOW_S:
            return
        self._shown_s = now_s
        if now_s - self._asked_s >= _STATISTICS_S:
            self._asked_s = now_s
            self._read_statistics()
        self._show()

    def _show(self) -> None:
        batch = mean_batch(subtract(self._now, self._before))
        self.observer.progress(self._tracker.snapshot(self.clock.monotonic_s(), batch))

    def _read_statistics(self) -> None:
        """The counters are for show: a server that does not tell them now must not end the run."""
        with contextlib.suppress(ServerError):
            self._now = self.inference.statistics(timeout_s=_STATISTICS_TIMEOUT_S)
