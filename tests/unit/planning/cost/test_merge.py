"""Which source each price comes from, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest

from support.price_sources import STATIC_NOTICE, STATIC_S, a_static_table, quote
from videojob.planning.cost.merge import merge
from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import Precision, PriceSource
from videojob.planning.cost.price_settings import Discount, Override, PriceSettings, RequestedSource, requested_sources
from videojob.planning.cost.readings import PriceReading, Quote
from videojob.planning.cost.source_state import SourceState, failed, succeeded
from videojob.planning.installation import CapacityType

STATIC = a_static_table()
SETTINGS = PriceSettings("us-east-1", (PriceSource.KARPENTER, PriceSource.AWS))
START_S = 1_800_000_000
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 24 * 3600
BOTH: frozenset[CapacityType] = frozenset({"spot", "on-demand"})
A, B = "us-east-1a", "us-east-1b"
GPU_ON_DEMAND = quote("g6.xlarge", "on-demand", A, "0.81", available=True)
GPU_SPOT_A = quote("g6.xlarge", "spot", A, "0.35", available=False)
GPU_SPOT_B = quote("g6.xlarge", "spot", B, "0.37", available=True)


def state(source: PriceSource, *answers: Sequence[Quote], covers: frozenset[CapacityType] = BOTH) -> SourceState:
    """After these answers, a minute apart."""
    made = SourceState(source)
    for at, quotes in enumerate(answers):
        made = succeeded(made, PriceReading(source, tuple(quotes), covers), STATIC, START_S + at * MINUTE_S)
    return made


def karpenter(*answers: Sequence[Quote], covers: frozenset[CapacityType] = BOTH) -> SourceState:
    return state(PriceSource.KARPENTER, *answers, covers=covers)


AWS = state(
    PriceSource.AWS,
    [
        quote("g6.xlarge", "on-demand", "", "0.82"),
        quote("g6.xlarge", "spot", A, "0.36"),
        quote("c7i.large", "on-demand", "", "0.09"),
        quote("c7i.large", "spot", A, "0.03"),
    ],
)


@dataclass(frozen=True)
class Shown:
    usd: str
    source: PriceSource
    precision: Precision = Precision.THIS_ZONE
    age_s: int = 0
    is_available: bool | None = None


def shown(table: OfferTable, now_s: int) -> dict[tuple[str, str, str], Shown]:
    return {
        (one.type.name, one.capacity_type, one.zone): Shown(
            f"{one.price.usd_per_h.normalize():f}",
            one.price.source,
            one.price.precision,
            one.price.age_s(now_s),
            one.is_available,
        )
        for one in table.offers
    }


def merged(
    *states: SourceState, after_s: int = 0, settings: PriceSettings = SETTINGS
) -> tuple[dict[tuple[str, str, str], Shown], tuple[str, ...]]:
    table = merge(STATIC, states, settings, START_S + after_s)
    return shown(table, START_S + after_s), table.notices


def test_without_a_live_source_there_is_the_static_table() -> None:
    found, notices = merged()
    age_s = START_S - STATIC_S
    assert found["g6.xlarge", "on-demand", ""] == Shown("0.8", PriceSource.STATIC, age_s=age_s)
    assert found["g6.xlarge", "spot", ""] == Shown("0.32", PriceSource.STATIC, Precision.OTHER_ZONE, age_s)
    assert (len(found), notices) == (4, (STATIC_NOTICE,))


def test_a_live_source_says_which_types_and_zones_there_are() -> None:
    found, notices = merged(karpenter([GPU_ON_DEMAND, GPU_SPOT_A, GPU_SPOT_B]), AWS)
    karpenters = {key: one for key, one in found.items() if key[0] == "g6.xlarge"}
    assert karpenters == {
        ("g6.xlarge", "on-demand", A): Shown("0.81", PriceSource.KARPENTER, is_available=True),
        ("g6.xlarge", "spot", A): Shown("0.35", PriceSource.KARPENTER, is_available=False),
        ("g6.xlarge", "spot", B): Shown("0.37", PriceSource.KARPENTER, is_available=True),
    }
    assert notices == ()
    assert "c7i.large" not in {key[0] for key in merged(karpenter([GPU_ON_DEMAND]))[0]}


def test_a_source_that_never_answered_is_named_with_what_stands_in() -> None:
    refused = failed(SourceState(PriceSource.KARPENTER), "the address answers with HTML.", START_S)
    found, notices = merged(refused, AWS)
    assert found["g6.xlarge", "on-demand", ""] == Shown("0.82", PriceSource.AWS)
    assert notices == (
        "Karpenter's metrics cannot be used: the address answers with HTML. Instead, prices come from AWS' price APIs.",
    )
    found, notices = merged(refused)
    assert found["g6.xlarge", "on-demand", ""].source is PriceSource.STATIC
    assert notices[0].endswith("Instead, prices come from the static table.")
    assert notices[1] == STATIC_NOTICE


@pytest.mark.parametrize(
    ("after_s", "source", "usd", "age_s", "notice"),
    [
        (5 * MINUTE_S, PriceSource.KARPENTER, "0.81", 300, "no answer. Figures that are 5 min old stay in use."),
        (20 * MINUTE_S, PriceSource.AWS, "0.82", 1200, "no answer. Instead, prices come from AWS' price APIs."),
        # Then AWS is stale, too: the preferred source's last good figures, for a week.
        (5 * HOUR_S, PriceSource.KARPENTER, "0.81", 18000, "no answer. Figures that are 5 h old stay in use."),
        (6 * DAY_S, PriceSource.KARPENTER, "0.81", 6 * DAY_S, "no answer. Figures that are 6 d old stay in use."),
        (8 * DAY_S, PriceSource.STATIC, "0.8", None, "no answer. Instead, prices come from the static table."),
    ],
)
def test_a_source_that_goes_stale(after_s: int, source: PriceSource, usd: str, age_s: int | None, notice: str) -> None:
    silent = failed(karpenter([GPU_ON_DEMAND]), "no answer", START_S + MINUTE_S)
    found, notices = merged(silent, AWS, after_s=after_s)
    (one,) = [one for key, one in found.items() if key[:2] == ("g6.xlarge", "on-demand")]
    assert (one.source, one.usd) == (source, usd)
    assert age_s is None or one.age_s == age_s
    assert notices[0] == f"Karpenter's metrics cannot be used: {notice}"


def test_a_source_that_was_not_read_for_long_is_stale_without_a_failure() -> None:
    _, notices = merged(karpenter([GPU_ON_DEMAND]), AWS, after_s=20 * MINUTE_S)
    assert notices == ("Karpenter's metrics are 20 min old; AWS' price APIs stand in.",)


NONSENSE = quote("g6.xlarge", "spot", A, "NaN", available=True)


@pytest.mark.parametrize(
    ("answers", "others", "expected"),
    [
        # Its own last good figure, with its age.
        ([[GPU_SPOT_A], [NONSENSE, GPU_SPOT_B]], [AWS], Shown("0.35", PriceSource.KARPENTER, age_s=60)),
        # The next source's figure of that zone.
        ([[GPU_SPOT_B], [NONSENSE, GPU_SPOT_B]], [AWS], Shown("0.36", PriceSource.AWS, age_s=60)),
        # Another zone's, where no other source is there.
        ([[GPU_SPOT_B], [NONSENSE, GPU_SPOT_B]], [], Shown("0.37", PriceSource.KARPENTER, Precision.OTHER_ZONE)),
        # The static table's, where no other zone is there either.
        (
            [[GPU_ON_DEMAND], [NONSENSE, GPU_ON_DEMAND]],
            [],
            Shown("0.32", PriceSource.STATIC, Precision.OTHER_ZONE, START_S + 60 - STATIC_S),
        ),
    ],
)
def test_one_figure_that_is_no_price(answers: list[list[Quote]], others: list[SourceState], expected: Shown) -> None:
    found, notices = merged(karpenter(*answers), *others, after_s=60)
    shown_there = found["g6.xlarge", "spot", A]
    assert shown_there == Shown(expected.usd, expected.source, expected.precision, expected.age_s, is_available=True)
    assert notices[0].startswith("Karpenter's metrics have no usable price of g6.xlarge spot in us-east-1a (it is NaN)")


def test_a_capacity_type_that_nobody_read_comes_from_the_static_table() -> None:
    half = karpenter([GPU_ON_DEMAND], covers=frozenset({"on-demand"}))
    found, notices = merged(half)
    assert found["g6.xlarge", "spot", ""].source is PriceSource.STATIC
    assert notices == (STATIC_NOTICE,)
    assert ("g6.xlarge", "spot", "") not in merged(karpenter([GPU_ON_DEMAND]))[0]
    assert merged(half, AWS)[0]["g6.xlarge", "spot", A].source is PriceSource.AWS


@pytest.mark.parametrize(
    ("discounts", "on_demand", "spot"),
    [
        ([Discount(Decimal("0.25"))], "0.6075", "0.2625"),
        ([Discount(Decimal("0.5"), "g6", "on-demand")], "0.405", "0.35"),
        ([Discount(Decimal("0.5"), "g5")], "0.81", "0.35"),
        ([Discount(Decimal("0.1"), "", "spot"), Discount(Decimal("0.5"), "g6")], "0.405", "0.175"),
        ([Discount(Decimal("0.1"), "g6"), Discount(Decimal("0.5"), "g6", "spot")], "0.729", "0.175"),
    ],
)
def test_discounts(discounts: list[Discount], on_demand: str, spot: str) -> None:
    settings = PriceSettings("us-east-1", discounts=tuple(discounts))
    found, _ = merged(karpenter([GPU_ON_DEMAND, GPU_SPOT_A]), settings=settings)
    assert found["g6.xlarge", "on-demand", A].usd == on_demand
    assert found["g6.xlarge", "spot", A].usd == spot


def test_a_discount_narrows_the_range_of_a_price_too() -> None:
    table = merge(a_static_table(), [], PriceSettings(discounts=(Discount(Decimal("0.5")),)), START_S)
    assert {one.price.low_usd_per_h for one in table.offers} == {None}


@pytest.mark.parametrize("discounts", [(), (Discount(Decimal("0.5")),)])
def test_an_override_is_final(discounts: tuple[Discount, ...]) -> None:
    overrides = (Override("g6.xlarge", Decimal("0.2"), "spot"), Override("c7i.large", Decimal("0.01")))
    settings = PriceSettings("us-east-1", overrides=overrides, discounts=discounts)
    found, notices = merged(karpenter([GPU_ON_DEMAND, GPU_SPOT_A, GPU_SPOT_B]), settings=settings)
    assert {key[2]: one.usd for key, one in found.items() if key[:2] == ("g6.xlarge", "spot")} == {A: "0.2", B: "0.2"}
    assert found["g6.xlarge", "spot", A] == Shown("0.2", PriceSource.OVERRIDE, is_available=False)
    assert found["c7i.large", "on-demand", ""] == Shown("0.01", PriceSource.OVERRIDE)
    assert notices == ()


@pytest.mark.parametrize(
    ("name", "notice"),
    [
        ("g6.xlrge", "prices.overrides names g6.xlrge, which is no known instance type; g6.xlarge is one."),
        ("mainframe", "prices.overrides names mainframe, which is no known instance type."),
    ],
)
def test_an_override_of_a_type_that_does_not_exist(name: str, notice: str) -> None:
    found, notices = merged(settings=PriceSettings(overrides=(Override(name, Decimal(1)),)))
    assert (len(found), notices[0]) == (4, notice)


@pytest.mark.parametrize(
    ("wanted", "flavor", "sources"),
    [
        ("auto", "karpenter", (PriceSource.KARPENTER, PriceSource.AWS)),
        ("auto", "autoMode", (PriceSource.AWS,)),
        ("auto", "none", ()),
        ("karpenter", "none", (PriceSource.KARPENTER,)),
        ("aws", "karpenter", (PriceSource.AWS,)),
        ("static", "karpenter", ()),
    ],
)
def test_which_sources_are_asked(wanted: RequestedSource, flavor: str, sources: tuple[PriceSource, ...]) -> None:
    assert requested_sources(wanted, flavor) == sources  # type: ignore[arg-type]
