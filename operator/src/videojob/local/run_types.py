"""What a run on one machine is asked for, plans, and says while it works."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from videojob.errors import VideoJobError
from videojob.results.aggregate.segment_results import RunRecord, SegmentTimings
from videojob.video.identity import RunSettings
from videojob.video.info import Segment, VideoInfo
from videojob.video.plan import sampled_frames
from videojob.vision.tensors import ModelContract
from videojob.worker.segment.task import VideoPlan


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """Where results go; picklable, each process opens its own.

    Attributes:
        kind: which adapter.
        path: the database file of "sqlite".
        table, region, endpoint_url: of "dynamodb"; None leaves region and endpoint to the AWS environment.
    """

    kind: Literal["sqlite", "dynamodb"]
    path: Path | None = None
    table: str | None = None
    region: str | None = None
    endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class RunOptions:
    """One call of `videojob run`.

    Attributes:
        base: folder that relative inputs start from, the manifest's.
        output: folder for the database, the report and what else is written.
        sink: where results go.
        triton_url: host:port of a running server's gRPC; None starts the embedded one.
        model_repository: folder of models for the embedded server; None takes the project's own.
        workers: segment runners side by side; None takes one per core.
        create_table: make the DynamoDB table when it is not there.
        grace_s: how long running segments may go on after the first stop signal.
    """

    base: Path
    output: Path
    sink: SinkConfig
    triton_url: str | None = None
    model_repository: Path | None = None
    workers: int | None = None
    create_table: bool = False
    grace_s: float = 10.0


@dataclass(frozen=True, slots=True)
class JobPlan:
    """All that is decided before the first frame.

    Attributes:
        videos: every input in the manifest's order.
        segments: of the good ones, job-wide.
        committed: indexes of segments whose results are stored.
        finished: the summary, when an earlier run finished the whole job.
        lacking: those of `committed` without a per-frame file that is wanted now: they run again, for the file alone.
    """

    run: RunRecord
    videos: tuple[VideoPlan, ...]
    segments: tuple[Segment, ...]
    settings: RunSettings
    contract: ModelContract
    committed: frozenset[int]
    finished: bytes | None = None
    lacking: frozenset[int] = frozenset()

    @property
    def kept(self) -> frozenset[int]:
        """Indexes of segments of which nothing is left to do: result and files are there."""
        return self.committed - self.lacking

    @property
    def to_run(self) -> frozenset[int]:
        """Indexes of segments to run; of a finished job only what lacks a file, as its results stand."""
        if self.finished is not None:
            return self.lacking
        return frozenset(segment.index for segment in self.segments) - self.kept

    def frames_of(self, segment: Segment) -> int:
        """Estimate of the frames that sampling asks for in a segment, for progress only."""
        info = self.videos[segment.video].info
        if info is None:
            return 0
        share = self._share(segment, info)
        return max(1, round(sampled_frames(info, self.settings) * share))

    def _share(self, segment: Segment, info: VideoInfo) -> float:
        end_ms = info.duration_ms if segment.end_pts is None else info.time_ms(segment.end_pts)
        start_ms = 0 if segment.start_pts is None else info.time_ms(segment.start_pts)
        return min(1.0, max(0.0, (end_ms - start_ms) / info.duration_ms)) if info.duration_ms else 1.0


@dataclass(frozen=True, slots=True)
class VideoProgress:
    """How far one video is; `name` is the user's, or "". `frames_total` is an estimate until all have reported."""

    video: int
    uri: str
    name: str
    frames_done: int
    frames_total: int
    segments_done: int
    segments_total: int
    failed: bool


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far the job is.

    Attributes:
        frames_per_s: over the last seconds; 0 before the first frame.
        mean_batch: frames per execution on the server since the run began; None before the first.
        remaining_s: None before it can be estimated.
    """

    videos: tuple[VideoProgress, ...]
    frames_done: int
    frames_total: int
    segments_done: int
    segments_total: int
    frames_per_s: float
    mean_batch: float | None
    remaining_s: float | None


class RunObserver(Protocol):
    """Who watches a run: the terminal, a log, a test."""

    def stage(self, text: str) -> None:
        """A step began that takes a moment."""
        ...

    def planned(self, plan: JobPlan) -> None:
        """The plan stands; frames come next."""
        ...

    def progress(self, progress: RunProgress) -> None:
        """A few times per second while segments run."""
        ...

    def notice(self, text: str) -> None:
        """Something that a person should know: a retry, a worker started again, a video given up."""
        ...


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        state: "Completed", "PartiallyCompleted" (failed inputs or gaps), "Failed" or "Interrupted".
        summary: canonical JSON, as stored; None when there is none.
        error: why the job failed.
        videos: every input in the manifest's order. failed: those that could not be processed.
        segments_run, segments_kept: this time, and by earlier runs.
        kept_other: segments that ran this time although another result of theirs was stored, which stays.
        frames_selected: by sampling, this time; `frames_inferred` of them went through the model.
        frames_per_s: selected frames of this run / its processing time.
        write_units: what storing this run's results took.
        report: path of the HTML report; None when there is no summary.
        detections, preview: folders of the per-frame outputs; None when they were not asked for.
    """

    state: Literal["Completed", "PartiallyCompleted", "Failed", "Interrupted"]
    run: RunRecord | None
    summary: bytes | None = None
    error: VideoJobError | None = None
    failed: tuple[VideoPlan, ...] = ()
    segments_run: int = 0
    segments_kept: int = 0
    kept_other: int = 0
    frames_selected: int = 0
    frames_inferred: int = 0
    wall_s: float = 0.0
    frames_per_s: float = 0.0
    mean_batch: float | None = None
    transport: str = ""
    write_units: float = 0.0
    timings: SegmentTimings = field(default_factory=SegmentTimings)
    report: Path | None = None
    detections: Path | None = None
    preview: Path | None = None
    videos: tuple[VideoPlan, ...] = ()
