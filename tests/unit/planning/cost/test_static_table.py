"""The package's table: what it says of a type, and how prices of other regions and missing spot prices are made."""

from __future__ import annotations

from decimal import Decimal

import pytest

from videojob.errors import PricesUnavailable
from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.price import Precision, PriceSource
from videojob.planning.cost.region_factors import parse_factors
from videojob.planning.cost.static_table import static_offers

COLUMNS = (
    "instance_type,arch,vcpu,memory_mib,gpu_count,gpu_name,gpu_memory_mib,allocatable_cpu,allocatable_memory,"
    "local_nvme_gb,network_mbps,on_demand_usd_per_hour,spot_usd_per_hour,spot_min_usd_per_hour,"
    "spot_max_usd_per_hour,interrupted_per_month"
)
CPU = "c7i.large,amd64,2,4096,0,,0,1930m,3114Mi,0,781,0.1,0.03,0.02,0.05,<5%"
CPU_WITHOUT_SPOT = "c7i.xlarge,amd64,4,8192,0,,0,3920m,6584Mi,0,1562,0.2,,,,"
GPU = "g6.xlarge,amd64,4,16384,1,l4,22888,3920m,14162Mi,250,2500,0.8,0.4,0.41,0.39,5-10%"
LONELY = "g6f.large,amd64,2,8192,0,l4,2861,1930m,7002Mi,0,1500,0.2,,,,"
ON_DEMAND_S, SPOT_S = 1_784_505_600, 1_748_390_400
FACTORS = parse_factors("# as of: 2025-05-28\nregion,factor,gpu_factor\neu-central-1,1.2,1.5\nap-south-2,0.7,\n")


def a_table(*rows: str, facts: str = "region: us-east-1|on demand as of: 2026-07-20|spot as of: 2025-05-28") -> str:
    return "\n".join([*(f"# {fact}" for fact in facts.split("|")), COLUMNS, *rows])


def offer(table: OfferTable, name: str, capacity_type: str) -> Offer:
    (found,) = [one for one in table.offers if (one.type.name, one.capacity_type) == (name, capacity_type)]
    return found


def test_a_row_becomes_a_type() -> None:
    found = static_offers(a_table(GPU), "us-east-1").types["g6.xlarge"]
    assert (found.arch, found.vcpus, found.memory_mib, found.family) == ("amd64", 4, 16384, "g6")
    assert (found.allocatable_millicpu, found.allocatable_memory_mib) == (3920, 14162)
    assert (found.gpus, found.gpu, found.gpu_memory_mib) == (1, "l4", 22888)
    assert (found.local_nvme_gib, found.interruption_band) == (232, "5-10%")


@pytest.mark.parametrize(
    ("region", "name", "capacity_type", "usd", "low", "high", "precision"),
    [
        ("us-east-1", "c7i.large", "on-demand", "0.1", None, None, Precision.THIS_ZONE),
        ("us-east-1", "c7i.large", "spot", "0.03", "0.02", "0.05", Precision.OTHER_ZONE),
        ("us-east-1", "c7i.xlarge", "spot", "0.06", "0.06", "0.06", Precision.FAMILY_SHARE),
        # No type of its family has a spot price: the median of all shares, 0.3 and 0.5.
        ("us-east-1", "g6f.large", "spot", "0.08", "0.06", "0.1", Precision.FAMILY_SHARE),
        # An average outside of least and most widens the range.
        ("us-east-1", "g6.xlarge", "spot", "0.4", "0.4", "0.4", Precision.OTHER_ZONE),
        ("eu-central-1", "c7i.large", "on-demand", "0.12", None, None, Precision.OTHER_REGION),
        ("eu-central-1", "c7i.large", "spot", "0.036", "0.024", "0.06", Precision.OTHER_REGION),
        ("eu-central-1", "g6.xlarge", "on-demand", "1.2", None, None, Precision.OTHER_REGION),
        ("eu-central-1", "c7i.xlarge", "spot", "0.072", "0.072", "0.072", Precision.FAMILY_SHARE),
        ("ap-south-2", "g6.xlarge", "on-demand", "0.56", None, None, Precision.OTHER_REGION),
        ("xx-moon-1", "c7i.large", "on-demand", "0.1", None, None, Precision.OTHER_REGION),
    ],
)
def test_prices(
    region: str, name: str, capacity_type: str, usd: str, low: str | None, high: str | None, precision: Precision
) -> None:
    table = static_offers(a_table(CPU, CPU_WITHOUT_SPOT, GPU, LONELY), region, FACTORS)
    found = offer(table, name, capacity_type)
    assert (found.zone, found.is_available, found.price.source) == ("", None, PriceSource.STATIC)
    assert found.price.usd_per_h == Decimal(usd)
    assert found.price.low_usd_per_h == (low and Decimal(low))
    assert found.price.high_usd_per_h == (high and Decimal(high))
    assert found.price.precision == precision
    assert found.price.as_of_s == (ON_DEMAND_S if capacity_type == "on-demand" else SPOT_S)


@pytest.mark.parametrize(
    ("region", "notice"),
    [
        ("us-east-1", None),
        ("eu-central-1", "Prices of us-east-1 are scaled to eu-central-1 by 1.2, those with a GPU by 1.5."),
        ("xx-moon-1", "The table has no figure for xx-moon-1: prices of us-east-1 stand for it as they are."),
    ],
)
def test_the_table_says_its_dates_and_how_it_was_scaled(region: str, notice: str | None) -> None:
    days = "Prices come from the project's static table: on demand of 2026-07-20, spot of 2025-05-28 (indicative)."
    assert static_offers(a_table(CPU), region, FACTORS).notices == (days, *([notice] if notice else []))


def test_without_any_spot_price_the_usual_share_stands_in() -> None:
    table = static_offers(a_table(CPU_WITHOUT_SPOT), "us-east-1")
    assert offer(table, "c7i.xlarge", "spot").price.usd_per_h == Decimal("0.068")


def test_offers_are_sorted_and_types_are_named() -> None:
    table = static_offers(a_table(GPU, CPU), "us-east-1")
    assert [(one.type.name, one.capacity_type) for one in table.offers] == [
        ("c7i.large", "on-demand"),
        ("c7i.large", "spot"),
        ("g6.xlarge", "on-demand"),
        ("g6.xlarge", "spot"),
    ]
    assert set(table.types) == {"g6.xlarge", "c7i.large"}


def test_a_region_that_is_billed_in_yuan_is_refused() -> None:
    with pytest.raises(PricesUnavailable, match="AWS bills cn-north-1 in CNY, and only prices in USD") as caught:
        static_offers(a_table(CPU), "cn-north-1")
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (a_table(CPU, facts="on demand as of: 2026-07-20|spot as of: 2025-05-28"), "does not state 'region'"),
        (a_table(CPU, facts="region: us-east-1|on demand as of: now|spot as of: 2025-05-28"), "Invalid isoformat"),
        (a_table(CPU.replace("amd64", "vax")), "c7i.large: unknown architecture 'vax'"),
        (a_table(CPU.replace(",0.1,", ",0,")), "on_demand_usd_per_hour is 0, and must be more than 0"),
        (a_table(CPU.replace(",0.03,", ",NaN,")), "spot_usd_per_hour is NaN"),
        (a_table(CPU.replace(",0.02,", ",-0.02,")), "spot_min_usd_per_hour is -0.02"),
        (a_table(CPU + ",1"), "row 'c7i.large' has another number of cells"),
        (a_table("c7i.large,amd64"), "row 'c7i.large' has another number of cells"),
    ],
)
def test_a_broken_table_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        static_offers(text, "us-east-1")
