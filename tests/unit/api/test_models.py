"""VideoJob in Python: strict, immutable, with its rules and the words of its reasons."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from support.manifests.bad import BAD
from support.manifests.build import Case, manifest
from videojob.api.loading.problems import field_text
from videojob.api.spec import DetectionsOutput, FileInput, Input, Results, Sampling
from videojob.api.units import DecimalText
from videojob.api.videojob import VideoJob


def job(*changes: dict[str, Any]) -> VideoJob:
    return VideoJob.from_manifest(manifest(*changes))


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_manifest_is_refused_at_its_field(case: Case) -> None:
    with pytest.raises(ValidationError) as refusal:
        VideoJob.from_manifest(case.manifest())
    fields = [field_text(detail["loc"]) for detail in refusal.value.errors()]
    assert any(field.startswith(case.field) for field in fields)


def test_there_are_many_bad_manifests() -> None:
    assert len(BAD) >= 200
    assert len({case.name for case in BAD}) == len(BAD)


def test_python_words_make_the_same_model_but_are_no_words_of_a_manifest() -> None:
    assert Sampling(frames_per_second=DecimalText("2.5")) == Sampling.model_validate({"framesPerSecond": "2.5"})
    with pytest.raises(ValidationError):
        job({"spec.sampling": {"frames_per_second": "2.5"}})


def test_values_are_ready_to_compute_with() -> None:
    spec = job({"spec.sampling.framesPerSecond": "29.97", "spec.deadline.completeWithin": "1h30m"}).spec
    assert spec.sampling.frames_per_second is not None
    assert spec.sampling.frames_per_second.fraction == Fraction(2997, 100)
    assert spec.deadline is not None
    assert spec.deadline.complete_within.ms == 5_400_000
    assert spec.model.threshold.ppm == 500_000


def test_a_job_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        job().spec.backoff_limit = 7  # type: ignore[misc]


def test_an_input_knows_its_source() -> None:
    assert Input(file=FileInput(path="a.mp4")).source == FileInput(path="a.mp4")


@pytest.mark.parametrize(
    ("results", "enabled"),
    [
        (Results(), False),
        (Results(detections=DetectionsOutput()), True),
        (Results(detections=DetectionsOutput(enabled=False)), False),
    ],
)
def test_detections_are_on_when_they_are_named_and_not_switched_off(results: Results, enabled: bool) -> None:
    assert results.detections_enabled == enabled


def test_all_broken_rules_of_one_object_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as refusal:
        job({"spec.inputs": [manifest()["spec"]["inputs"][0], {"s3": {"bucket": "videos", "versionId": "x"}}]})
    assert [field_text(detail["loc"]) for detail in refusal.value.errors()] == [
        "spec.inputs[1].s3",
        "spec.inputs[1].s3.versionId",
    ]


def test_a_whole_number_means_the_same_with_and_without_quotes() -> None:
    plain = job({"spec.sampling": {"framesPerSecond": 2, "gate": {"threshold": 3}}, "spec.budget.maxCost": 4})
    quoted = job({"spec.sampling": {"framesPerSecond": "2", "gate": {"threshold": "3"}}, "spec.budget.maxCost": "4"})
    assert plain == quoted
    assert plain.as_manifest() == quoted.as_manifest()
    rate = plain.spec.sampling.frames_per_second
    assert rate is not None
    assert rate.fraction == 2


def test_a_manifest_is_written_without_what_is_absent() -> None:
    written = job().as_manifest()
    assert written["metadata"] == {"name": "lobby", "namespace": "default"}
    assert "deadline" not in written["spec"]
    assert "status" not in written
