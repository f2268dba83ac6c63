"""From a spec to what decides results, and the identity of a plan."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from support.segments import run_settings, video_info
from videojob.api.spec import VideoJobSpec
from videojob.video.identity import (
    PlannedInput,
    ignored_fields,
    plan_digest,
    sampling_text,
    track_memory_ms,
)
from videojob.video.identity import (
    run_settings as from_spec,
)
from videojob.video.info import Gate, Sampling, Segment

SEGMENT = Segment(0, 0, None, None)


def spec(**changes: Any) -> VideoJobSpec:
    base: dict[str, Any] = {"inputs": [{"file": {"path": "clip.mp4"}}], "model": {"name": "face_detector"}}
    return VideoJobSpec.model_validate(base | changes)


def digest(**changes: Any) -> str:
    given: dict[str, Any] = {
        "inputs": [PlannedInput("a.mp4", "v1")],
        "segments": [SEGMENT],
        "model_digest": "model",
        "settings": run_settings(),
    } | changes
    return plan_digest(given["inputs"], given["segments"], given["model_digest"], given["settings"])


def test_the_spec_becomes_whole_numbers() -> None:
    settings = from_spec(
        spec(
            model={"name": "face_detector", "threshold": "0.35", "classes": ["b", "a"]},
            sampling={"framesPerSecond": "2.5", "gate": {"threshold": "1.5", "maxSkip": "3s"}},
            aggregation={"window": "1m", "presenceGap": "500ms", "track": True},
            compute={"segmentSeconds": 20},
            onCorruption="Skip",
        )
    )
    assert settings.sampling == Sampling(frames_per_second=Fraction(5, 2), gate=Gate(1.5, 3000))
    assert (settings.threshold_ppm, settings.classes) == (350_000, ("a", "b"))
    assert (settings.window_ms, settings.presence_gap_ms, settings.segment_ms) == (60_000, 500, 20_000)
    assert (settings.track, settings.skip_corrupt) == (True, True)


def test_the_same_plan_has_the_same_digest() -> None:
    assert digest() == digest()


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": [PlannedInput("a.mp4", "v2")]},
        {"inputs": [PlannedInput("b.mp4", "v1")]},
        {"inputs": [PlannedInput("a.mp4", "v1", "InputNotVideo")]},
        {"segments": [Segment(0, 0, None, 100), Segment(1, 0, 100, None)]},
        {"model_digest": "other"},
        {"settings": run_settings(threshold_ppm=1)},
        {"settings": run_settings(sampling=Sampling(every_nth_frame=2))},
        {"settings": run_settings(presence_gap_ms=1)},
    ],
)
def test_whatever_decides_results_changes_the_digest(change: dict[str, Any]) -> None:
    assert digest(**change) != digest()


@pytest.mark.parametrize(
    ("sampling", "text"),
    [
        (Sampling(), "every frame"),
        (Sampling(frames_per_second=Fraction(5, 2)), "2.5 frames per second"),
        (Sampling(every_nth_frame=3), "one frame of 3"),
        (Sampling(keyframes_only=True), "keyframes only"),
        (Sampling(gate=Gate(2.0, 1000)), "every frame, those that moved"),
    ],
)
def test_sampling_in_words(sampling: Sampling, text: str) -> None:
    assert sampling_text(sampling) == text


@pytest.mark.parametrize(
    ("sampling", "rate", "memory_ms"),
    [
        (Sampling(), Fraction(25), 2000),
        (Sampling(frames_per_second=Fraction(1, 2)), Fraction(25), 4000),
        (Sampling(every_nth_frame=250), Fraction(25), 20_000),
        (Sampling(keyframes_only=True), Fraction(25), 20_000),
        (Sampling(), None, 2000),
        (Sampling(), Fraction(0), 2000),
        (Sampling(), Fraction(1, 300), 600_000),
    ],
)
def test_a_track_outlives_two_sampled_frames(sampling: Sampling, rate: Fraction | None, memory_ms: int) -> None:
    info = video_info(frame_rate=rate)
    assert track_memory_ms(run_settings(sampling=sampling), info) == memory_ms


def test_fields_for_a_cluster_are_named_and_nothing_else() -> None:
    assert ignored_fields(spec()) == ()
    assert ignored_fields(spec(budget={"maxCost": "1"}, deadline={"completeWithin": "1h"})) == (
        "spec.deadline",
        "spec.budget",
    )
