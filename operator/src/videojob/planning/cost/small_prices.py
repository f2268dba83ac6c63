"""The small prices beside that of an instance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from types import MappingProxyType

from videojob.planning.cost.annotated_csv import read_table
from videojob.planning.cost.region_factors import UNCHANGED, Factors, refuse_other_currencies

_NO_FACTORS: Factors = MappingProxyType({})
_NO_OVERRIDES: Mapping[str, Decimal] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SmallPrices:
    """US dollars of one region, each by the unit in its name; a month has 730 hours.

    Attributes:
        region, as_of_s: where and when they held. is_scaled: whether they are another region's.
    """

    region: str
    as_of_s: int
    control_plane_usd_per_h: Decimal
    auto_mode_share_of_on_demand: Decimal
    disk_usd_per_gib_month: Decimal
    disk_usd_per_iops_month: Decimal
    disk_usd_per_mibps_month: Decimal
    nat_usd_per_gb: Decimal
    zone_crossing_usd_per_gb: Decimal
    """For a byte that is sent and received: both directions together."""
    public_ipv4_usd_per_h: Decimal
    s3_get_usd_per_1000: Decimal
    s3_put_usd_per_1000: Decimal
    dynamodb_write_usd_per_million: Decimal
    lambda_x86_usd_per_gb_s: Decimal
    lambda_arm_usd_per_gb_s: Decimal
    lambda_request_usd_per_million: Decimal
    sagemaker_share_of_on_demand: Decimal
    is_scaled: bool = False


SMALL_PRICE_NAMES = tuple(one.name for one in fields(SmallPrices) if one.type == "Decimal")
"""What each is called, also in the chart's values."""


def parse_small_prices(
    text: str, region: str, factors: Factors = _NO_FACTORS, overrides: Mapping[str, Decimal] = _NO_OVERRIDES
) -> SmallPrices:
    """The small prices of a region.

    Args:
        text: of the package's table.
        region: which region; prices of another one than the table's are scaled where AWS' differ by region.
        factors: how its prices relate to those of the table's region.
        overrides: prices that stand in place of the table's, by name.

    Raises:
        ValueError: the text is not such a table, or an override has another name or is negative.
        PricesUnavailable: the region is not billed in US dollars.
    """
    refuse_other_currencies(region)
    table = read_table(text)
    is_scaled = region != table.fact("region")
    factor = factors.get(region, UNCHANGED).cpu if is_scaled else Decimal(1)
    usd = {row["item"]: Decimal(row["usd"]) * (factor if row["elsewhere"] == "scaled" else 1) for row in table.rows}
    if unknown := sorted({*overrides, *usd} - {*SMALL_PRICE_NAMES}):
        raise ValueError(f"there is no small price {unknown[0]!r}; there are {', '.join(SMALL_PRICE_NAMES)}")
    if missing := [name for name in SMALL_PRICE_NAMES if name not in usd]:
        raise ValueError(f"the table lacks {missing[0]}")
    usd |= overrides
    for name, one in usd.items():
        if not (one.is_finite() and one >= 0):
            raise ValueError(f"{name} is {one}, and must be a number of at least 0")
    return SmallPrices(region=region, as_of_s=table.day_s("as of"), is_scaled=is_scaled, **usd)
