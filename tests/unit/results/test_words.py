"""Numbers as the report says them, and where the time went."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.reports import run_facts
from videojob.results import words
from videojob.results.aggregate.segment_results import SegmentTimings
from videojob.results.report.spent import spent_of
from videojob.results.report.timeline import ticks
from videojob.results.run_facts import ServerFacts


@pytest.mark.parametrize(
    ("time_ms", "said"),
    [
        (0, "0 s"),
        (0.001, "<0.01 ms"),
        (3.4, "3.40 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (59_900, "59.9 s"),
        (59_960, "1 min"),
        (61_000, "1 min 1 s"),
        (3_599_900, "1 h"),
        (3_660_000, "1 h 1 min"),
        (400_000_000, "111 h 6 min"),
    ],
)
def test_durations(time_ms: float, said: str) -> None:
    assert words.duration(time_ms) == said


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "said"),
    [(0, 10_000, "0:00 to 0:10"), (0, 500, "0:00.0 to 0:00.5"), (3_600_000, 3_610_000, "1:00:00 to 1:00:10")],
)
def test_spans(start_ms: int, end_ms: int, said: str) -> None:
    assert words.span(start_ms, end_ms).replace(words.DASH, " to ") == said


@pytest.mark.parametrize(
    ("usd", "said"),
    [(0, "$0.00"), (1234.5, "$1,234.50"), (0.01, "$0.01"), (0.0041, "$0.0041"), (0.0000056, "$0.0000056")],
)
def test_money(usd: float, said: str) -> None:
    assert words.dollars(usd) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0, "0%"), (0.0001, "<0.1%"), (0.031, "3.1%"), (0.0999, "10%"), (0.926, "93%"), (1, "100%")]
)
def test_shares(share: float, said: str) -> None:
    assert words.percent(share) == said


def test_queries_of_addresses_are_left_out() -> None:
    text = "- http: {url: 'https://a.example/b.mp4?sig=1&x=2'}\n- http: {url: http://c.example/d.mp4}"
    assert (
        words.without_queries(text)
        == "- http: {url: 'https://a.example/b.mp4?…'}\n- http: {url: http://c.example/d.mp4}"
    )


@pytest.mark.parametrize("extent_ms", [1, 40, 900, 5_300, 60_000, 3_600_000, 86_400_000, 10**10])
def test_an_axis_has_few_round_marks(extent_ms: int) -> None:
    marks = ticks(extent_ms)
    assert 1 <= len(marks) <= 10
    assert marks[0].left == "0.00"
    assert float(marks[-1].left) < 100


def test_a_batchs_time_counts_once_as_work_and_wholly_on_a_frames_way() -> None:
    facts = run_facts(
        800,
        wall_s=10.0,
        model_instances=1,
        workers=1,
        timings=SegmentTimings(decode_s=2.0),
        statistics=ServerFacts(inferences=800, executions=100, requests=400, queue_s=20.0, compute_infer_s=36.0),
    )
    spent = spent_of(facts)
    assert spent is not None
    rows = {row.name: row for row in spent.rows}
    assert (rows["Compute"].busy, rows["Compute"].utilisation, rows["Compute"].way) == ("9 s", "90%", "90 ms")
    assert (rows["Queue"].busy, rows["Queue"].way) == (words.DASH, "50 ms")
    assert (rows["Decode"].share, rows["Decode"].utilisation) == ("18%", "20%")
    assert spent.verdict.startswith("Compute set the pace, busy 90% of the time; a smaller model")
    assert sum(float(row.busy_width) for row in spent.rows) == pytest.approx(100, abs=0.1)
    assert sum(float(row.way_width) for row in spent.rows) == pytest.approx(100, abs=0.1)


@pytest.mark.parametrize(
    ("decode_s", "said"), [(38.0, "Decode set the pace, busy 95%"), (4.0, "No stage was busy for more than 10%")]
)
def test_the_verdict_names_what_set_the_pace(decode_s: float, said: str) -> None:
    facts = run_facts(
        100,
        wall_s=10.0,
        workers=4,
        timings=SegmentTimings(decode_s=decode_s),
        statistics=ServerFacts(inferences=100),
    )
    spent = spent_of(facts)
    assert spent is not None
    assert spent.verdict.startswith(said)


def test_a_run_that_found_everything_done_has_no_times() -> None:
    assert spent_of(run_facts(0)) is None
    assert spent_of(replace(run_facts(10), wall_s=0.0)) is None
