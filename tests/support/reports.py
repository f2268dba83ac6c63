"""Results of made-up jobs, for looking at reports."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from videojob.results.aggregate.document import Document
from videojob.results.aggregate.merge import fold
from videojob.results.aggregate.segment_results import (
    ClassStats,
    Gap,
    Presence,
    SegmentResult,
    SegmentTimings,
    Window,
    WriteUsage,
)
from videojob.results.aggregate.summary import (
    FailedInput,
    JobDescription,
    JobIdentity,
    ResultSettings,
    VideoEntry,
    summarise,
)
from videojob.results.report import PeakPicture, ReportData, choose_peaks
from videojob.results.run_facts import RunFacts, ServerFacts, VideoFacts
from videojob.video.info import Segment

WINDOW_MS = 10_000
FPS = 25
MANIFEST = """apiVersion: videojob.dev/v1alpha1
kind: VideoJob
metadata:
  name: entrance-hall
spec:
  inputs:
    - s3: {bucket: footage, prefix: 2026/03/}
    - http: {url: "https://media.example/clip.mp4?X-Amz-Signature=secret"}
  model: {name: street_objects, threshold: "0.4"}
"""
HINT = "Check the path or key, and that this identity may read it."
LABELS = ("person", "bicycle", "car")


def class_stats(class_id: int, frames: int, at_once: int) -> ClassStats:
    """`at_once` boxes in each of `frames` frames, scores around 0.8."""
    boxes = frames * at_once
    return ClassStats(class_id, boxes, frames, at_once, boxes * (800_000 - 40_000 * class_id), 960_000 - class_id)


def busy_segment(
    segment: int, video: int, length_ms: int, gaps: tuple[Gap, ...] = (), classes: int = 3
) -> SegmentResult:
    """One segment that is a whole video, with comings and goings of each class."""
    frames = WINDOW_MS * FPS // 1000
    windows, presence = [], []
    for index in range(-(-length_ms // WINDOW_MS)):
        found = []
        for class_id in range(classes):
            wave = math.sin(index / (3 + 2 * class_id) + video) + 0.3 * math.sin(index * 1.7 + class_id)
            at_once = round((9 - 3 * class_id) * wave)
            if at_once > 0:
                found.append(class_stats(class_id, frames - 7 * class_id, at_once))
                start = index * WINDOW_MS + 150 * class_id
                end = min(length_ms, start + WINDOW_MS - 400)
                box = (300 + 40 * class_id, 200, 420 + 40 * class_id, 480)
                presence.append(Presence(class_id, start, end, start + 2100, 700_000 + 9_000 * (index % 30), box))
        windows.append(Window(index, frames, tuple(found)))
    total = frames * len(windows)
    ordered = tuple(sorted(presence, key=lambda span: (span.class_id, span.first_ms)))
    return SegmentResult(segment, video, None, None, total + 40, total, 0, tuple(windows), ordered, (), gaps)


def job(
    entries: tuple[VideoEntry, ...], failed: tuple[FailedInput, ...] = (), *, tracked: bool = False
) -> JobDescription:
    """A job with one segment per video that did not fail."""
    bad = {item.video for item in failed}
    good = [video for video in range(len(entries)) if video not in bad]
    return JobDescription(
        identity=JobIdentity("default", "entrance-hall", "street_objects", "2", LABELS),
        settings=ResultSettings(WINDOW_MS, 2000, 400_000, "every frame", tracked),
        videos=entries,
        segments=tuple(Segment(index, video, None, None) for index, video in enumerate(good)),
        failed=failed,
    )


def run_facts(frames: int, **changes: object) -> RunFacts:
    """A plausible run over so many frames."""
    facts = RunFacts(
        namespace="default",
        name="entrance-hall",
        started_at="2026-03-01T12:00:00+00:00",
        finished_at="2026-03-01T12:07:12+00:00",
        wall_s=420.0,
        total_s=432.0,
        segments_run=42,
        frames_selected=frames,
        frames_inferred=frames,
        frames_per_s=frames / 420.0,
        mean_batch=7.6,
        transport="shared memory",
        server="embedded Triton",
        model_instances=2,
        workers=4,
        cpu_model="Example CPU @ 2.60GHz",
        cores=4,
        version="0.1.0",
        sink="DynamoDB table videojob-results",
        manifest=MANIFEST,
        timings=SegmentTimings(
            wall_s=1600,
            decode_s=310,
            prepare_s=9,
            transport_s=36,
            boxes_s=22,
            aggregate_s=14,
            wait_s=900,
            retries=3,
            peak_rss_bytes=412 << 20,
        ),
        statistics=ServerFacts(
            inferences=frames,
            executions=frames // 8,
            requests=frames // 4,
            queue_s=5100,
            compute_input_s=12,
            compute_infer_s=1530,
            compute_output_s=8,
        ),
        usage=WriteUsage(61.0, 46, 0, 58_000),
        videos=(VideoFacts(0, "a.mp4"),),
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def picture_bytes(width: int = 480, height: int = 270) -> bytes:
    """A JPEG with a gradient."""
    across = np.linspace(40, 200, width, dtype=np.uint8)
    pixels = np.dstack(
        [np.tile(across, (height, 1)), np.full((height, width), 90, np.uint8), np.tile(across[::-1], (height, 1))]
    )
    done, encoded = cv2.imencode(".jpg", pixels)
    assert done
    return encoded.tobytes()


def report_data(
    names: tuple[str, ...] = ("s3://footage/2026/03/entrance-north.mp4", "https://media.example/clip.mp4?…"),
    minutes: int = 40,
    *,
    failed: tuple[FailedInput, ...] = (),
    gaps: tuple[Gap, ...] = (),
) -> ReportData:
    """A finished job over `names`, pictures included; `failed` videos come behind them."""
    length_ms = minutes * 60_000
    entries = tuple(VideoEntry(name, length_ms, 1920, 1080) for name in names)
    entries += tuple(VideoEntry(item.uri, 0, 0, 0) for item in failed)
    results = [busy_segment(video, video, length_ms, gaps if video == 0 else ()) for video in range(len(names))]
    summary = summarise(job(entries, failed), results)
    jpeg = picture_bytes()
    pictures = [PeakPicture(peak, jpeg, (0, 0, 960, 540)) for peak in choose_peaks(summary)]
    pictures[-1:] = [
        PeakPicture(item.peak, None, item.peak.box, "The video no longer exists.") for item in pictures[-1:]
    ]
    return ReportData(summary, fold(results, 2000), run_facts(summary.frames.selected), tuple(pictures))


def not_found(video: int, uri: str) -> FailedInput:
    """An input that is not there."""
    error: dict[str, Document] = {
        "reason": "InputNotFound",
        "message": "S3 has no such bucket, object or version (404)",
        "hint": HINT,
        "retryable": False,
    }
    return FailedInput(video, uri, error)
