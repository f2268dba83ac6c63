"""`videojob estimate`, as people call it: real videos, the package's own prices and speeds."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from support.command import videojob
from support.samples import sample_path


def estimated(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = videojob("estimate", *arguments, "--json")
    return done.code, json.loads(done.out)


def manifest(folder: Path, **spec: object) -> Path:
    path = folder / "job.yaml"
    document = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "job"},
        "spec": {
            "inputs": [{"file": {"path": str(sample_path("bikes.mp4"))}}],
            "model": {"name": "face_detector"},
            **spec,
        },
    }
    path.write_text(json.dumps(document))
    return path


def test_a_short_clip_costs_cents_on_a_cpu_and_each_part_is_told() -> None:
    code, found = estimated(sample_path("bikes.mp4"), sample_path("carphone.mp4"), "--fps", "all")
    assert code == 0
    assert found["videos"] == 2
    assert found["frames"] == 370
    chosen = found["chosen"]
    assert (chosen["accelerator"], chosen["capacityType"], chosen["nodes"]) == ("cpu", "spot", 1)
    assert sum(map(Decimal, chosen["costs"].values())) == Decimal(chosen["usd"])
    assert 0 < Decimal(chosen["usd"]) <= Decimal(found["usdHigh"]) < Decimal("0.10")
    assert 0 < chosen["endsInSeconds"] <= chosen["endsInSecondsP90"]
    assert 0 < len(found["runnersUp"]) <= 10
    assert all(Decimal(one["usd"]) >= Decimal(chosen["usd"]) for one in found["runnersUp"])
    assert Decimal(found["onDemandUsd"]) > Decimal(chosen["usd"])
    assert any("static table" in words for words in found["notices"])


def test_people_see_the_price_the_end_the_choice_and_where_the_prices_come_from() -> None:
    done = videojob("estimate", sample_path("bikes.mp4"))
    assert done.code == 0, done.err
    for words in ("$0.", "Done in about", "The cheapest is", "Runners-up", "Without spot instances", "static table"):
        assert words in done.out


def test_a_deadline_that_nothing_meets_is_refused_with_the_least_that_is_met(tmp_path: Path) -> None:
    done = videojob("estimate", manifest(tmp_path, deadline={"completeWithin": "5s"}))
    assert done.code != 0
    assert "NoPlacement: no hardware meets the deadline" in done.err
    assert "Set spec.deadline.completeWithin to" in done.err


def test_a_budget_that_nothing_meets_is_refused_with_the_least_that_is_enough(tmp_path: Path) -> None:
    done = videojob("estimate", manifest(tmp_path, budget={"maxCost": "0.000001"}))
    assert done.code != 0
    assert 'Raise spec.budget.maxCost to "0.0' in done.err


def test_hardware_is_what_the_job_allows(tmp_path: Path) -> None:
    path = manifest(tmp_path, compute={"accelerator": "gpu", "capacityTypes": ["on-demand"]})
    _, found = estimated(path)
    assert (found["chosen"]["accelerator"], found["chosen"]["capacityType"]) == ("gpu", "on-demand")


def test_one_bad_video_does_not_hide_the_price_of_the_others(tmp_path: Path) -> None:
    bad = tmp_path / "letter.mp4"
    bad.write_bytes(b"Dear all, this is no video. " * 100)
    code, found = estimated(sample_path("bikes.mp4"), bad)
    assert code == 3
    assert found["videos"] == 1
    assert [one["reason"] for one in found["failed"]] == ["InputNotVideo"]


def test_no_video_at_all_is_an_error_and_no_price_of_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "letter.mp4"
    bad.write_bytes(b"Dear all, this is no video. " * 100)
    done = videojob("estimate", bad)
    assert done.code != 0
    assert "InputNotVideo" in done.err
    assert "$" not in done.out


def test_another_region_is_scaled_and_says_so() -> None:
    _, here = estimated(sample_path("bikes.mp4"))
    _, there = estimated(sample_path("bikes.mp4"), "--region", "eu-central-1")
    assert Decimal(there["chosen"]["usd"]) > Decimal(here["chosen"]["usd"])
    assert any("eu-central-1" in words for words in there["notices"])
