"""How prices of a region relate to those of us-east-1. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from videojob.errors import PricesUnavailable
from videojob.planning.cost.annotated_csv import read_table

HOME = "us-east-1"
"""The region whose prices the package has."""


@dataclass(frozen=True, slots=True)
class RegionFactor:
    """What one US dollar in us-east-1 is in a region: the medians over its types without and with a GPU."""

    cpu: Decimal
    gpu: Decimal


Factors = Mapping[str, RegionFactor]
UNCHANGED = RegionFactor(Decimal(1), Decimal(1))


def parse_factors(text: str) -> Factors:
    """By region. Where a region has no GPU type, its factor for all others stands for it.

    Raises:
        ValueError: the text is not such a table.
    """
    return {
        row["region"]: RegionFactor(Decimal(row["factor"]), Decimal(row["gpu_factor"] or row["factor"]))
        for row in read_table(text).rows
    }


def refuse_other_currencies(region: str) -> None:
    """Refuses regions that AWS does not bill in US dollars.

    Raises:
        PricesUnavailable: naming the currency.
    """
    if region.startswith("cn-"):
        raise PricesUnavailable(
            f"AWS bills {region} in CNY, and only prices in USD can be compared",
            hint="Only regions that AWS bills in USD have prices.",
            retryable=False,
        )
