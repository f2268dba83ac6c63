"""The settings that decide a job's results, and the identity of a plan made of them.

Two runs with the same `plan_digest` give the same results byte for byte: that is what lets a rerun keep the segments that
an earlier one finished, and what makes a changed manifest start over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from videojob.planning.video import Sampling, Segment


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
    """One input as the plan pins it: `version` is "" for an input that could not be had, `failure` then says why."""

    uri: str
    version: str
    failure: str = ""


def plan_digest(
    inputs: Sequence[PlannedInput], segments: Sequence[Segment], model_digest: str, settings: RunSettings
) -> str:
    """sha256 hex over all that decides the results."""
    content = {
        "inputs": [asdict(item) for item in inputs],
        "segments": [asdict(segment) for segment in segments],
        "model": model_digest,
        "settings": asdict(settings),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
