"""The line after a run: what it would cost on a cluster, or why that is not known."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from support.decisions import a_job
from support.plan_questions import question
from support.segments import run_record, video_plan
from videojob.local.cluster_price import cluster_price, priced
from videojob.local.run_types import RunOutcome
from videojob.planning.placement.plan.surroundings import Allowed
from videojob.results.aggregate.summary import (
    FrameCounts,
    JobIdentity,
    ResultSettings,
    Summary,
    VideoEntry,
    VideoSummary,
)
from videojob.results.stored.summary_codec import encode_summary


def outcome(frames: int = 1500, inferred: int | None = None) -> RunOutcome:
    """A run that is over, whose motion gate may have left frames out."""
    count = frames if inferred is None else inferred
    counts = FrameCounts(frames, frames, frames - count, count)
    summary = Summary(
        JobIdentity("default", "job", "face_detector", labels=("face",)),
        ResultSettings(window_ms=2000, presence_gap_ms=1000),
        "Completed",
        "",
        counts,
        (),
        (VideoSummary(0, VideoEntry("clip-0.mp4", 60_000, 640, 272), 2, counts, (), (), ()),),
    )
    return RunOutcome("Completed", run_record(), encode_summary(summary), videos=(video_plan(0),))


def test_a_finished_run_has_a_price_with_hardware_and_the_day_of_its_prices() -> None:
    found = cluster_price(a_job(), outcome(), None)
    assert found is not None
    pattern = (
        r"On a cluster in us-east-1 this would cost about \$0\.\d+: \d+ x \S+ \((spot|on-demand)\).*, "
        r"static prices of \d{4}-\d\d-\d\d\."
    )
    assert re.fullmatch(pattern, found.sentence())
    shown = found.document()
    assert Decimal(shown["usd"]) > 0
    assert (shown["region"], shown["why_not"]) == ("us-east-1", None)
    assert shown["hardware"] in found.sentence()


def test_the_frames_that_went_through_the_model_count() -> None:
    few, many = (cluster_price(a_job(), outcome(10**6, inferred), None) for inferred in (0, 10**6))
    assert few is not None
    assert many is not None
    assert few.usd is not None
    assert many.usd is not None
    assert 0 < few.usd < many.usd


def test_a_run_without_a_summary_has_no_price() -> None:
    assert cluster_price(a_job(), replace(outcome(), summary=None), None) is None


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"model": {"name": "of_another_server"}}, "no model has this name"),
        ({"deadline": {"completeWithin": "1s"}}, "no hardware meets the deadline of 1 s"),
        (
            {"compute": {"instanceTypes": ["c7g.large"]}},
            "none of spec.compute.instanceTypes can run the job: c7g.large is arm64, and a server's image is for amd64",
        ),
    ],
)
def test_what_keeps_a_run_from_a_price_is_told_and_fails_nothing(spec: dict[str, object], why: str) -> None:
    found = cluster_price(a_job(spec), outcome(), None)
    assert found is not None
    assert found.sentence() == f"What this would cost on a cluster in us-east-1 is not known: {why}."
    assert found.document() == {
        "region": "us-east-1",
        "usd": None,
        "hardware": None,
        "prices_as_of": None,
        "why_not": why,
    }


def test_a_model_whose_description_is_wrong_keeps_a_run_from_a_price(tmp_path: Path) -> None:
    (tmp_path / "face_detector").mkdir()
    (tmp_path / "face_detector" / "config.pbtxt").write_text("nonsense {")
    found = cluster_price(a_job(), outcome(), tmp_path)
    assert found is not None
    assert found.chosen is None
    assert found.why


def test_the_price_is_that_of_the_plan() -> None:
    assert priced(question(3000)).sentence().startswith("On a cluster in us-east-1 this would cost about $0.0")
    assert priced(question(3000, Allowed(deadline_s=1))).why == "no hardware meets the deadline of 1 s"
