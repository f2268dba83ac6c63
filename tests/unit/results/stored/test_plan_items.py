"""A stored plan: what it is made of, what is settled, and its items."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.plans import bad_video, good_video, plan_head, planned_job
from support.results import run_record
from support.segments import run_settings, video_info
from videojob.errors import InputCorrupt
from videojob.results.stored.items import join_items
from videojob.results.stored.plan_items import (
    failure_from_item,
    failure_item,
    head_from_item,
    head_item,
    model_from_item,
    model_item,
    video_from_item,
    video_item,
)
from videojob.results.stored.write_cost import item_bytes
from videojob.video.info import Sampling, Segment
from videojob.video.plan import (
    ModelFacts,
    PlannedSegments,
    SegmentFailure,
    first_failures,
    is_settled,
    planned_video_from_dict,
    sampled_frames,
)
from videojob.video.segments import cut

RUN = replace(run_record("team.uid"), epoch=2)


def failure(segment: int, video: int = 0, reason: str = "InputCorrupt") -> SegmentFailure:
    return SegmentFailure(segment, video, {"reason": reason})


def test_a_videos_segments_are_those_that_it_was_cut_into() -> None:
    info = video_info(duration_ms=120_000, cut_pts=(30_000, 60_000, 90_000))
    segments = cut([info], target_ms=30_000)
    cuts = tuple(segment.end_pts for segment in segments if segment.end_pts is not None)
    stored = replace(good_video(0), info=info, cuts=cuts)
    assert stored.segments == segments
    assert stored.segment_count == len(segments) == 4


def test_segments_count_through_the_whole_job() -> None:
    videos = planned_job(cuts=[1, None, 0, 2])
    segments = [segment for video in videos for segment in video.segments]
    assert [segment.index for segment in segments] == list(range(6))
    assert [segment.video for segment in segments] == [0, 0, 2, 3, 3, 3]
    assert (videos[1].segments, videos[1].segment_count) == ((), 0)


@pytest.mark.parametrize("video", [good_video(3, cuts=2, first_segment=7), bad_video(4)])
def test_a_video_comes_back_from_its_values(video: object) -> None:
    assert planned_video_from_dict(video.as_dict()) == video  # type: ignore[attr-defined]


def test_a_stored_video_does_not_carry_where_it_might_have_been_cut() -> None:
    video = good_video(0, cuts=1)
    assert video.info is not None
    probed = replace(video, info=replace(video.info, cut_pts=tuple(range(10_000))))
    assert probed.as_dict() == video.as_dict()


@pytest.mark.parametrize(
    ("sampling", "frames"),
    [
        (Sampling(), 1500),
        (Sampling(every_nth_frame=7), 215),
        (Sampling(frames_per_second=Fraction(1, 2)), 30),
        (Sampling(frames_per_second=Fraction(1, 1000)), 1),
        (Sampling(frames_per_second=Fraction(100)), 1500),
        (Sampling(keyframes_only=True), 3),
    ],
)
def test_frames_that_sampling_asks_for_are_estimated(sampling: Sampling, frames: int) -> None:
    info = video_info(cut_pts=(20_000, 40_000))
    assert sampled_frames(info, run_settings(sampling=sampling)) == frames


def test_a_video_of_unknown_length_counts_with_all_its_frames() -> None:
    info = video_info(duration_ms=0, frames_estimate=9)
    assert sampled_frames(info, run_settings(sampling=Sampling(frames_per_second=Fraction(1)))) == 9


def test_of_a_videos_failures_that_of_its_first_bad_segment_stands() -> None:
    found = first_failures([failure(5), failure(2), failure(9), failure(12, video=1)])
    assert {video: one.segment for video, one in found.items()} == {0: 2, 1: 12}


@pytest.mark.parametrize(
    ("committed", "stands"),
    [(set(), {0: 2, 1: 12}), ({2}, {0: 5, 1: 12}), ({2, 5, 9}, {1: 12}), ({0, 3, 13}, {0: 2, 1: 12})],
)
def test_a_commit_overrides_its_segments_failure(committed: set[int], stands: dict[int, int]) -> None:
    """A twin on a bad machine, or one that was late, says otherwise: the result is there."""
    found = first_failures([failure(5), failure(2), failure(9), failure(12, video=1)], committed)
    assert {video: one.segment for video, one in found.items()} == stands


def test_the_segments_of_many_videos_are_those_of_each() -> None:
    videos = planned_job([2, None, 0, 3])
    segments = PlannedSegments()
    for video in videos:
        segments.add(video)
    wanted = [segment for video in videos for segment in video.segments]
    assert list(segments) == list(segments) == wanted
    assert len(segments) == 8
    assert wanted[3] in segments
    assert Segment(8, 3, None, None) not in segments


@pytest.mark.parametrize(
    ("index", "video", "committed", "failed", "settled"),
    [
        (3, 0, {3}, [], True),
        (3, 0, {2, 4}, [], False),
        (3, 0, set(), [failure(3)], True),
        (3, 0, set(), [failure(1)], True),
        (3, 0, set(), [failure(4)], False),
        (3, 0, {3}, [failure(1)], True),
        (3, 0, set(), [failure(1, video=1)], False),
    ],
)
def test_a_segment_is_settled_when_nothing_is_left_to_do_for_it(
    index: int, video: int, committed: set[int], failed: list[SegmentFailure], *, settled: bool
) -> None:
    segment = Segment(index, video, None, None)
    assert is_settled(segment, frozenset(committed), first_failures(failed)) is settled


def test_a_head_comes_back_from_its_item() -> None:
    head = plan_head(planned_job(cuts=[0, 1, None]))
    assert head_from_item(head_item("team.uid", head)) == head
    refused = replace(head, error=InputCorrupt("damaged", segment=3).as_dict())
    assert head_from_item(head_item("team.uid", refused)) == refused


@given(st.lists(st.integers(0, 2**40), max_size=300, unique=True), st.integers(2000, 5000))
def test_a_video_comes_back_from_items_of_any_size(cuts: list[int], max_bytes: int) -> None:
    video = replace(good_video(1, first_segment=12), cuts=tuple(sorted(cuts)))
    spilled = video_item("team.uid", plan_head([]), video, max_bytes)
    (joined,) = join_items(sorted(spilled.all, key=lambda item: str(item["SK"])))
    assert video_from_item(joined) == video
    assert max(item_bytes(item) for item in spilled.all) <= max_bytes


def test_items_of_a_job_begin_with_its_own_key() -> None:
    # IAM policies tell tenants apart by the beginning of the partition key.
    written = [
        head_item("team.uid", plan_head([])),
        *video_item("team.uid", plan_head([]), good_video(0)).all,
        *video_item("team.uid", plan_head([]), bad_video(1)).all,
        failure_item(RUN, failure(3)),
        model_item(RUN, ModelFacts("m", "1", ())),
    ]
    assert {str(item["PK"]).split("#")[0] for item in written} == {"team.uid"}
    assert [item["SK"] for item in written] == [
        "PLAN#000001",
        "SEG#000000000",
        "BAD#000000001",
        "FAIL#000000003",
        "MODEL",
    ]


def test_a_failure_and_a_model_come_back_from_their_items() -> None:
    failed = SegmentFailure(7, 3, InputCorrupt("damaged", uri="s3://b/k", segment=7, time_ms=40).as_dict())
    assert failure_from_item(failure_item(RUN, failed)) == failed
    model = ModelFacts("face_detector", "3", ("face", "Gesicht ü"), "digest")
    assert model_from_item(model_item(RUN, model)) == model


def test_who_pays_for_reading_is_stored_only_where_it_is_the_reader() -> None:
    pays = replace(good_video(0), requester_pays=True)
    assert planned_video_from_dict(pays.as_dict()) == pays
    assert "requester_pays" not in good_video(0).as_dict()
