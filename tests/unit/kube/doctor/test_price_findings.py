"""What doctor says of the sources of prices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from support.doctor import NOT_ALLOWED
from support.price_sources import a_static_table, quote
from videojob.kube.doctor.findings import NotRead
from videojob.kube.doctor.prices import price_findings
from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import Override, PriceSettings
from videojob.planning.cost.readings import PriceReading

KARPENTER, AWS = PriceSource.KARPENTER, PriceSource.AWS
STATIC = a_static_table()
QUOTES = (quote("g6.xlarge", "spot", "us-east-1a", "0.3"), quote("g6.xlarge", "on-demand", "us-east-1a", "0"))


@pytest.mark.parametrize(
    ("reading", "level", "seen", "advice"),
    [
        (PriceReading(KARPENTER, QUOTES), "ok", "0 on-demand, 1 spot prices", ""),
        (
            PriceReading(KARPENTER, QUOTES, notices=("Karpenter has not read spot prices yet.",)),
            "warning",
            "Karpenter has not read spot prices yet",
            "Others stand in for those. docs/guides/prices.md says what each source needs.",
        ),
        (
            "the address answers with HTML",
            "warning",
            "the address answers with HTML",
            "Prices come from the AWS price APIs instead. docs/guides/prices.md says what each source needs.",
        ),
        (
            NOT_ALLOWED,
            "not checked",
            "403 forbidden",
            "The controller's log and metrics show whether it can read them.",
        ),
    ],
)
def test_a_live_source(reading: PriceReading | NotRead | str, level: str, seen: str, advice: str) -> None:
    settings = PriceSettings("us-east-1", (KARPENTER, AWS))
    found = list(price_findings(settings, STATIC, {KARPENTER: reading, AWS: PriceReading(AWS, QUOTES)}))
    assert [one.check for one in found] == ["prices, Karpenter", "prices, AWS", "prices, static table"]
    assert (found[0].level, found[0].seen, found[0].advice) == (level, seen, advice)


def test_the_static_table_states_its_days() -> None:
    (found,) = price_findings(PriceSettings("us-east-1"), STATIC, {})
    assert (found.level, found.seen) == ("ok", "2 types, prices of 2025-05-28; no live source is set")


def test_a_region_without_prices() -> None:
    table = OfferTable("cn-north-1", (), ("There are no prices: AWS bills cn-north-1 in CNY.",))
    (found,) = price_findings(PriceSettings("cn-north-1"), table, {})
    assert (found.level, found.seen) == ("warning", "There are no prices: AWS bills cn-north-1 in CNY")


def test_an_override_of_a_type_that_does_not_exist() -> None:
    settings = PriceSettings(overrides=(Override("g6.xlrge", Decimal(1)),))
    found = list(price_findings(settings, STATIC, {}))[-1]
    assert (found.check, found.level) == ("prices.overrides", "warning")
    assert found.seen == "prices.overrides names g6.xlrge, which is no known instance type; g6.xlarge is one"
