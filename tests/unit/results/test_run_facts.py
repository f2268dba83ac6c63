"""The record of a run survives its JSON form, and a record of another version is read as far as it goes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from videojob.results.aggregate.segment_results import RunRecord, SegmentTimings, WriteUsage
from videojob.results.run_facts import RunFacts, ServerFacts, VideoFacts, run_facts_from_dict

FACTS = RunFacts(
    namespace="default",
    name="lobby",
    started_at="2026-03-01T12:00:00+00:00",
    finished_at="2026-03-01T12:00:09+00:00",
    mean_batch=3.5,
    timings=SegmentTimings(wall_s=1.5, retries=2),
    statistics=ServerFacts(inferences=7, executions=2),
    usage=WriteUsage(write_units=3.0),
    videos=(VideoFacts(0, "a.mp4", info={"width": 640}), VideoFacts(1, "b.mp4")),
)


def test_facts_survive_json() -> None:
    assert run_facts_from_dict(json.loads(json.dumps(FACTS.as_dict()))) == FACTS


def test_facts_of_a_newer_version_are_read_without_what_is_new() -> None:
    document = FACTS.as_dict() | {"gpu": "none"}
    document["timings"] = document["timings"] | {"gpu_s": 1.0}
    assert run_facts_from_dict(document) == FACTS


def test_facts_of_an_older_version_take_defaults() -> None:
    document = FACTS.as_dict()
    del document["statistics"], document["videos"]
    facts = run_facts_from_dict(document)
    assert (facts.statistics, facts.videos) == (ServerFacts(), ())


def test_another_document_is_refused() -> None:
    with pytest.raises(ValueError, match="not the facts of a run"):
        run_facts_from_dict({"schema": "something/else"})


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(TypeError, match="not the facts of a run: list"):
        run_facts_from_dict(json.loads("[]"))


@pytest.mark.parametrize(
    ("changes", "own"),
    [({}, True), ({"uid": "other"}, False), ({"epoch": 3}, False), ({"plan_digest": "other"}, False)],
    ids=["this run", "another job", "another epoch", "another plan"],
)
def test_facts_are_those_of_one_epoch_of_one_job(changes: dict[str, Any], own: bool) -> None:
    run = RunRecord("uid", "default", "lobby", "plan", segments=2, epoch=2)
    facts = replace(FACTS, uid="uid", epoch=2, plan_digest="plan")
    assert facts.are_of(replace(run, **changes)) is own
