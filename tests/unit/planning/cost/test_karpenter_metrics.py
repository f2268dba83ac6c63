"""Karpenter's metrics page becomes offers; pages that are none, and figures that only stand for some."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.price_sources import exposition, quote
from videojob.errors import PricesUnavailable
from videojob.planning.cost.karpenter_metrics import AVAILABLE, PRICE, parse_karpenter

A, B = "us-east-1a", "us-east-1b"
PAGE = exposition(
    {
        ("g6.xlarge", "on-demand", A): "0.8048",
        ("g6.xlarge", "spot", A): "0.3512",
        ("g6.xlarge", "spot", B): "0.3397",
        ("g6.xlarge", "reserved", A): "0",
    },
    {("g6.xlarge", "on-demand", A): "1", ("g6.xlarge", "spot", A): "0", ("g6.xlarge", "reserved", A): "0"},
)


def one_price(value: str, zone: str = A) -> str:
    return exposition({("g6.xlarge", "on-demand", zone): value}, {})


def test_each_offering_has_its_price_and_whether_there_is_capacity() -> None:
    found = parse_karpenter(PAGE, "us-east-1")
    assert found.quotes == (
        quote("g6.xlarge", "on-demand", A, "0.8048", available=True),
        quote("g6.xlarge", "spot", A, "0.3512", available=False),
        quote("g6.xlarge", "spot", B, "0.3397"),
    )
    assert sorted(found.covers) == ["on-demand", "spot"]
    assert found.notices == ()


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "+Inf", "805.0"])
def test_nonsense_is_passed_on_to_be_judged_where_all_sources_are(value: str) -> None:
    (found,) = parse_karpenter(one_price(value), "us-east-1").quotes
    assert str(found.usd_per_h) == str(Decimal(repr(float(value))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the metrics page is empty"),
        ("<!doctype html><html><body>Login</body></html>", "the address answers with HTML or JSON, not with metrics"),
        ('{"error": "not found"}', "HTML or JSON"),
        ("401 Unauthorized", "the address answers with '401 unauthorized', not with metrics"),
        ("# HELP up Up.\n# TYPE up gauge\nup 1\n", "of a replica that does not lead"),
        (f'{PRICE}{{capacity_type="spot"', "Karpenter's metrics page is broken"),
        (f'{PRICE}{{capacity_type="spot",instance_type="a",zone="b"}} cheap\n', "Karpenter's metrics page is broken"),
        (exposition({}, {("g6.xlarge", "spot", A): "1"}), "Karpenter's metrics have no prices"),
        (exposition({("g6.xlarge", "reserved", A): "0"}, {}), "Karpenter's metrics have no prices"),
        (f"{AVAILABLE} 1\n{PRICE} 1\n", "Karpenter's metrics have no prices"),
        (one_price("0.8", "us-west-2a"), "are about us-west-2a, and this cluster is in us-east-1"),
    ],
)
def test_what_is_no_page_of_offers(text: str, message: str) -> None:
    with pytest.raises(PricesUnavailable, match=message) as caught:
        parse_karpenter(text, "us-east-1")
    assert caught.value.retryable


def test_a_region_that_is_billed_in_yuan_is_refused() -> None:
    with pytest.raises(PricesUnavailable, match="CNY, and only prices in USD can be compared") as caught:
        parse_karpenter(one_price("5.2", "cn-north-1a"), "cn-north-1")
    assert not caught.value.retryable


def test_before_the_first_refresh_spot_is_not_what_the_page_says() -> None:
    page = exposition(
        {
            ("g6.xlarge", "on-demand", A): "0.8",
            ("g6.xlarge", "spot", A): "0.8",
            ("c7i.large", "on-demand", A): "0.1",
            ("c7i.large", "spot", A): "0.1",
        },
        {},
    )
    found = parse_karpenter(page, "us-east-1")
    assert {one.key.capacity_type for one in found.quotes} == {"on-demand"}
    assert sorted(found.covers) == ["on-demand"]
    assert found.notices == ("Karpenter has not read spot prices yet: it shows those on demand.",)


def test_one_type_whose_spot_price_equals_on_demand_is_no_sign_of_that() -> None:
    page = exposition(
        {
            ("g6.xlarge", "on-demand", A): "0.8",
            ("g6.xlarge", "spot", A): "0.8",
            ("c7i.large", "on-demand", A): "0.1",
            ("c7i.large", "spot", A): "0.04",
        },
        {},
    )
    assert len(parse_karpenter(page, "us-east-1").quotes) == 4


@pytest.mark.parametrize(
    ("region", "usd", "is_used"),
    [("eu-central-1", "0.8", False), ("eu-central-1", "1.0", True), ("us-east-1", "0.8", True)],
)
def test_on_demand_prices_of_us_east_1_are_none_of_another_region(region: str, usd: str, is_used: bool) -> None:
    page = exposition({("g6.xlarge", "on-demand", f"{region}a"): usd, ("g6.xlarge", "spot", f"{region}a"): "0.4"}, {})
    found = parse_karpenter(page, region, {"g6.xlarge": Decimal("0.8")})
    assert ("on-demand" in {one.key.capacity_type for one in found.quotes}) == is_used
    assert bool(found.notices) != is_used


LABELS = st.sampled_from(
    ['capacity_type="spot"', 'instance_type="g6.xlarge"', 'zone="us-east-1a"', 'zone="', "}", "a=b", ""]
)
LINES = st.builds(
    lambda name, labels, value: f"{name}{{{','.join(labels)}}} {value}",
    st.sampled_from([PRICE, AVAILABLE, PRICE + "s", "up"]),
    st.lists(LABELS, max_size=4),
    st.sampled_from(["1", "0", "NaN", "-Inf", "1e400", "", "x", "1 2 3", "0x1p3", "1_000"]),
)


@given(st.lists(LINES | st.text(max_size=40), max_size=6))
def test_whatever_the_address_answers_nothing_but_prices_unavailable_is_raised(lines: list[str]) -> None:
    with suppress(PricesUnavailable):
        parse_karpenter("\n".join(lines), "us-east-1")
