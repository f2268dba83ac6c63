"""The values that describe a video."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.video_values import video_info
from videojob.planning.video import video_info_from_dict


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


@pytest.mark.parametrize(
    ("rotation_deg", "size"), [(0, (960, 360)), (90, (360, 960)), (180, (960, 360)), (270, (360, 960))]
)
def test_the_display_size_is_upright_with_square_pixels(rotation_deg: int, size: tuple[int, int]) -> None:
    assert video_info(rotation_deg=rotation_deg, sample_aspect=Fraction(3, 2)).display_size == size
