"""Durations and decimals that travel as text."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from videojob.api.units import DecimalText, Duration


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("0s", 0),
        ("10s", 10_000),
        ("90m", 5_400_000),
        ("1h30m", 5_400_000),
        ("500ms", 500),
        ("1m500ms", 60_500),
        ("1h2m3s4ms", 3_723_004),
        ("720h", 2_592_000_000),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, milliseconds: int) -> None:
    assert Duration(text).ms == milliseconds
    assert Duration(text).seconds == Fraction(milliseconds, 1000)


@pytest.mark.parametrize(
    "text", ["", "s", "10", "10 s", "1s1m", "1.5s", "-1s", "+1s", "1d", "1S", "10s\n", "\uff110s", "9" * 33]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        Duration(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", Fraction(0)), ("0.1", Fraction(1, 10)), ("29.97", Fraction(2997, 100)), ("000.500000", Fraction(1, 2))],
)
def test_a_decimal_is_exact(text: str, value: Fraction) -> None:
    assert DecimalText(text).fraction == value
    assert DecimalText(text).decimal == Decimal(text)
    assert DecimalText(text).ppm == value * 1_000_000


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "-1", "+1", "1e3", "0x1", "1_0", "1,5", "NaN", "inf", " 1", "1\n", "0.1234567", "1" * 10]
)
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a decimal number"):
        DecimalText(text)


def test_both_stay_the_text_that_was_written() -> None:
    assert Duration("90m") == "90m"
    assert DecimalText("0.50") == "0.50"
