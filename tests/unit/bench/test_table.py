"""The table's words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench.measure import Ratio
from bench.table import HEADINGS, Row, cells, markdown_table, number, text_table


def row(*, median: float = 1.5, aim: float | None = None, lower_is_better: bool = False, note: str = "") -> Row:
    ratio = Ratio(median, 1.25, 2.0, 4)
    return Row("ours / naive", "small", 60.0, 40.0, "frames/s", ratio, aim, lower_is_better, note)


@pytest.mark.parametrize(
    ("aim", "lower_is_better", "reached"),
    [(None, False, None), (1.5, False, True), (1.6, False, False), (1.5, True, True), (1.4, True, False)],
)
def test_an_aim_is_reached_from_its_own_side(aim: float | None, lower_is_better: bool, reached: bool | None) -> None:
    assert row(aim=aim, lower_is_better=lower_is_better).reached is reached


def test_a_row_says_both_sides_the_ratio_and_its_range() -> None:
    assert cells(row(aim=2.0, note="boxes equal")) == (
        "ours / naive",
        "small",
        "60.0",
        "40.0",
        "frames/s",
        "1.50",
        "1.25-2.00 (4)",
        ">= 2 NO",
        "boxes equal",
    )


@pytest.mark.parametrize(("others_share", "says_so"), [(0.0, False), (0.04, False), (0.05, True), (0.5, True)])
def test_a_row_says_when_the_machine_was_not_its_own(others_share: float, says_so: bool) -> None:
    note = cells(replace(row(note="boxes equal"), others_share=others_share))[-1]

    assert note.startswith("boxes equal")
    assert ("DISTURBED" in note) is says_so


@pytest.mark.parametrize(
    ("value", "words"), [(1234.4, "1,234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")]
)
def test_numbers_keep_three_digits(value: float, words: str) -> None:
    assert number(value) == words


def test_text_columns_are_aligned_under_their_headings() -> None:
    heading, rule, line = text_table([row()]).splitlines()

    assert heading.split()[0] == HEADINGS[0]
    assert len(rule.split()) == len(HEADINGS)
    assert line.index("small") == heading.index("clip")


def test_markdown_keeps_its_columns_when_a_note_has_a_bar() -> None:
    lines = markdown_table([row(note="a | b")]).splitlines()

    assert [line.count("|") for line in lines] == [len(HEADINGS) + 1] * 3
