"""A finished run is found by its name, and by more when the store has several of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.segments import run_record
from videojob.cli.results.stored import Origin, Which, choose, place
from videojob.errors import SetupError, UsageError
from videojob.local.run_types import SinkConfig
from videojob.results.aggregate.segment_results import RunRecord

RUNS = [
    run_record(uid="a1", name="walk", segments=3),
    run_record(uid="b2", name="walk", segments=8),
    run_record(uid="c3", name="walk", namespace="team"),
    run_record(uid="d4", name="drive"),
]


@pytest.mark.parametrize(
    ("which", "uid"),
    [
        (Which("drive"), "d4"),
        (Which("walk", namespace="team"), "c3"),
        (Which("walk", uid="b2"), "b2"),
        (Which("walk", namespace="default", uid="a1"), "a1"),
    ],
    ids=str,
)
def test_the_run_that_is_meant_is_found(which: Which, uid: str) -> None:
    assert choose(RUNS, which).uid == uid


def test_several_of_a_name_are_told_apart_by_their_uids() -> None:
    with pytest.raises(UsageError) as caught:
        choose(RUNS, Which("walk"))
    assert caught.value.message == "3 jobs in the store have the name walk"
    assert caught.value.hint == (
        "Give --uid, one of: a1 (default, 3 segments), b2 (default, 8 segments), c3 (team, 2 segments)."
    )


def test_a_namespace_may_leave_several() -> None:
    with pytest.raises(UsageError, match="2 jobs in the store have the name default/walk"):
        choose(RUNS, Which("walk", namespace="default"))


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (Which("run"), "no job named run"),
        (Which("drive", namespace="team"), "no job named team/drive"),
        (Which("drive", uid="a1"), "no job named drive with the uid a1"),
    ],
    ids=str,
)
def test_a_job_that_is_not_there_is_told_with_those_that_are(which: Which, words: str) -> None:
    with pytest.raises(SetupError, match=words) as caught:
        choose(RUNS, which)
    assert caught.value.hint == "Jobs in it: default/drive, default/walk, team/walk."


def test_an_empty_store_says_so() -> None:
    with pytest.raises(SetupError, match="Jobs in it: none"):
        choose([], Which("walk"))


def test_a_store_of_very_many_jobs_lists_a_few() -> None:
    runs: list[RunRecord] = [run_record(uid=f"{at:03}", name=f"job-{at:03}") for at in range(500)]
    with pytest.raises(SetupError) as caught:
        choose(runs, Which("walk"))
    assert caught.value.hint.endswith("default/job-019 and 480 more.")


def in_dynamodb(table: str | None) -> SinkConfig:
    return place("walk", Origin(sink="dynamodb", table=table, region="eu-central-1")).sink


def test_a_table_must_be_named() -> None:
    assert in_dynamodb("results") == SinkConfig("dynamodb", table="results", region="eu-central-1")
    with pytest.raises(UsageError, match=r"--sink dynamodb needs a table\. Give --table"):
        in_dynamodb(None)


def test_an_output_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no results found at"):
        place("walk", Origin(output=tmp_path, sink="sqlite"))
