"""Keys of the results table: they sort as their numbers do, and each release finds what the one before stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.plans import bad_video, good_video, plan_head
from support.results import run_record, segment_commit, segment_result
from videojob.errors import SinkError
from videojob.results.aggregate.document import Document
from videojob.results.stored.items import commit_item, finished_run_from_item, job_item, run_from_item
from videojob.results.stored.keys import (
    bad_sort_key,
    fail_sort_key,
    keys_document,
    last_segment,
    outbox_sort_key,
    part_sort_key,
    plan_sort_key,
    segment_from_key,
    segment_partition,
    segment_sort_key,
    summary_sort_key,
)
from videojob.results.stored.plan_items import failure_item, head_from_item, head_item, video_item
from videojob.video.info import Segment
from videojob.video.plan import NEWEST_KEYS, SegmentFailure

RUN = replace(run_record("u"), epoch=3)
OLD = replace(RUN, keys=1)
VERSIONS = (1, NEWEST_KEYS)


@pytest.mark.parametrize("make", [segment_sort_key, bad_sort_key, fail_sort_key])
@pytest.mark.parametrize("version", VERSIONS)
def test_keys_sort_as_their_numbers_do(version: int, make: Callable[[int, int], str]) -> None:
    last = last_segment(version)
    numbers = sorted(
        {number for exponent in range(10) for number in (10**exponent - 1, 10**exponent) if number <= last}
    )
    keys = [make(number, version) for number in numbers]
    assert keys == sorted(keys)


@given(st.lists(st.integers(0, last_segment(NEWEST_KEYS)), min_size=2, max_size=2))
def test_any_two_segments_sort_as_their_keys_do(segments: list[int]) -> None:
    one, other = segments
    first, second = segment_sort_key(one, NEWEST_KEYS), segment_sort_key(other, NEWEST_KEYS)
    assert (first < second) == (one < other)
    assert segment_from_key(first) == one


def test_a_job_of_a_million_segments_has_keys_and_one_of_the_first_version_does_not() -> None:
    assert last_segment(1) == 999_999
    assert last_segment(NEWEST_KEYS) >= 100_000_000
    assert segment_sort_key(1_000_000, NEWEST_KEYS) > segment_sort_key(999_999, NEWEST_KEYS)
    with pytest.raises(SinkError, match="segment 1000000 has no key") as caught:
        segment_sort_key(1_000_000, 1)
    assert (caught.value.retryable, bool(caught.value.hint)) == (False, True)


def test_nothing_is_written_under_a_key_that_is_too_wide() -> None:
    whole = segment_result(Segment(1_000_000, 0, None, None))
    wide, head = segment_commit(whole), replace(plan_head([]), keys=1)
    with pytest.raises(SinkError, match="has no key"):
        commit_item(OLD, wide)
    with pytest.raises(SinkError, match="has no key"):
        failure_item(OLD, SegmentFailure(1_000_000, 0, {}))
    with pytest.raises(SinkError, match="input 1000000 has no key"):
        video_item("u", head, bad_video(1_000_000))
    # Its first segment has a key, its last one has not.
    with pytest.raises(SinkError, match="segment 1000001 has no key"):
        video_item("u", head, good_video(0, cuts=3, first_segment=999_998))
    assert commit_item(RUN, wide).head["SK"] == "SEG#001000000"


@pytest.mark.parametrize("make", [plan_sort_key, summary_sort_key, outbox_sort_key])
def test_rare_numbers_have_a_limit_as_well(make: Callable[[int], str]) -> None:
    assert make(999_999) > make(1)
    with pytest.raises(SinkError, match="has no key"):
        make(1_000_000)


@pytest.mark.parametrize(("version", "most"), [(1, 999), (NEWEST_KEYS, 999_999)])
def test_parts_of_an_item_stay_in_order(version: int, most: int) -> None:
    keys = [part_sort_key("SEG#1#d", number, version) for number in (1, 9, 10, 99, 100, most)]
    assert keys == sorted(keys)
    with pytest.raises(SinkError, match="has no key"):
        part_sort_key("SEG#1#d", most + 1, version)


def test_the_versions_have_partitions_of_their_own() -> None:
    assert segment_partition(OLD, 2) == "u#3#2"
    assert segment_partition(RUN, 2) == "u#v2#3#2"


def test_items_of_the_first_version_are_as_the_release_before_wrote_them() -> None:
    assert "keys" not in job_item(OLD)
    old = replace(plan_head([good_video(0)]), keys=1)
    assert "keys" not in head_item("u", old)
    assert head_from_item(head_item("u", old)) == old
    assert run_from_item(job_item(OLD)) == OLD
    assert [item["SK"] for item in video_item("u", old, good_video(0, first_segment=120)).all] == ["SEG#000120"]
    assert video_item("u", old, bad_video(7)).head["SK"] == "BAD#000007"
    assert failure_item(OLD, SegmentFailure(12, 0, {}))["SK"] == "FAIL#000012"


def test_an_epoch_keeps_the_keys_that_it_began_with() -> None:
    finished: dict[str, Document] = {
        "finished_epoch": 2,
        "finished_plan_digest": "p",
        "finished_segments": 3,
        "finished_keys": keys_document(2, 2),
    }
    item = job_item(RUN) | finished
    assert run_from_item(item).keys == 2
    assert (before := finished_run_from_item(item)) is not None
    assert (before.epoch, before.keys) == (2, 2)
    # The release before knows no keys: it begins and finishes epochs beside what says so of others.
    later = item | {"epoch": 4, "finished_epoch": 4}
    assert run_from_item(later).keys == 1
    assert (after := finished_run_from_item(later)) is not None
    assert (after.epoch, after.keys) == (4, 1)


def test_keys_of_a_later_release_are_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        run_from_item(job_item(RUN) | {"keys": {"epoch": 3, "version": 9}})
    with pytest.raises(ValueError, match="version 9"):
        head_from_item(head_item("u", plan_head([])) | {"keys": 9})
