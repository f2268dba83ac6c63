"""The package's tables are there, whole, and what a person would expect of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from videojob.adapters.files import package_data
from videojob.planning.cost.price import Precision


def test_the_table_has_both_offers_of_each_type() -> None:
    table = package_data.offers("us-east-1")
    assert len(table.types) == 197
    assert {(one.type.name, one.capacity_type) for one in table.offers} == {
        (name, capacity_type) for name in table.types for capacity_type in ("spot", "on-demand")
    }


def test_figures_of_a_known_type() -> None:
    table = package_data.offers()
    prices = {one.capacity_type: one.price for one in table.offers if one.type.name == "g4dn.xlarge"}
    assert prices["on-demand"].usd_per_h == Decimal("0.526")
    assert Decimal("0.12") < prices["spot"].usd_per_h < Decimal("0.22")
    assert (table.types["g4dn.xlarge"].local_nvme_gib, table.types["c7i.large"].local_nvme_gib) == (116, 0)


def test_spot_is_always_cheaper_than_on_demand() -> None:
    offers = package_data.offers("us-east-1").offers
    on_demand = {one.type.name: one.price.usd_per_h for one in offers if one.capacity_type == "on-demand"}
    assert all(one.price.usd_per_h < on_demand[one.type.name] for one in offers if one.capacity_type == "spot")


@pytest.mark.parametrize(
    ("region", "usd"), [("us-west-2", "0.526"), ("eu-central-1", "0.6575"), ("sa-east-1", "0.8942")]
)
def test_other_regions_are_scaled(region: str, usd: str) -> None:
    table = package_data.offers(region)
    (found,) = [one for one in table.offers if (one.type.name, one.capacity_type) == ("g4dn.xlarge", "on-demand")]
    assert (found.price.usd_per_h, found.price.precision) == (Decimal(usd), Precision.OTHER_REGION)
    assert f"scaled to {region}" in table.notices[1]


def test_small_prices() -> None:
    found = package_data.small_prices("us-east-1")
    assert (found.zone_crossing_usd_per_gb, found.nat_usd_per_gb) == (Decimal("0.02"), Decimal("0.045"))
    assert package_data.small_prices("eu-central-1").nat_usd_per_gb == Decimal("0.045") * Decimal("1.195")
