"""The part of the configuration that is about prices."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.alias_generators import to_camel

from videojob.api.base import Items, Model
from videojob.planning.cost.price_settings import Discount, Override, PriceSettings, RequestedSource, requested_sources
from videojob.planning.cost.small_prices import SMALL_PRICE_NAMES
from videojob.planning.installation import CapacityType

_AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,12})?")
_PERCENT = 100


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not _AMOUNT.fullmatch(str(value)):
        raise ValueError(f'{value!r} is not a number such as "0.35"; prices are in USD, without a sign of the currency')
    return Decimal(value)


def _positive(value: Decimal) -> Decimal:
    if not value:
        raise ValueError("a price is more than 0")
    return value


def _below_all(value: Decimal) -> Decimal:
    if value >= _PERCENT:
        raise ValueError("a discount is less than 100 percent")
    return value


Amount = Annotated[Decimal, BeforeValidator(_number)]


class OverrideModel(Model):
    """A price that stands in place of every source's."""

    instance_type: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")]
    capacity_type: CapacityType | None = None
    usd_per_hour: Annotated[Amount, AfterValidator(_positive)]


class DiscountModel(Model):
    """What is taken off prices."""

    family: Annotated[str, Field(pattern=r"^[a-z0-9-]*$")] = ""
    capacity_type: CapacityType | None = None
    percent: Annotated[Amount, AfterValidator(_below_all)]


def _small_name(name: str) -> str:
    """From the chart's spelling, as in natUsdPerGb, to the table's."""
    known = {to_camel(one): one for one in SMALL_PRICE_NAMES}
    if name not in known:
        raise ValueError(f"there is no small price {name}; there are {', '.join(sorted(known))}")
    return known[name]


SmallPriceName = Annotated[str, AfterValidator(_small_name)]


class PricesModel(Model):
    """Where prices come from, and what is changed in them."""

    source: RequestedSource = "auto"
    metrics_url: Annotated[str, Field(pattern=r"^(https?://.+)?$")] = ""
    refresh_seconds: Annotated[int, Field(ge=30, le=3600)] = 300
    overrides: Items[OverrideModel] = ()
    discounts: Items[DiscountModel] = ()
    small: dict[SmallPriceName, Amount] = Field(default_factory=dict)


def settings_of(prices: PricesModel, flavor: Literal["karpenter", "autoMode", "none"], region: str) -> PriceSettings:
    """The values of a configuration that was checked.

    Args:
        prices: its part about them.
        flavor: what provisions nodes.
        region: of the cluster; "" when nothing tells.
    """
    return PriceSettings(
        region=region,
        sources=requested_sources(prices.source, flavor),
        metrics_url=prices.metrics_url,
        overrides=tuple(Override(one.instance_type, one.usd_per_hour, one.capacity_type) for one in prices.overrides),
        discounts=tuple(Discount(one.percent / _PERCENT, one.family, one.capacity_type) for one in prices.discounts),
        small=prices.small,
        refresh_s=float(prices.refresh_seconds),
    )
