"""What is known of one source over time: its last good figures with their age, and why it fails. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import Price, PriceSource
from videojob.planning.cost.price_settings import KEEP_S
from videojob.planning.cost.readings import OfferKey, PriceReading
from videojob.planning.installation import CapacityType

ABSURD = Decimal(100)
"""A price so many times above or below the last good one is none. What EC2 asks for a type never moves that far, while
a wrong unit (cents, millionths) does."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source.

    Attributes:
        source: which.
        read_s: when it answered last, in seconds since the epoch; None for never.
        failure: why its last answer could not be read or used, a clause; "" when it could.
        failing_since_s: since when; 0 when it does not fail.
        known: its good prices, those that its last answer refuted with their earlier value and age.
        listed: offers that its last answer named, with a good figure or not, and whether it saw capacity there.
        covers: capacity types that its last answer was about.
        rejected: why figures of its last answer are no prices, a clause each.
        notices: of its last answer.
    """

    source: PriceSource
    read_s: float | None = None
    failure: str = ""
    failing_since_s: float = 0.0
    known: Mapping[OfferKey, Price] = field(default_factory=dict)
    listed: Mapping[OfferKey, bool | None] = field(default_factory=dict)
    covers: frozenset[CapacityType] = frozenset()
    rejected: Mapping[OfferKey, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def age_s(self, now_s: float) -> float:
        """Seconds since it answered; infinite when it never did."""
        return float("inf") if self.read_s is None else now_s - self.read_s


def failed(state: SourceState, why: str, now_s: float) -> SourceState:
    """The source did not answer, or not with prices: what is known of it stays as it is."""
    return replace(state, failure=why, failing_since_s=state.failing_since_s or now_s)


def succeeded(state: SourceState, reading: PriceReading, static: OfferTable, now_s: float) -> SourceState:
    """The source answered. Where a figure is no price, the last good one stays, with its age.

    An answer without one usable price is a failure.

    Args:
        state: until now.
        reading: the answer.
        static: the table to judge first figures by; offers of types that it does not know are left out.
        now_s: the time, in seconds since the epoch.
    """
    usual = {(one.type.name, one.capacity_type): one.price.usd_per_h for one in static.offers}
    quotes = [one for one in reading.quotes if one.key.type in static.types]
    rejected: dict[OfferKey, str] = {}
    for quote in quotes:
        last = state.known.get(quote.key)
        measure = last.usd_per_h if last else usual.get((quote.key.type, quote.key.capacity_type))
        if why := no_price(quote.usd_per_h, measure):
            rejected[quote.key] = why
    good = {one.key: Price(one.usd_per_h, reading.source, int(now_s)) for one in quotes if one.key not in rejected}
    if not good:
        return failed(state, _nothing_usable(rejected), now_s)
    kept = {
        key: price
        for key, price in state.known.items()
        if (key in rejected or key.capacity_type not in reading.covers) and price.age_s(now_s) < KEEP_S
    }
    return SourceState(
        reading.source,
        now_s,
        known={**kept, **good},
        listed={one.key: one.is_available for one in quotes},
        covers=reading.covers,
        rejected=rejected,
        notices=reading.notices,
    )


def _nothing_usable(rejected: Mapping[OfferKey, str]) -> str:
    if not rejected:
        return "no instance type in the answer is known"
    key, why = min(rejected.items())
    return f"none of its {len(rejected)} prices is one: that of {key} is rejected, because {why}"


def no_price(usd: Decimal, measure: Decimal | None) -> str:
    """Why a figure is no price; "" when it is one.

    Args:
        usd: the figure.
        measure: what it should be near; None when nothing tells.
    """
    if not usd.is_finite():
        return f"it is {usd}"
    if usd <= 0:
        return f"it is {usd.normalize():f}"
    if measure is not None and not measure / ABSURD < usd < measure * ABSURD:
        return f"it is {usd.normalize():f}, where {measure.normalize():f} is usual"
    return ""
