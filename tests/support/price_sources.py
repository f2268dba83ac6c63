"""What sources of prices answer, as recorded from them, and values of what was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.cost.karpenter_metrics import AVAILABLE, PRICE
from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.price import Precision, Price, PriceSource
from videojob.planning.cost.readings import OfferKey, Quote
from videojob.planning.installation import CapacityType

STATIC_NOTICE = "Prices come from the static table."
STATIC_S = 1_748_390_400
SPOT, ON_DEMAND = "spot", "on-demand"


def exposition(prices: Mapping[tuple[str, str, str], str], available: Mapping[tuple[str, str, str], str]) -> str:
    """A page of Karpenter's metrics; keys are type, capacity type and zone."""

    def lines(name: str, values: Mapping[tuple[str, str, str], str], meaning: str) -> list[str]:
        told = [
            f'{name}{{capacity_type="{paid}",instance_type="{kind}",zone="{zone}"}} {value}'
            for (kind, paid, zone), value in values.items()
        ]
        return [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", *told]

    return "\n".join(
        [
            "# HELP go_goroutines Number of goroutines that currently exist.",
            "# TYPE go_goroutines gauge",
            "go_goroutines 412",
            *lines(AVAILABLE, available, "Instance type offering availability, based on instance type, ..."),
            *lines(PRICE, prices, "Instance type offering estimated hourly price used when making ..."),
            "",
        ]
    )


def product(kind: str, usd: str, region: str = "us-east-1", currency: str = "USD", unit: str = "Hrs") -> str:
    """An entry of GetProducts' PriceList."""
    dimension = {"unit": unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": {currency: usd}}
    return json.dumps(
        {
            "product": {
                "productFamily": "Compute Instance",
                "attributes": {
                    "instanceType": kind,
                    "regionCode": region,
                    "operatingSystem": "Linux",
                    "tenancy": "Shared",
                    "preInstalledSw": "NA",
                    "capacitystatus": "Used",
                    "marketoption": "OnDemand",
                },
                "sku": f"SKU{kind}",
            },
            "serviceCode": "AmazonEC2",
            "terms": {"OnDemand": {f"SKU{kind}.JRTCKXETXF": {"priceDimensions": {f"SKU{kind}.6YS6EN2CT7": dimension}}}},
        }
    )


def spot_entry(kind: str, zone: str, usd: str, time: str, description: str = "Linux/UNIX") -> dict[str, Any]:
    """An entry of DescribeSpotPriceHistory."""
    return {
        "AvailabilityZone": zone,
        "InstanceType": kind,
        "ProductDescription": description,
        "SpotPrice": usd,
        "Timestamp": time,
    }


def a_type(name: str, gpu: str = "") -> InstanceType:
    """A small machine."""
    return InstanceType(name, "amd64", 4, 16384, 3920, 14162, gpus=1 if gpu else 0, gpu=gpu)


def a_static_table(region: str = "us-east-1") -> OfferTable:
    """Two types; spot at 0.4 of on demand."""
    types = {one.name: one for one in (a_type("c7i.large"), a_type("g6.xlarge", "l4"))}
    usd = {"c7i.large": Decimal("0.1"), "g6.xlarge": Decimal("0.8")}
    offers = tuple(
        Offer(
            types[name],
            "",
            paid,
            Price(usd[name] * share, PriceSource.STATIC, STATIC_S, precision),
        )
        for name in sorted(types)
        for paid, share, precision in _SHARES
    )
    return OfferTable(region, offers, (STATIC_NOTICE,), types)


_SHARES: tuple[tuple[CapacityType, Decimal, Precision], ...] = (
    ("on-demand", Decimal(1), Precision.THIS_ZONE),
    ("spot", Decimal("0.4"), Precision.OTHER_ZONE),
)


def quote(kind: str, paid: CapacityType, zone: str, usd: str, available: bool | None = None) -> Quote:
    """A figure of a source."""
    return Quote(OfferKey(kind, zone, paid), Decimal(usd), available)
