"""A price, and how far it can be trusted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class PriceSource(StrEnum):
    """Where a price comes from."""

    OVERRIDE = "chart values"
    KARPENTER = "Karpenter's metrics"
    AWS = "AWS price APIs"
    STATIC = "static table"


class Precision(StrEnum):
    """What a price was made of, the best first."""

    THIS_ZONE = "this zone"
    OTHER_ZONE = "another zone"
    OTHER_REGION = "another region, scaled"
    FAMILY_SHARE = "the family's usual spot share"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for an hour of something.

    Attributes:
        usd_per_h: more than 0.
        source: where it comes from.
        as_of_s: when the source stated it, in seconds since the epoch, UTC.
        precision: what it was made of.
        low_usd_per_h, high_usd_per_h: between which the price lies; None when the source states one figure.
    """

    usd_per_h: Decimal
    source: PriceSource
    as_of_s: int
    precision: Precision = Precision.THIS_ZONE
    low_usd_per_h: Decimal | None = None
    high_usd_per_h: Decimal | None = None

    def age_s(self, now_s: float) -> int:
        """Whole seconds since the source stated it, at least 0."""
        return max(0, int(now_s) - self.as_of_s)
