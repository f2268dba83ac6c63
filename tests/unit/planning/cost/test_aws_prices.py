"""Answers of AWS' price APIs become offers."""

from __future__ import annotations

from typing import Any

import pytest

from support.price_sources import product, quote, spot_entry
from videojob.errors import PricesUnavailable
from videojob.planning.cost.aws_prices import parse_products, parse_spot


def test_on_demand_prices_of_all_pages() -> None:
    pages = [
        {"PriceList": [product("g6.xlarge", "0.8048000000"), product("g6.xlarge", "9", region="us-west-2")]},
        {"PriceList": [product("c7i.large", "0.0892500000"), product("c7i.xlarge", "1", unit="Quantity")]},
    ]
    assert parse_products(pages, "us-east-1") == (
        quote("c7i.large", "on-demand", "", "0.0892500000"),
        quote("g6.xlarge", "on-demand", "", "0.8048000000"),
    )


def test_of_two_entries_for_a_type_the_cheaper_one_counts() -> None:
    pages = [{"PriceList": [product("g6.xlarge", "0.9"), product("g6.xlarge", "0.8"), product("g6.xlarge", "1")]}]
    assert parse_products(pages, "us-east-1") == (quote("g6.xlarge", "on-demand", "", "0.8"),)


def test_an_entry_that_is_no_price_hides_none_that_is() -> None:
    pages = [{"PriceList": [product("g6.xlarge", "0.0000"), product("g6.xlarge", "x"), product("g6.xlarge", "0.8")]}]
    assert parse_products(pages, "us-east-1") == (quote("g6.xlarge", "on-demand", "", "0.8"),)


@pytest.mark.parametrize("document", ['{"product": 1}', '{"product": {"attributes": []}}', "{}", '{"terms": []}'])
def test_an_entry_of_another_shape_is_no_product(document: str) -> None:
    assert parse_products([{"PriceList": [document]}], "us-east-1") == ()


@pytest.mark.parametrize("usd", ["0.0000000000", "-1", "free"])
def test_nonsense_is_passed_on_to_be_judged_where_all_sources_are(usd: str) -> None:
    (found,) = parse_products([{"PriceList": [product("g6.xlarge", usd)]}], "us-east-1")
    assert not found.usd_per_h > 0 if found.usd_per_h.is_finite() else usd == "free"


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ({"PriceList": [product("g6.xlarge", "5.7", currency="CNY")]}, "is in CNY, and only prices in USD"),
        ({"PriceList": [product("g6.xlarge", "5.7", currency="EUR")]}, "is in EUR, and only prices in USD"),
        ({"PriceList": ["{"]}, "an entry of AWS' price list is no JSON"),
        ({"PriceList": ["[]"]}, "an entry of AWS' price list is no product"),
        ({"Message": "hello"}, "an answer of AWS' price APIs has no PriceList"),
    ],
)
def test_what_is_no_price_list(page: dict[str, Any], message: str) -> None:
    with pytest.raises(PricesUnavailable, match=message):
        parse_products([page], "us-east-1")


def test_the_newest_spot_price_of_each_zone_for_linux() -> None:
    pages: list[dict[str, Any]] = [
        {
            "SpotPriceHistory": [
                spot_entry("g6.xlarge", "us-east-1a", "0.35", "2026-11-30T07:00:00Z"),
                spot_entry("g6.xlarge", "us-east-1a", "0.31", "2026-11-29T07:00:00Z"),
                spot_entry("g6.xlarge", "us-east-1b", "0.52", "2026-11-30T07:00:00Z", "Windows"),
            ]
        },
        {"SpotPriceHistory": [spot_entry("g6.xlarge", "us-east-1c", "0.33", "2026-11-30T07:00:00Z"), {}, 1]},
    ]
    assert parse_spot(pages) == (
        quote("g6.xlarge", "spot", "us-east-1a", "0.35"),
        quote("g6.xlarge", "spot", "us-east-1c", "0.33"),
    )


def test_what_is_no_spot_history() -> None:
    with pytest.raises(PricesUnavailable, match="an answer of AWS' price APIs has no SpotPriceHistory"):
        parse_spot([{}])
