"""Cutting: every presentation time lies in exactly one segment, whatever the cut points."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.video_values import video_info
from videojob.video.info import Segment, VideoInfo
from videojob.video.segments import cut

videos = st.builds(
    lambda start, cuts, duration_ms, base: video_info(
        start_pts=start,
        time_base=base,
        duration_ms=duration_ms,
        cut_pts=tuple(sorted(start + offset for offset in cuts)),
    ),
    start=st.integers(-(10**7), 10**7),
    cuts=st.sets(st.integers(1, 10**8), max_size=60),
    duration_ms=st.integers(0, 10**8),
    base=st.sampled_from([Fraction(1, 1000), Fraction(1, 90_000), Fraction(1001, 30_000)]),
)


@settings(deadline=None)
@given(st.lists(videos, max_size=4), st.integers(1, 120_000), st.lists(st.integers(-(10**9), 10**9), max_size=20))
def test_every_time_lies_in_exactly_one_segment(infos: list[VideoInfo], target_ms: int, times: list[int]) -> None:
    segments = cut(infos, target_ms)
    for video, info in enumerate(infos):
        own = [segment for segment in segments if segment.video == video]
        for pts in (*times, info.start_pts, *info.cut_pts):
            assert sum(segment.contains(pts) for segment in own) == 1


@settings(deadline=None)
@given(st.lists(videos, max_size=4), st.integers(1, 120_000))
def test_segments_join_and_count_through_the_job(infos: list[VideoInfo], target_ms: int) -> None:
    segments = cut(infos, target_ms)
    assert [segment.index for segment in segments] == list(range(len(segments)))
    assert [segment.video for segment in segments] == sorted(segment.video for segment in segments)
    for video, info in enumerate(infos):
        own = [segment for segment in segments if segment.video == video]
        assert own[0].start_pts is None
        assert own[-1].end_pts is None
        for left, right in pairwise(own):
            assert left.end_pts == right.start_pts
            assert left.end_pts in info.cut_pts


@settings(deadline=None)
@given(st.integers(1, 4 * 3600), st.integers(1, 10), st.integers(0, 999))
def test_segments_last_20_to_60_seconds_where_keyframes_allow(duration_s: int, distance_s: int, offset_ms: int) -> None:
    duration_ms = duration_s * 1000
    cuts = tuple(range(distance_s * 1000 + offset_ms, duration_ms, distance_s * 1000))
    segments = cut([video_info(duration_ms=duration_ms, cut_pts=cuts)])
    lengths = [(segment.end_pts or duration_ms) - (segment.start_pts or 0) for segment in segments]
    assert max(lengths) <= 60_000
    if duration_ms >= 20_000:
        assert min(lengths) >= 20_000


def test_a_video_with_one_keyframe_is_one_segment() -> None:
    assert cut([video_info(cut_pts=())]) == (Segment(0, 0, None, None),)


def test_rare_keyframes_make_long_segments() -> None:
    segments = cut([video_info(duration_ms=600_000, cut_pts=(200_000, 400_000))])
    assert [(s.start_pts, s.end_pts) for s in segments] == [(None, 200_000), (200_000, 400_000), (400_000, None)]


def test_a_video_of_unknown_length_is_cut_wherever_it_can_be() -> None:
    segments = cut([video_info(duration_ms=0, cut_pts=(30_000, 60_000))])
    assert [segment.end_pts for segment in segments] == [30_000, 60_000, None]


def test_no_videos_make_no_segments() -> None:
    assert cut([]) == ()


def test_a_segment_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a length"):
        cut([video_info()], target_ms=0)
