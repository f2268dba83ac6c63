"""What a source of prices said, before anybody judged it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from videojob.planning.cost.price import PriceSource
from videojob.planning.installation import CapacityType


class OfferKey(NamedTuple):
    """Which offer: an instance type's name, a zone ("" where the source knows none) and a capacity type."""

    type: str
    zone: str
    capacity_type: CapacityType

    def __str__(self) -> str:
        place = f" in {self.zone}" if self.zone else ""
        return f"{self.type} {self.capacity_type}{place}"


@dataclass(frozen=True, slots=True)
class Quote:
    """One figure.

    Attributes:
        key: of which offer.
        usd_per_h: as stated, which may be no price at all: 0, negative, NaN or absurd.
        is_available: whether there is capacity; None when the source does not say.
    """

    key: OfferKey
    usd_per_h: Decimal
    is_available: bool | None = None


@dataclass(frozen=True, slots=True)
class PriceReading:
    """One answer of a source.

    Attributes:
        source: which.
        quotes: each key once.
        covers: capacity types that the answer is about; one that is missing was not read.
        notices: sentences for people, such as what could not be read.
    """

    source: PriceSource
    quotes: tuple[Quote, ...]
    covers: frozenset[CapacityType] = frozenset({"spot", "on-demand"})
    notices: tuple[str, ...] = ()
