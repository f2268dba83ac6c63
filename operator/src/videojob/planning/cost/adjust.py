"""Prices and discounts of the chart's values, put into a table of offers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from difflib import get_close_matches
from typing import get_args

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.cost.offers import Offer
from videojob.planning.cost.price import Price, PriceSource
from videojob.planning.cost.price_settings import Discount, Override, PriceSettings
from videojob.planning.installation import CapacityType


def adjusted(
    offers: Iterable[Offer], types: Mapping[str, InstanceType], settings: PriceSettings, now_s: float
) -> tuple[list[Offer], list[str]]:
    """The offers with discounts and overrides, and sentences about overrides that change nothing.

    An override of a type that no source offers is an offer of its own: somebody knows that it is available.
    """
    found = [replace(one, price=_discounted(one, settings.discounts)) for one in offers]
    notices: list[str] = []
    for override in settings.overrides:
        if override.instance_type not in types:
            notices.append(_unknown(override.instance_type, types))
            continue
        price = Price(override.usd_per_h, PriceSource.OVERRIDE, int(now_s))
        for capacity_type in _capacity_types(override):
            group = (override.instance_type, capacity_type)
            if not any(_group(one) == group for one in found):
                found.append(Offer(types[override.instance_type], "", capacity_type, price))
            found = [replace(one, price=price) if _group(one) == group else one for one in found]
    return found, notices


def nearest(name: str, types: Iterable[str]) -> str:
    """The known instance type whose name is most like that one; "" for none."""
    return next(iter(get_close_matches(name, sorted(types), n=1, cutoff=0.5)), "")


def _unknown(name: str, types: Mapping[str, InstanceType]) -> str:
    like = nearest(name, types)
    return f"prices.overrides names {name}, which is no known instance type{f'; {like} is one' if like else ''}."


def _group(offer: Offer) -> tuple[str, CapacityType]:
    return offer.type.name, offer.capacity_type


def _capacity_types(override: Override) -> Sequence[CapacityType]:
    return get_args(CapacityType) if override.capacity_type is None else (override.capacity_type,)


def _discounted(offer: Offer, discounts: Sequence[Discount]) -> Price:
    fitting = [
        one
        for one in discounts
        if one.family in {"", offer.type.family} and one.capacity_type in {None, offer.capacity_type}
    ]
    if not fitting:
        return offer.price
    # The family's own counts more than the capacity type's; of equals the first.
    most = max(fitting, key=lambda one: (one.family != "", one.capacity_type is not None))
    left, price = 1 - most.share, offer.price
    return replace(
        price,
        usd_per_h=price.usd_per_h * left,
        low_usd_per_h=_times(price.low_usd_per_h, left),
        high_usd_per_h=_times(price.high_usd_per_h, left),
    )


def _times(usd: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if usd is None else usd * factor
