"""Large runs: their rows, and what is left of a run that fails."""

from __future__ import annotations

import sys

import pytest
from bench.soak.launch import run
from bench.soak.table import HEADINGS, Row, Run, cells, markdown_table, text_table

ONE = Row("memory", 240.0, "MiB", limit=250.0)
WRITES = """import pathlib, sys
rows = pathlib.Path(sys.argv[2])
rows.write_text('{"name": "memory", "figure": 240.0, "unit": "MiB", "limit": 250.0}\\n')
"""


@pytest.mark.parametrize(
    ("figure", "limit", "at_least", "met"),
    [(1, None, False, None), (2, 2, False, True), (3, 2, False, False), (2, 2, True, True), (1, 2, True, False)],
)
def test_a_limit_holds_from_its_own_side(figure: float, limit: float | None, at_least: bool, met: bool | None) -> None:
    assert Row("memory", figure, "MiB", limit, at_least).met is met


def test_a_row_says_its_run_its_figure_and_its_limit() -> None:
    assert cells("control", ONE) == ("control", "memory", "240", "MiB", "<= 250", "yes", "")
    assert cells("control", Row("rate", 1.5, "1/s", 2, at_least=True)) == (
        "control",
        "rate",
        "1.5",
        "1/s",
        ">= 2",
        "NO",
        "",
    )


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit('the apiserver is missing')", "the apiserver is missing"),
        ("import os; os.kill(os.getpid(), 9)", "-9"),
    ],
    ids=["an error", "killed"],
)
def test_a_run_that_fails_keeps_the_rows_that_it_measured(code: str, words: str) -> None:
    made = run("control", child=child(WRITES + code))
    assert made.rows == (ONE,)
    assert words in made.failure
    assert not made.passed


def test_a_run_that_takes_too_long_is_ended_and_says_so() -> None:
    made = run("control", child=child("import threading; threading.Event().wait()"), limit_s=0.2)
    assert (made.rows, made.passed) == ((), False)
    assert "longer than 0 s" in made.failure


def test_a_row_that_was_cut_off_does_not_count() -> None:
    cut = "with rows.open('a') as more: more.write('{\"name\": \"cp')"
    assert run("control", child=child(WRITES + cut)) == Run("control", (ONE,))


def test_a_failed_run_has_a_line_and_the_others_theirs() -> None:
    runs = [Run("fold", (), "no Java\nit ended with code 1"), Run("control", (ONE,))]
    for table in (text_table(runs), markdown_table(runs)):
        assert "FAILED" in table
        assert "it ended with code 1" in table
        assert "240" in table
        assert all(one in table for one in HEADINGS)
    assert [one.passed for one in runs] == [False, True]
