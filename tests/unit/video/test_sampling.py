"""Sampling: the grid belongs to the video, so cutting it does not change what is asked for."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.video_values import video_info
from videojob.video.info import Sampling, Segment, VideoInfo
from videojob.video.sampling import FrameSelector

WHOLE = Segment(0, 0, None, None)
rates = st.fractions(Fraction(1, 60), Fraction(60), max_denominator=1001)


def selected(
    sampling: Sampling, info: VideoInfo, times: list[int], segment: Segment = WHOLE, previous: int | None = None
) -> list[int]:
    selector = FrameSelector(sampling, info, segment, previous)
    return [pts for pts in times if segment.contains(pts) and selector.selects(pts)]


@settings(deadline=None)
@given(rates, st.lists(st.integers(1, 500), min_size=1, max_size=200), st.integers(-1000, 1000), st.data())
def test_the_grid_is_the_same_however_the_video_is_cut(
    rate: Fraction, steps: list[int], start: int, data: st.DataObject
) -> None:
    times = [start + sum(steps[:count]) for count in range(len(steps))]
    info = video_info(start_pts=start)
    sampling = Sampling(frames_per_second=rate)
    cuts = sorted(data.draw(st.sets(st.sampled_from(times[1:] or [start + 1]), max_size=5)))
    bounds: list[int | None] = [None, *cuts, None]
    pieces: list[int] = []
    for index, (first, last) in enumerate(pairwise(bounds)):
        previous = None if first is None else max((pts for pts in times if pts < first), default=None)
        pieces += selected(sampling, info, times, Segment(index, 0, first, last), previous)
    assert pieces == selected(sampling, info, times)


@settings(deadline=None)
@given(rates, st.lists(st.integers(1, 500), min_size=1, max_size=200))
def test_one_picture_per_cell_and_no_cell_with_pictures_left_out(rate: Fraction, steps: list[int]) -> None:
    times = [sum(steps[:count]) for count in range(len(steps))]
    info = video_info()
    cells = [int(pts * info.time_base * rate) for pts in selected(Sampling(frames_per_second=rate), info, times)]
    assert cells == sorted({int(pts * info.time_base * rate) for pts in times})


@pytest.mark.parametrize("frame_rate", [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(60)])
@pytest.mark.parametrize("rate", [Fraction(1), Fraction(5), Fraction(2, 3), Fraction(10)])
@pytest.mark.parametrize("base", [Fraction(1, 90_000), Fraction(1, 1000)])
def test_without_the_previous_time_the_nominal_interval_serves_at_a_constant_rate(
    base: Fraction, rate: Fraction, frame_rate: Fraction
) -> None:
    times = [round(number / frame_rate / base) for number in range(600)]
    info = video_info(time_base=base, frame_rate=frame_rate)
    sampling = Sampling(frames_per_second=rate)
    at = times[250]
    pieces = selected(sampling, info, times, Segment(0, 0, None, at))
    pieces += selected(sampling, info, times, Segment(1, 0, at, None))
    assert pieces == selected(sampling, info, times)


def test_every_nth_counts_from_the_segments_first_picture() -> None:
    times = list(range(0, 4000, 40))
    sampling = Sampling(every_nth_frame=3)
    assert selected(sampling, video_info(), times)[:3] == [0, 120, 240]
    assert selected(sampling, video_info(), times, Segment(1, 0, 1000, None))[:3] == [1000, 1120, 1240]


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(keyframes_only=True)])
def test_without_a_rate_every_decoded_picture_is_asked_for(sampling: Sampling) -> None:
    times = list(range(0, 400, 40))
    assert selected(sampling, video_info(), times) == times


def test_a_video_without_a_rate_starts_its_segments_with_a_picture() -> None:
    segment = Segment(1, 0, 1000, None)
    info = video_info(frame_rate=None)
    assert selected(Sampling(frames_per_second=Fraction(1)), info, [1040, 1080, 2000], segment) == [1040, 2000]


def test_times_that_go_back_begin_a_new_count() -> None:
    times = [*range(0, 3000, 40), *range(0, 3000, 40)]
    chosen = selected(Sampling(frames_per_second=Fraction(1)), video_info(time_base=Fraction(1, 1000)), times)
    assert chosen == [0, 1000, 2000, 0, 1000, 2000]
