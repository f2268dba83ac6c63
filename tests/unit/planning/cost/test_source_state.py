"""What is kept of a source when it fails, contradicts itself or answers with nonsense."""

from __future__ import annotations

from decimal import Decimal

import pytest

from support.price_sources import a_static_table, quote
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.readings import OfferKey, PriceReading, Quote
from videojob.planning.cost.source_state import SourceState, failed, no_price, succeeded

STATIC = a_static_table()
START = SourceState(PriceSource.KARPENTER)
KEY = OfferKey("g6.xlarge", "us-east-1a", "on-demand")
SOUND = quote("c7i.large", "on-demand", "us-east-1a", "0.11")
DAY_S = 24 * 3600


def reading(*quotes: Quote, covers: frozenset[str] = frozenset({"spot", "on-demand"})) -> PriceReading:
    return PriceReading(PriceSource.KARPENTER, quotes, covers)  # type: ignore[arg-type]


def told(usd: str) -> PriceReading:
    return reading(quote("g6.xlarge", "on-demand", "us-east-1a", usd), SOUND)


@pytest.mark.parametrize(
    ("usd", "measure", "why"),
    [
        ("0.8", "0.8", ""),
        ("0.8", None, ""),
        ("79.9", "0.8", ""),
        ("0", "0.8", "it is 0"),
        ("-0.8", "0.8", "it is -0.8"),
        ("NaN", "0.8", "it is NaN"),
        ("Infinity", None, "it is Infinity"),
        ("800", "0.8", "it is 800, where 0.8 is usual"),
        ("0.0008", "0.8", "it is 0.0008, where 0.8 is usual"),
        ("80", "0.8", "it is 80, where 0.8 is usual"),
    ],
)
def test_which_figures_are_prices(usd: str, measure: str | None, why: str) -> None:
    assert no_price(Decimal(usd), None if measure is None else Decimal(measure)) == why


@pytest.mark.parametrize("nonsense", ["0", "-1", "NaN", "805"])
def test_the_last_good_figure_stays_with_its_age(nonsense: str) -> None:
    state = succeeded(succeeded(START, told("0.81"), STATIC, 1000), told(nonsense), STATIC, 1060)
    assert (state.known[KEY].usd_per_h, state.known[KEY].age_s(1060)) == (Decimal("0.81"), 60)
    assert state.known[SOUND.key].age_s(1060) == 0
    assert list(state.rejected) == [KEY]


@pytest.mark.parametrize("nonsense", ["0", "805"])
def test_a_first_figure_is_judged_by_the_static_table(nonsense: str) -> None:
    state = succeeded(START, told(nonsense), STATIC, 1000)
    assert (KEY in state.known, KEY in state.listed, KEY in state.rejected) == (False, True, True)


def test_after_a_week_the_last_good_figure_is_forgotten() -> None:
    state = succeeded(START, told("0.81"), STATIC, 1000)
    assert KEY in succeeded(state, told("0"), STATIC, 1000 + 6 * DAY_S).known
    assert KEY not in succeeded(state, told("0"), STATIC, 1000 + 8 * DAY_S).known


def test_an_offer_that_is_not_there_any_more_is_gone() -> None:
    state = succeeded(succeeded(START, told("0.81"), STATIC, 1000), reading(SOUND), STATIC, 1060)
    assert set(state.known) == {SOUND.key}


def test_what_was_not_read_this_time_stays() -> None:
    spot = quote("g6.xlarge", "spot", "us-east-1a", "0.4")
    state = succeeded(START, reading(spot, SOUND), STATIC, 1000)
    state = succeeded(state, reading(SOUND, covers=frozenset({"on-demand"})), STATIC, 1060)
    assert state.known[spot.key].age_s(1060) == 60


def test_a_failure_changes_nothing_of_what_is_known() -> None:
    good = succeeded(START, told("0.81"), STATIC, 1000)
    state = failed(failed(good, "no answer", 1060), "no answer", 1120)
    assert (state.known, state.read_s, state.failure, state.failing_since_s) == (good.known, 1000, "no answer", 1060)
    assert succeeded(state, told("0.8"), STATIC, 1180).failure == ""


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (reading(quote("g6.xlarge", "spot", "us-east-1a", "0")), "none of its 1 prices is one: that of g6.xlarge spot"),
        (reading(quote("x9.huge", "spot", "us-east-1a", "1")), "no instance type in the answer is known"),
        (reading(), "no instance type in the answer is known"),
    ],
)
def test_an_answer_without_one_price_is_a_failure(answer: PriceReading, failure: str) -> None:
    state = succeeded(START, answer, STATIC, 1000)
    assert state.failure.startswith(failure)
    assert (state.read_s, state.age_s(1000)) == (None, float("inf"))
