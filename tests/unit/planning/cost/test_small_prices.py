"""The small prices: by region, overridden, and what a table must have."""

from __future__ import annotations

from decimal import Decimal

import pytest

from videojob.errors import PricesUnavailable
from videojob.planning.cost.region_factors import parse_factors
from videojob.planning.cost.small_prices import SMALL_PRICE_NAMES, parse_small_prices

FACTORS = parse_factors("region,factor,gpu_factor\neu-central-1,1.2,1.5\n")
HEAD = "# region: us-east-1\n# as of: 2026-07-20\nitem,unit,usd,elsewhere,quality\n"


def a_table(*names: str, usd: str = "0.5", elsewhere: str = "scaled") -> str:
    return HEAD + "".join(f"{name},unit,{usd},{elsewhere},official\n" for name in names or SMALL_PRICE_NAMES)


@pytest.mark.parametrize(
    ("region", "elsewhere", "usd"),
    [
        ("us-east-1", "scaled", "0.5"),
        ("eu-central-1", "scaled", "0.6"),
        ("eu-central-1", "same", "0.5"),
        ("xx-moon-1", "scaled", "0.5"),
    ],
)
def test_what_differs_by_region_is_scaled(region: str, elsewhere: str, usd: str) -> None:
    found = parse_small_prices(a_table(elsewhere=elsewhere), region, FACTORS)
    assert found.nat_usd_per_gb == Decimal(usd)
    assert (found.region, found.is_scaled, found.as_of_s) == (region, region != "us-east-1", 1_784_505_600)


def test_an_override_stands_as_it_is() -> None:
    found = parse_small_prices(a_table(), "eu-central-1", FACTORS, {"nat_usd_per_gb": Decimal("0.01")})
    assert (found.nat_usd_per_gb, found.disk_usd_per_gib_month) == (Decimal("0.01"), Decimal("0.6"))


def test_names_are_those_of_prices() -> None:
    assert SMALL_PRICE_NAMES[0] == "control_plane_usd_per_h"
    assert not {"region", "as_of_s", "is_scaled"} & {*SMALL_PRICE_NAMES}


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (a_table(), {"tea": Decimal(1)}, "there is no small price 'tea'; there are control_plane_usd_per_h, "),
        (a_table("nat_usd_per_gb"), {}, "the table lacks control_plane_usd_per_h"),
        (a_table(usd="NaN"), {}, "control_plane_usd_per_h is NaN, and must be a number of at least 0"),
        (a_table(), {"nat_usd_per_gb": Decimal(-1)}, "nat_usd_per_gb is -1, and must be a number of at least 0"),
    ],
)
def test_what_is_refused(text: str, overrides: dict[str, Decimal], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_small_prices(text, "us-east-1", FACTORS, overrides)


def test_a_region_that_is_billed_in_yuan_is_refused() -> None:
    with pytest.raises(PricesUnavailable, match="CNY"):
        parse_small_prices(a_table(), "cn-northwest-1")
