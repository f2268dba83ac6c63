"""Offers of what AWS' price APIs answer: GetProducts for on demand, DescribeSpotPriceHistory for spot. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from videojob.errors import PricesUnavailable
from videojob.planning.cost.readings import OfferKey, Quote

_HOURS = "hrs"
_LINUX = frozenset({"Linux/UNIX", "Linux/UNIX (Amazon VPC)"})
_NAN = Decimal("NaN")


def parse_products(pages: Iterable[Mapping[str, Any]], region: str) -> tuple[Quote, ...]:
    """On-demand prices of a region, one for each type.

    Args:
        pages: answers of GetProducts; each entry of `PriceList` is a JSON document.
        region: entries of other ones are left out.

    Raises:
        PricesUnavailable: an answer is none, or a price is not in US dollars.
    """
    found: dict[str, list[Decimal]] = {}
    for document in (one for page in pages for one in _list(page, "PriceList")):
        product = _product(document)
        attributes = _mapping(_mapping(product.get("product")).get("attributes"))
        kind = attributes.get("instanceType")
        if kind and attributes.get("regionCode") == region and attributes.get("capacitystatus", "Used") == "Used":
            found.setdefault(str(kind), []).extend(_hourly(product))
    return tuple(Quote(OfferKey(kind, "", "on-demand"), _usual(usd)) for kind, usd in sorted(found.items()) if usd)


def parse_spot(pages: Iterable[Mapping[str, Any]]) -> tuple[Quote, ...]:
    """The newest spot price of each type and zone.

    Args:
        pages: answers of DescribeSpotPriceHistory, as boto3 gives them.

    Raises:
        PricesUnavailable: an answer is none.
    """
    newest: dict[OfferKey, tuple[str, Decimal]] = {}
    for one in (entry for page in pages for entry in _list(page, "SpotPriceHistory")):
        described = _mapping(one)
        kind, zone = described.get("InstanceType"), described.get("AvailabilityZone")
        if not kind or not zone or described.get("ProductDescription", "Linux/UNIX") not in _LINUX:
            continue
        key, time = OfferKey(str(kind), str(zone), "spot"), str(described.get("Timestamp", ""))
        if key not in newest or time > newest[key][0]:
            newest[key] = (time, _decimal(described.get("SpotPrice")))
    return tuple(Quote(key, usd) for key, (_, usd) in sorted(newest.items()))


def _list(page: Mapping[str, Any], name: str) -> list[Any]:
    found = page.get(name)
    if not isinstance(found, list):
        raise PricesUnavailable(f"an answer of AWS' price APIs has no {name}")
    return found


def _product(document: object) -> Mapping[str, Any]:
    try:
        found = json.loads(document, parse_float=Decimal) if isinstance(document, str) else document
    except ValueError as error:
        raise PricesUnavailable(f"an entry of AWS' price list is no JSON: {error}") from error
    if not isinstance(found, Mapping):
        raise PricesUnavailable("an entry of AWS' price list is no product")
    return found


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _hourly(product: Mapping[str, Any]) -> Iterator[Decimal]:
    terms = _mapping(_mapping(product.get("terms")).get("OnDemand"))
    for one in (one for term in terms.values() for one in _mapping(_mapping(term).get("priceDimensions")).values()):
        dimension = _mapping(one)
        per_unit = _mapping(dimension.get("pricePerUnit"))
        if str(dimension.get("unit", "")).lower() != _HOURS:
            continue
        if "USD" not in per_unit:
            currencies = ", ".join(sorted(per_unit)) or "no currency"
            raise PricesUnavailable(
                f"AWS' price list is in {currencies}, and only prices in USD can be compared", retryable=False
            )
        yield _decimal(per_unit["USD"])


def _usual(usd: list[Decimal]) -> Decimal:
    """Of several entries for a type the cheapest that is a price: further terms are dearer special ones."""
    return min((one for one in usd if one.is_finite() and one > 0), default=usd[0])


def _decimal(value: object) -> Decimal:
    """A stated figure; NaN for what is none, which no check lets pass."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return _NAN
