"""The values that describe a video."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.video_values import video_info
from videojob.video.info import video_info_from_dict
from videojob.video.rates import short_rate


@settings(deadline=None)
@given(
    st.integers(-(10**12), 10**12),
    st.integers(-(10**6), 10**6),
    st.fractions(Fraction(1, 10**7), Fraction(2), max_denominator=10**7),
)
def test_times_are_rounded_half_up(pts: int, start: int, base: Fraction) -> None:
    info = video_info(start_pts=start, time_base=base)
    assert info.time_ms(pts) == floor((pts - start) * base * 1000 + Fraction(1, 2))


@pytest.mark.parametrize("rate", [None, Fraction(30000, 1001)])
def test_a_probed_video_survives_json(rate: Fraction | None) -> None:
    info = video_info(frame_rate=rate, sample_aspect=Fraction(4, 3), cut_pts=(1, 2, 3), start_pts=-5)
    assert video_info_from_dict(info.as_dict()) == info


def test_a_rate_of_0_that_an_earlier_release_stored_is_no_rate() -> None:
    assert video_info_from_dict(video_info(frame_rate=Fraction(0)).as_dict()).frame_rate is None


@pytest.mark.parametrize("name", ["time_base", "sample_aspect", "frame_rate", "coded_aspect"])
@pytest.mark.parametrize("value", ["0/5", "1/0", "-1/25", "nan", ""])
def test_what_would_later_divide_by_0_is_not_read(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        video_info_from_dict(video_info().as_dict() | {name: value})


@settings(deadline=None)
@given(st.fractions(Fraction(1, 10**12), Fraction(10**6), max_denominator=10**12).filter(bool))
def test_a_short_rate_is_near_the_rate_and_never_0(rate: Fraction) -> None:
    short = short_rate(rate)
    assert short is not None
    assert abs(short - rate) <= rate / 1000


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(25), Fraction(1, 1001), Fraction(1, 86400)])
def test_a_rate_of_a_simple_interval_stays_as_it_is(rate: Fraction) -> None:
    assert short_rate(rate) == rate


@pytest.mark.parametrize("rate", [Fraction(0), Fraction(-25)])
def test_no_rate_is_none(rate: Fraction) -> None:
    assert short_rate(rate) is None


def test_a_mirrored_video_survives_json_and_a_plan_of_the_release_before_is_read() -> None:
    info = video_info(is_mirrored=True, coded_aspect=Fraction(16, 11))
    assert video_info_from_dict(info.as_dict()) == info
    old = {name: value for name, value in info.as_dict().items() if name not in {"is_mirrored", "coded_aspect"}}
    assert video_info_from_dict(old) == video_info()


@pytest.mark.parametrize(
    ("rotation_deg", "size"), [(0, (960, 360)), (90, (360, 960)), (180, (960, 360)), (270, (360, 960))]
)
def test_the_display_size_is_upright_with_square_pixels(rotation_deg: int, size: tuple[int, int]) -> None:
    assert video_info(rotation_deg=rotation_deg, sample_aspect=Fraction(3, 2)).display_size == size
