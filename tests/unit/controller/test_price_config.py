"""What the configuration says of prices, and how mistakes are reported."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from videojob.controller.price_config import PricesModel, settings_of
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import Discount, Override


def read(values: dict[str, Any]) -> PricesModel:
    return PricesModel.model_validate(values, by_alias=True, by_name=False)


def test_all_values() -> None:
    made = read(
        {
            "source": "karpenter",
            "metricsUrl": "http://karpenter.kube-system.svc:8080/metrics",
            "refreshSeconds": 60,
            "overrides": [{"instanceType": "g6.xlarge", "capacityType": "spot", "usdPerHour": "0.3"}],
            "discounts": [{"family": "g6", "percent": "27.5"}, {"percent": 3}],
            "small": {"natUsdPerGb": 0, "s3GetUsdPer1000": "0.0004", "lambdaX86UsdPerGbS": "0.0000166667"},
        }
    )
    settings = settings_of(made, "none", "us-east-1")
    assert settings.sources == (PriceSource.KARPENTER,)
    assert (settings.region, settings.refresh_s) == ("us-east-1", 60)
    assert settings.overrides == (Override("g6.xlarge", Decimal("0.3"), "spot"),)
    assert settings.discounts == (Discount(Decimal("0.275"), "g6"), Discount(Decimal("0.03")))
    assert settings.small == {
        "nat_usd_per_gb": Decimal(0),
        "s3_get_usd_per_1000": Decimal("0.0004"),
        "lambda_x86_usd_per_gb_s": Decimal("0.0000166667"),
    }


def test_nothing_need_be_said() -> None:
    settings = settings_of(read({}), "none", "")
    assert (settings.sources, settings.overrides, settings.discounts) == ((), (), ())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"source": "guess"}, "Input should be 'auto', 'karpenter', 'aws' or 'static'"),
        ({"metricsUrl": "file:///etc/passwd"}, "String should match pattern"),
        ({"refreshSeconds": 1}, "greater than or equal to 30"),
        ({"overrides": [{"instanceType": "g6.xlarge", "usdPerHour": "0"}]}, "a price is more than 0"),
        ({"overrides": [{"instanceType": "g6.xlarge", "usdPerHour": "3 CNY"}]}, "prices are in USD, without a sign"),
        ({"overrides": [{"instanceType": "g6.xlarge", "usdPerHour": "-1"}]}, "'-1' is not a number such as"),
        ({"overrides": [{"instanceType": "g6.xlarge", "usdPerHour": "NaN"}]}, "'NaN' is not a number such as"),
        ({"overrides": [{"instanceType": "g6.xlarge", "usdPerHour": 0.3}]}, "0.3 is not a number such as"),
        ({"overrides": [{"instanceType": "g6", "usdPerHour": "1"}]}, "String should match pattern"),
        ({"discounts": [{"percent": "100"}]}, "a discount is less than 100 percent"),
        ({"small": {"tea": "1"}}, "there is no small price tea; there are autoModeShareOfOnDemand, controlPlane"),
    ],
)
def test_mistakes_are_told(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(values)
