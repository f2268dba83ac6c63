from __future__ import annotations

import json
from dataclasses import replace

import pytest

from support.results import job_description, planned, segment_result
from videojob.errors import InputCorrupt, ResultsIncomplete
from videojob.results.aggregate.segment_results import Gap, SegmentResult, TrackSpan
from videojob.results.aggregate.summary import (
    ClassSummary,
    FailedInput,
    FrameCounts,
    JobDescription,
    class_label,
    decimal_ppm,
    results_of,
    summarise,
)
from videojob.results.stored.summary_codec import decode_summary, encode_summary
from videojob.video.info import Segment

BOX = (100, 100, 200, 200)


def results(segments: tuple[Segment, ...] | None = None) -> list[SegmentResult]:
    return [segment_result(segment) for segment in (planned() if segments is None else segments)]


def failed(video: int) -> FailedInput:
    error = InputCorrupt("packet 7 cannot be decoded", uri=f"file:///videos/{video}.mp4", segment=4, time_ms=40_000)
    return FailedInput(video, f"file:///videos/{video}.mp4", error.as_dict())


def two_videos() -> tuple[JobDescription, list[SegmentResult]]:
    segments = planned(3) + planned(2, video=1, first_index=3)
    return job_description(segments, videos=2), results(segments)


def test_complete_job_is_completed_with_totals_per_video_and_job() -> None:
    job, found = two_videos()
    summary = summarise(job, found)
    assert (summary.state, summary.message) == ("Completed", "")
    assert summary.frames == FrameCounts(decoded=200, selected=100, gated=10, inferred=90)
    assert [video.frames.selected for video in summary.videos] == [60, 40]
    assert [video.entry.uri for video in summary.videos] == ["file:///videos/0.mp4", "file:///videos/1.mp4"]
    assert summary.classes == (
        ClassSummary(0, "face", 120, 80, 2, "0.900000", "0.900000", 40_000, 10, None),
        ClassSummary(1, "car", 30, 30, 1, "0.666667", "0.700000", 0, 0, None),
    )


def test_summary_does_not_depend_on_the_order_of_results() -> None:
    job, found = two_videos()
    assert encode_summary(summarise(job, reversed(found))) == encode_summary(summarise(job, found))


def test_presence_across_a_border_is_one_interval() -> None:
    left, right = planned(2)
    first, second = segment_result(left, windows=1), segment_result(right, windows=1)
    joined = replace(second, presence=(replace(second.presence[0], first_ms=first.presence[0].last_ms + 1500),))
    (video,) = summarise(job_description((left, right)), [first, joined]).videos
    assert [(span.first_ms, span.last_ms) for span in video.presence] == [(1000, 15_000)]
    assert video.classes[0].present_ms == 14_000


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_missing_segment_is_named(missing: int) -> None:
    found = [result for result in results() if result.segment != missing]
    with pytest.raises(ResultsIncomplete, match=f"1 of 3 segments are missing: {missing}") as caught:
        summarise(job_description(), found)
    assert caught.value.retryable


def test_many_missing_segments_are_named_as_ranges() -> None:
    found = [segment_result(segment) for segment in planned(40) if segment.index in {4, 9, 10}]
    with pytest.raises(ResultsIncomplete, match="37 of 40 segments are missing: 0-3, 5-8, 11-39"):
        summarise(job_description(planned(40)), found)


def test_very_scattered_gaps_are_cut_short() -> None:
    found = [segment_result(segment) for segment in planned(40) if segment.index % 2]
    with pytest.raises(ResultsIncomplete, match="0, 2, 4, 6, 8, 10, 12, 14 and 12 more ranges"):
        summarise(job_description(planned(40)), found)


def _repeat(found: list[SegmentResult]) -> list[SegmentResult]:
    return [*found, found[1]]


def _surplus(found: list[SegmentResult]) -> list[SegmentResult]:
    return [*found, replace(found[1], segment=7)]


def _shifted(found: list[SegmentResult]) -> list[SegmentResult]:
    return [found[0], replace(found[1], end_pts=1999), found[2]]


def _miscounted(found: list[SegmentResult]) -> list[SegmentResult]:
    return [found[0], replace(found[1], frames_selected=19), found[2]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_repeat, "stored twice"),
        (_surplus, "segments 7 were never planned"),
        (_shifted, r"stored range \[1000, 1999\) of video 0 is not the planned \[1000, 2000\) of video 0"),
        (_miscounted, "windows hold 20 frames, the segment 19"),
    ],
)
def test_results_that_contradict_the_plan_are_refused(spoil: object, message: str) -> None:
    assert callable(spoil)
    with pytest.raises(ResultsIncomplete, match=message) as caught:
        summarise(job_description(), spoil(results()))
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("at", "changed"),
    [
        (0, {"start_pts": 5}),
        (1, {"start_pts": 999}),
        (1, {"end_pts": 2001}),
        (1, {"start_pts": None}),
        (2, {"end_pts": 3000}),
    ],
)
def test_plan_that_does_not_cover_the_video_once_is_refused(at: int, changed: dict[str, int | None]) -> None:
    segments = list(planned())
    segments[at] = Segment(
        segments[at].index,
        0,
        changed.get("start_pts", segments[at].start_pts),
        changed.get("end_pts", segments[at].end_pts),
    )
    with pytest.raises(ResultsIncomplete, match="video 0 is not covered once"):
        summarise(job_description(tuple(segments)), results(tuple(segments)))


def test_gap_makes_it_partial_and_is_named() -> None:
    found = results()
    found[1] = replace(found[1], gaps=(Gap(20_100, 20_400, "InputCorrupt"),))
    summary = summarise(job_description(), found)
    assert (summary.state, summary.message) == ("PartiallyCompleted", "1 corrupt stretch was skipped")
    assert summary.videos[0].gaps == (Gap(20_100, 20_400, "InputCorrupt"),)


def _emptied(result: SegmentResult, gaps: tuple[Gap, ...] = ()) -> SegmentResult:
    return replace(
        result, frames_decoded=0, frames_selected=0, frames_gated=0, windows=(), presence=(), tracks=(), gaps=gaps
    )


def test_a_video_without_one_intact_picture_is_an_input_that_failed() -> None:
    job, found = two_videos()
    for number in (3, 4):
        gap = Gap(1000 * number, 1000 * number + 900, "a packet is damaged")
        found[number] = _emptied(found[number], (gap,))
    summary = summarise(job, found)
    assert (summary.state, summary.message) == ("PartiallyCompleted", "1 of 2 inputs failed")
    assert [video.video for video in summary.videos] == [0]
    (failure,) = summary.failed_inputs
    assert (failure.video, failure.error["reason"], failure.error["time_ms"]) == (1, "InputCorrupt", 3000)


def test_a_video_with_one_intact_picture_is_kept_beside_its_gaps() -> None:
    found = results()
    found[0] = replace(found[0], gaps=(Gap(0, 900, "a packet is damaged"),))
    found[1] = _emptied(found[1])
    assert not summarise(job_description(), found).failed_inputs


def test_bad_video_among_good_ones_makes_it_partial_whatever_it_left_behind() -> None:
    job, found = two_videos()
    job = replace(job, failed=(failed(1),))
    summary = summarise(job, found[:3])
    assert (summary.state, summary.message) == ("PartiallyCompleted", "1 of 2 inputs failed")
    assert [video.video for video in summary.videos] == [0]
    assert summary.failed_inputs[0].error["reason"] == "InputCorrupt"
    assert encode_summary(summarise(job, found[:4])) == encode_summary(summary)


def test_results_with_windows_leave_out_what_a_bad_video_left_behind() -> None:
    description, found = two_videos()
    summary = summarise(replace(description, failed=(failed(1),)), found)
    merged = results_of(summary, found)
    assert [video.video for video in merged.videos] == [0]
    assert merged.videos[0].frames_selected == summary.frames.selected


def test_job_without_one_good_input_failed() -> None:
    job = replace(job_description((), videos=2), failed=(failed(1), failed(0)))
    summary = summarise(job, [])
    assert (summary.state, summary.message) == ("Failed", "2 of 2 inputs failed")
    assert [entry.video for entry in summary.failed_inputs] == [0, 1]


def test_unique_counts_are_stitched_per_video_and_summed_over_the_job() -> None:
    job, found = two_videos()
    job = replace(job, settings=replace(job.settings, tracked=True))
    here, there = TrackSpan(1, 0, 0, 1000, BOX, BOX), TrackSpan(1, 0, 1040, 2000, BOX, BOX)
    tracks = [(here,), (there,), (), (here,), (there,)]
    found = [replace(result, tracks=one) for result, one in zip(found, tracks, strict=True)]
    summary = summarise(job, found)
    assert [[item.unique for item in video.classes] for video in summary.videos] == [[1, 0], [1, 0]]
    assert [item.unique for item in summary.classes] == [2, 0]


def test_tracks_are_stitched_with_the_memory_of_their_video() -> None:
    job, found = two_videos()
    # Sampled every 5 s: more than the presence gap, which is the memory where none is named.
    here, there = TrackSpan(1, 0, 0, 10_000, BOX, BOX), TrackSpan(1, 0, 15_000, 20_000, BOX, BOX)
    tracks = [(here,), (there,), (), (here,), (there,)]
    found = [replace(result, tracks=one) for result, one in zip(found, tracks, strict=True)]
    job = replace(job, settings=replace(job.settings, tracked=True), track_memory_ms=(10_000,))
    summary = summarise(job, found)
    assert [video.classes[0].unique for video in summary.videos] == [1, 2]
    assert b"memory" not in encode_summary(summary)


@pytest.mark.parametrize("tracked", [False, True])
def test_summary_survives_its_json(tracked: bool) -> None:
    job, found = two_videos()
    found[0] = replace(found[0], gaps=(Gap(0, 40, "InputCorrupt"),))
    job = replace(job, failed=(failed(1),), settings=replace(job.settings, tracked=tracked))
    summary = summarise(job, found)
    assert decode_summary(encode_summary(summary)) == summary
    assert encode_summary(decode_summary(encode_summary(summary))) == encode_summary(summary)


def test_summary_says_nothing_about_the_run() -> None:
    keys = json.loads(encode_summary(summarise(job_description(), results()))).keys()
    assert keys == {
        "schema", "job", "settings", "state", "message", "frames", "classes", "videos", "failed_inputs",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "message"), [("schema", "other", "cannot|can read"), ("state", "Done", "unknown state")]
)
def test_summary_of_another_kind_is_refused(field: str, value: str, message: str) -> None:
    document = json.loads(encode_summary(summarise(job_description(), results())))
    document[field] = value
    with pytest.raises(ValueError, match=message):
        decode_summary(json.dumps(document).encode())


@pytest.mark.parametrize(("class_id", "label"), [(0, "face"), (1, "class 1"), (-1, "class -1")])
def test_class_without_a_name_is_called_by_its_number(class_id: int, label: str) -> None:
    assert class_label(("face",), class_id) == label


@pytest.mark.parametrize(
    ("value_ppm", "text"), [(0, "0.000000"), (1, "0.000001"), (999_999, "0.999999"), (1_000_000, "1.000000")]
)
def test_parts_per_million_as_decimal_string(value_ppm: int, text: str) -> None:
    assert decimal_ppm(value_ppm) == text
