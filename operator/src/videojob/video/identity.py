"""The settings that decide a job's results, and the identity of a plan made of them.

Two runs with the same `plan_digest` give the same results byte for byte: that is what lets a rerun keep the segments
that an earlier one finished, and what makes a changed manifest start over.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

from videojob.api.spec import Sampling as SamplingSpec
from videojob.api.spec import VideoJobSpec
from videojob.video.info import Gate, Sampling, Segment, VideoInfo

RESULTS_FORMAT = 2
"""Raised with every change that makes the same frames give other results: a rerun then starts again."""

_KEYFRAME_STEP_MS = Fraction(10_000)  # encoders set keyframes about this far apart at the most, 250 frames at 25/s


@dataclass(frozen=True, slots=True)
class RunSettings:
    """All that decides results, beside the inputs and the model.

    Attributes:
        sampling: which frames.
        threshold_ppm: least score of a box, in parts per million.
        classes: labels to keep; empty keeps all.
        window_ms: length of a window.
        presence_gap_ms: longest break inside one presence interval.
        track: follow objects and count them once.
        skip_corrupt: a corrupt stretch becomes a named gap, instead of failing the video.
        segment_ms: aimed-at length of a segment.
    """

    sampling: Sampling
    threshold_ppm: int
    classes: tuple[str, ...]
    window_ms: int
    presence_gap_ms: int
    track: bool
    skip_corrupt: bool
    segment_ms: int

    @property
    def threshold(self) -> float:
        """Least score of a box, 0..1."""
        return self.threshold_ppm / 1_000_000


@dataclass(frozen=True, slots=True)
class PlannedInput:
    """One input as the plan pins it: `version` is "" for an input that could not be read, `failure` then says why."""

    uri: str
    version: str
    failure: str = ""


def plan_digest(
    inputs: Sequence[PlannedInput], segments: Sequence[Segment], model_digest: str, settings: RunSettings
) -> str:
    """sha256 hex over all that decides the results."""
    return digest_of(plan_text(inputs, segments, model_digest, settings))


def digest_of(text: str) -> str:
    """The digest of a plan that `plan_text` describes."""
    return hashlib.sha256(text.encode()).hexdigest()


def plan_text(
    inputs: Sequence[PlannedInput], segments: Sequence[Segment], model_digest: str, settings: RunSettings
) -> str:
    """All that decides the results, as canonical JSON."""
    content = {
        "inputs": [asdict(item) for item in inputs],
        "segments": [asdict(segment) for segment in segments],
        "model": model_digest,
        "settings": asdict(settings),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)


def run_settings(spec: VideoJobSpec) -> RunSettings:
    """The part of a manifest's spec that decides results."""
    return RunSettings(
        sampling=_sampling(spec.sampling),
        threshold_ppm=spec.model.threshold.ppm,
        classes=tuple(sorted(spec.model.classes or ())),
        window_ms=spec.aggregation.window.ms,
        presence_gap_ms=spec.aggregation.presence_gap.ms,
        track=spec.aggregation.track,
        skip_corrupt=spec.on_corruption == "Skip",
        segment_ms=spec.compute.segment_seconds * 1000,
    )


def _sampling(asked: SamplingSpec) -> Sampling:
    gate = asked.gate
    rate = asked.frames_per_second
    return Sampling(
        frames_per_second=None if rate is None else rate.fraction,
        every_nth_frame=asked.every_nth_frame,
        keyframes_only=asked.keyframes_only,
        gate=None if gate is None else Gate(threshold=float(gate.threshold.fraction), max_skip_ms=gate.max_skip.ms),
    )


def track_memory_ms(settings: RunSettings, info: VideoInfo) -> int:
    """How long a track may go unseen before it has ended: the presence gap, or two sampled frames if that is longer."""
    sampling = settings.sampling
    if sampling.frames_per_second is not None:
        step_ms = 1000 / sampling.frames_per_second
    elif sampling.keyframes_only:
        step_ms = _KEYFRAME_STEP_MS
    elif info.frame_rate:
        step_ms = 1000 * (sampling.every_nth_frame or 1) / info.frame_rate
    else:
        step_ms = Fraction(0)
    return max(settings.presence_gap_ms, math.ceil(2 * step_ms))


def sampling_text(sampling: Sampling) -> str:
    """The sampling as text, for results and reports."""
    if sampling.frames_per_second is not None:
        words = f"{float(sampling.frames_per_second):g} frames per second"
    elif sampling.every_nth_frame is not None:
        words = f"one frame of {sampling.every_nth_frame}"
    elif sampling.keyframes_only:
        words = "keyframes only"
    else:
        words = "every frame"
    return words if sampling.gate is None else f"{words}, those that moved"


def ignored_fields(spec: VideoJobSpec) -> tuple[str, ...]:
    """Fields that a manifest sets and a single machine has no use for, as users write them."""
    results, compute = spec.results, spec.compute
    given = {
        "spec.deadline": spec.deadline is not None,
        "spec.budget": spec.budget is not None,
        "spec.notifications": spec.notifications is not None,
        "spec.priorityClassName": spec.priority_class_name is not None,
        "spec.ttlSecondsAfterFinished": spec.ttl_seconds_after_finished is not None,
        "spec.compute.backend": compute.backend not in {"auto", "local"},
        "spec.compute.accelerator": compute.accelerator != "auto",
        "spec.compute.limits.gpus": compute.limits is not None and compute.limits.gpus is not None,
        "spec.compute.capacityTypes": compute.capacity_types is not None,
        "spec.compute.instanceTypes": compute.instance_types is not None,
        "spec.results.detections.s3": results.detections is not None and results.detections.s3 is not None,
        "spec.results.preview.s3": results.preview is not None and results.preview.s3 is not None,
    }
    return tuple(name for name, is_given in given.items() if is_given)
