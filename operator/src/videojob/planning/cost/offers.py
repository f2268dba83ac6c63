"""What is available: one table of offers, whatever its sources. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.cost.price import Price
from videojob.planning.installation import CapacityType


@dataclass(frozen=True, slots=True)
class Offer:
    """One instance type in one zone with one capacity type.

    Attributes:
        type: what it is. zone: its name; "" when the source does not tell zones apart.
        capacity_type: how it is paid for.
        price: of an hour, discounts included.
        is_available: whether its source last saw capacity; None when it does not say.
    """

    type: InstanceType
    zone: str
    capacity_type: CapacityType
    price: Price
    is_available: bool | None = None


@dataclass(frozen=True, slots=True)
class OfferTable:
    """Every offer of one region.

    Attributes:
        region: as in "us-east-1".
        offers: by type, capacity type and zone, in that order.
        notices: sentences for people, such as that a source failed and which one stands in for it.
        types: every type that is known, by name, those without an offer included.
    """

    region: str
    offers: tuple[Offer, ...]
    notices: tuple[str, ...] = ()
    types: Mapping[str, InstanceType] = field(default_factory=dict)


def on_demand_of(table: OfferTable) -> dict[str, Decimal]:
    """On-demand prices by type, in US dollars an hour."""
    return {one.type.name: one.price.usd_per_h for one in table.offers if one.capacity_type == "on-demand"}
