"""Offers of Karpenter's metrics page, as its AWS provider writes it. Pure.

The page has one price and one availability for each type, capacity type and zone. It states no time, and keeps the
price of an offering that is not available. Facts that the parser allows for: `reserved` shows 0 where there is none;
until the first refresh spot equals on demand; a region that Karpenter has no table of shows prices of us-east-1; China
is in CNY.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import get_args

from prometheus_client.parser import text_string_to_metric_families

from videojob.errors import PricesUnavailable
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.readings import OfferKey, PriceReading, Quote
from videojob.planning.cost.region_factors import HOME, refuse_other_currencies
from videojob.planning.installation import CapacityType

PRICE = "karpenter_cloudprovider_instance_type_offering_price_estimate"
AVAILABLE = "karpenter_cloudprovider_instance_type_offering_available"
_NO_PRICES: Mapping[str, Decimal] = MappingProxyType({})
_MOST = Decimal("0.9")
"""Share of types from which on a coincidence is none."""


def parse_karpenter(text: str, region: str, home: Mapping[str, Decimal] = _NO_PRICES) -> PriceReading:
    """The offers of a metrics page.

    Args:
        text: the page.
        region: of the cluster.
        home: on-demand prices of us-east-1 by type, which are no prices of another region.

    Raises:
        PricesUnavailable: the page is none, has no offers, or those of another region or currency.
    """
    refuse_other_currencies(region)
    lines = [line for line in text.splitlines() if line.startswith((PRICE, AVAILABLE))]
    if not lines:
        raise PricesUnavailable(_no_offers(text))
    prices = dict(_samples(lines, PRICE))
    if not prices:
        raise PricesUnavailable("Karpenter's metrics have no prices")
    _demand_region(prices, region)
    available = dict(_samples(lines, AVAILABLE))
    unread = _unread(prices, region, home)
    quotes = tuple(
        Quote(key, usd, None if (seen := available.get(key)) is None else seen > 0)
        for key, usd in sorted(prices.items())
        if key.capacity_type not in unread
    )
    covers = frozenset(get_args(CapacityType)) - set(unread)
    return PriceReading(PriceSource.KARPENTER, quotes, covers, tuple(unread.values()))


def _no_offers(text: str) -> str:
    start = text.lstrip()[:200].lower()
    if not start:
        return "the metrics page is empty"
    if start.startswith(("<", "{")):
        return "the address answers with HTML or JSON, not with metrics"
    if "# help" not in text.lower() and "# type" not in text.lower():
        return f"the address answers with {start.splitlines()[0][:60]!r}, not with metrics"
    return (
        "the metrics page has no offers: it is not that of Karpenter's AWS provider, or of a replica that does not lead"
    )


def _samples(lines: list[str], name: str) -> Iterator[tuple[OfferKey, Decimal]]:
    text = "".join(f"{line}\n" for line in lines if line.removeprefix(name).startswith("{"))
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError as error:
        raise PricesUnavailable(f"Karpenter's metrics page is broken: {error}") from error
    for sample in samples:
        capacity_type = next((one for one in get_args(CapacityType) if one == sample.labels.get("capacity_type")), None)
        kind, zone = sample.labels.get("instance_type"), sample.labels.get("zone", "")
        if capacity_type is not None and kind:
            # The shortest decimal of a float is what the page has.
            yield OfferKey(kind, zone, capacity_type), Decimal(repr(float(sample.value)))


def _demand_region(prices: Mapping[OfferKey, Decimal], region: str) -> None:
    zones = {key.zone for key in prices if key.zone}
    strange = sorted(zone for zone in zones if not zone.startswith(region))
    if strange and len(strange) == len(zones):
        raise PricesUnavailable(f"Karpenter's metrics are about {strange[0]}, and this cluster is in {region}")


def _unread(prices: Mapping[OfferKey, Decimal], region: str, home: Mapping[str, Decimal]) -> dict[CapacityType, str]:
    """Capacity types whose figures are only placeholders, and why."""
    on_demand = {key.type: usd for key, usd in prices.items() if key.capacity_type == "on-demand"}
    found: dict[CapacityType, str] = {}
    spot = [(usd, on_demand[key.type]) for key, usd in prices.items() if _is_spot_of(key, on_demand)]
    if spot and _share(usd == full for usd, full in spot) >= _MOST:
        found["spot"] = "Karpenter has not read spot prices yet: it shows those on demand."
    known = [(usd, home[kind]) for kind, usd in on_demand.items() if kind in home]
    if region != HOME and known and _share(usd == usual for usd, usual in known) >= _MOST:
        # Some regions do cost the same; there nothing is lost, as what stands in is the same table.
        found["on-demand"] = f"Karpenter shows on-demand prices of {HOME}, not of {region}."
    return found


def _is_spot_of(key: OfferKey, on_demand: Mapping[str, Decimal]) -> bool:
    return key.capacity_type == "spot" and key.type in on_demand


def _share(hits: Iterator[bool]) -> Decimal:
    found = list(hits)
    return Decimal(sum(found)) / len(found)
