"""Builders with defaults for the values that runs are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from support.video_values import video_info as probed
from videojob.errors import VideoJobError
from videojob.local.run_types import JobPlan
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.identity import RunSettings
from videojob.video.info import Sampling, Segment, VideoInfo
from videojob.vision.tensors import ModelContract, PixelInput
from videojob.worker.segment.task import SegmentTask, VideoPlan


def video_info(**changes: Any) -> VideoInfo:
    """A 60 s clip of 640 x 272 pixels at 25 frames/s."""
    defaults = {"uri": "clip.mp4", "height": 272, "duration_ms": 60_000, "frames_estimate": 1500, "cut_pts": (30_000,)}
    return probed(**(defaults | changes))


def run_settings(**changes: Any) -> RunSettings:
    """Every frame, everything on its default."""
    settings = RunSettings(
        sampling=Sampling(),
        threshold_ppm=500_000,
        classes=(),
        window_ms=10_000,
        presence_gap_ms=2_000,
        track=False,
        skip_corrupt=False,
        segment_ms=30_000,
    )
    return replace(settings, **changes)


def run_record(**changes: Any) -> RunRecord:
    """The first epoch of a job of two segments."""
    return replace(RunRecord("uid", "default", "job", "digest", segments=2, epoch=1), **changes)


def model_contract(**changes: Any) -> ModelContract:
    """A detector of faces that takes any size."""
    contract = ModelContract(
        name="face_detector",
        version="",
        pixels=PixelInput(name="frames", dtype="UINT8", layout="NHWC", colour="RGB"),
        outputs=("heatmap", "scale", "offset"),
        decoder="centerface",
        labels=("face",),
        max_batch=16,
        instances=2,
        digest="model",
    )
    return replace(contract, **changes)


def segment_task(index: int, *, video: int = 0) -> SegmentTask:
    """A segment that nobody will really run."""
    segment = Segment(index=index, video=video, start_pts=None, end_pts=None)
    return SegmentTask(run_record(), Path("clip.mp4"), video_info(), segment, run_settings())


def video_plan(video: int = 0, *, error: VideoJobError | None = None, **changes: Any) -> VideoPlan:
    """A good input, or one that could not be used."""
    info = None if error else video_info(uri=f"clip-{video}.mp4", **changes)
    return VideoPlan(video, f"clip-{video}.mp4", "", "v1", None if error else Path(f"clip-{video}.mp4"), info, error)


def job_plan(*, committed: frozenset[int] = frozenset(), videos: tuple[VideoPlan, ...] | None = None) -> JobPlan:
    """Two segments of 30 s per good video."""
    planned = videos or (video_plan(),)
    good = [video.video for video in planned if video.info is not None]
    segments = tuple(
        Segment(index=2 * at + half, video=video, start_pts=(None, 30_000)[half], end_pts=(30_000, None)[half])
        for at, video in enumerate(good)
        for half in (0, 1)
    )
    record = run_record(segments=len(segments))
    return JobPlan(record, planned, segments, run_settings(), model_contract(), committed)
