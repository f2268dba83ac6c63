"""The middle of a run: segments through the pool, what was done added up, what is going on told."""

from __future__ import annotations

from dataclasses import dataclass, field

from videojob.errors import VideoJobError
from videojob.local.dispatch import Dispatcher, Verdict
from videojob.local.pool import PoolEvents, StopRequest, WorkerPool
from videojob.local.process import Done, WorkerConfig
from videojob.local.progress import ProgressTracker
from videojob.local.values import JobPlan, RunObserver
from videojob.ports import Clock, Inference, ServerStatistics
from videojob.results.values import SegmentTimings, WriteUsage
from videojob.worker.values import SegmentTask

_STATISTICS_S = 1.0  # the server's counters cost a call; the mean batch shown need not be fresher
_NO_STATISTICS = ServerStatistics(0, 0, 0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True)
class WorkDone:
    """What the pool did in this run, summed over its workers.

    Attributes:
        timings: sums; they overlap, workers run side by side.
        usage: by worker, each since its start.
        wall_s: from the first segment given out to the last one's end.
        statistics: how the server's counters moved.
    """

    timings: SegmentTimings = field(default_factory=SegmentTimings)
    usage: dict[int, WriteUsage] = field(default_factory=dict)
    segments: int = 0
    frames_selected: int = 0
    frames_inferred: int = 0
    transport: str = ""
    workers: int = 0
    wall_s: float = 0.0
    statistics: ServerStatistics = _NO_STATISTICS

    def add(self, worker: int, done: Done) -> None:
        """A segment was committed."""
        self.timings = add_timings(self.timings, done.timings)
        self.usage[worker] = done.usage
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
    """Seconds and retries summed, memory the larger of both."""
    sums = {
        name: getattr(one, name) + getattr(other, name)
        for name in SegmentTimings.__dataclass_fields__
        if name != "peak_rss_bytes"
    }
    return SegmentTimings(**sums, peak_rss_bytes=max(one.peak_rss_bytes, other.peak_rss_bytes))


def add_usage(one: WriteUsage, other: WriteUsage) -> WriteUsage:
    """Both, summed."""
    return WriteUsage(**{name: getattr(one, name) + getattr(other, name) for name in WriteUsage.__dataclass_fields__})


def subtract(after: ServerStatistics, before: ServerStatistics) -> ServerStatistics:
    """How the counters moved."""
    return ServerStatistics(
        **{name: getattr(after, name) - getattr(before, name) for name in ServerStatistics.__dataclass_fields__}
    )


def mean_batch(statistics: ServerStatistics) -> float | None:
    """Frames per execution; None before the first."""
    return statistics.inferences / statistics.executions if statistics.executions else None


def tasks_of(plan: JobPlan) -> list[SegmentTask]:
    """Segments that no earlier run finished, in order."""
    tasks = []
    for segment in plan.segments:
        video = plan.videos[segment.video]
        if segment.index not in plan.committed and video.path is not None and video.info is not None:
            tasks.append(SegmentTask(plan.run, video.path, video.info, segment, plan.settings))
    return tasks


def in_flight_frames(max_batch: int, instances: int, workers: int) -> int:
    """Frames that one of `workers` keeps with the server.

    Twice what the server works on at once, so that a full batch always waits behind the running one, shared between
    the workers; never fewer than two, or a worker would stop for every answer.
    """
    return max(2, -(-2 * max(1, max_batch) * instances // workers))


@dataclass(slots=True)
class Work:
    """Runs a plan's tasks and tells the observer.

    Attributes:
        inference: the parent's own connection, for the server's counters.
        before: the counters when the run began.
    """

    plan: JobPlan
    observer: RunObserver
    inference: Inference
    clock: Clock
    before: ServerStatistics
    done: WorkDone = field(default_factory=WorkDone)
    _tracker: ProgressTracker = field(init=False)
    _mean_batch: float | None = None
    _asked_s: float = 0.0

    def __post_init__(self) -> None:
        self._tracker = ProgressTracker(self.plan, self.clock.monotonic_s())

    def run(self, config: WorkerConfig, dispatcher: Dispatcher, stop: StopRequest, grace_s: float) -> WorkDone:
        """Until nothing is left to give out; `config.workers` of them side by side."""
        started_s = self.clock.monotonic_s()
        events = PoolEvents(self._tracker.moved, self._finished, self._failed, self._tick)
        with WorkerPool(config, self.clock) as pool:
            pool.run(dispatcher, events, stop, grace_s)
        self.done.workers = config.workers
        self.done.wall_s = self.clock.monotonic_s() - started_s
        self.done.statistics = subtract(self.inference.statistics(), self.before)
        return self.done

    def _finished(self, worker: int, done: Done) -> None:
        self.done.add(worker, done)
        self._tracker.finished(done.segment, done.frames_selected)

    def _failed(self, error: VideoJobError, verdict: Verdict) -> None:
        if error.segment is not None:
            self._tracker.dropped(error.segment)
            if verdict is Verdict.VIDEO_FAILED:
                self._tracker.video_failed(self.plan.segments[error.segment].video)
        if verdict is not Verdict.DROPPED:
            self.observer.notice(f"{verdict.value}: {error}")

    def _tick(self) -> None:
        now_s = self.clock.monotonic_s()
        if now_s - self._asked_s >= _STATISTICS_S:
            self._asked_s = now_s
            self._mean_batch = mean_batch(subtract(self.inference.statistics(), self.before))
        self.observer.progress(self._tracker.snapshot(now_s, self._mean_batch))
