"""Offers of the package's own table, for when no price can be read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from types import MappingProxyType
from typing import get_args

from videojob.planning.cost.annotated_csv import read_table
from videojob.planning.cost.instance_types import Arch, InstanceType
from videojob.planning.cost.offers import Offer, OfferTable
from videojob.planning.cost.price import Precision, Price, PriceSource
from videojob.planning.cost.region_factors import UNCHANGED, Factors, RegionFactor, refuse_other_currencies

USUAL_SPOT_SHARE = Decimal("0.34")
"""Of the on-demand price, where not one type of the table has a spot price: the median of AWS' types in 2025-05."""
_NO_FACTORS: Factors = MappingProxyType({})
_GB, _GIB = 10**9, 2**30
_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class _Row:
    """Of the table: a type, its price on demand, and of its spot prices the average, least and most."""

    type: InstanceType
    on_demand: Decimal
    spot: tuple[Decimal, Decimal, Decimal] | None


def static_offers(text: str, region: str, factors: Factors = _NO_FACTORS) -> OfferTable:
    """Both offers of each type, without zones. In another region than the table's, prices are scaled and say so.

    Args:
        text: of the table.
        region: for which offers are wanted.
        factors: how its prices relate to those of the table's region.

    Raises:
        ValueError: the text is not such a table.
        PricesUnavailable: the region is not billed in US dollars.
    """
    refuse_other_currencies(region)
    table = read_table(text)
    rows = [_row(cells) for cells in table.rows]
    home = table.fact("region")
    factor = UNCHANGED if region == home else factors.get(region, UNCHANGED)
    as_of = (table.day_s("on demand as of"), table.day_s("spot as of"))
    shares = _family_shares(rows)
    offers = [offer for row in rows for offer in _offers(row, factor, as_of, shares, is_scaled=region != home)]
    days = f"on demand of {table.fact('on demand as of')}, spot of {table.fact('spot as of')} (indicative)"
    notices = [f"Prices come from the project's static table: {days}."]
    if region != home:
        notices.append(_scaling(home, region, factor, is_known=region in factors))
    return OfferTable(
        region, tuple(sorted(offers, key=_order)), tuple(notices), {row.type.name: row.type for row in rows}
    )


def _scaling(home: str, region: str, factor: RegionFactor, *, is_known: bool) -> str:
    if not is_known:
        return f"The table has no figure for {region}: prices of {home} stand for it as they are."
    return f"Prices of {home} are scaled to {region} by {factor.cpu}, those with a GPU by {factor.gpu}."


def _row(cells: Mapping[str, str]) -> _Row:
    arch = next((one for one in get_args(Arch) if one == cells["arch"]), None)
    if arch is None:
        raise ValueError(f"{cells['instance_type']}: unknown architecture {cells['arch']!r}")
    kind = InstanceType(
        name=cells["instance_type"],
        arch=arch,
        vcpus=int(cells["vcpu"]),
        memory_mib=int(cells["memory_mib"]),
        allocatable_millicpu=int(cells["allocatable_cpu"].removesuffix("m")),
        allocatable_memory_mib=int(cells["allocatable_memory"].removesuffix("Mi")),
        gpus=int(cells["gpu_count"]),
        gpu=cells["gpu_name"],
        gpu_memory_mib=int(cells["gpu_memory_mib"]),
        local_nvme_gib=int(cells["local_nvme_gb"]) * _GB // _GIB,
        interruption_band=cells["interrupted_per_month"],
    )
    spot = None
    if cells["spot_usd_per_hour"]:
        average = _usd(cells, "spot_usd_per_hour")
        least = min(average, _usd(cells, "spot_min_usd_per_hour"))
        spot = (average, least, max(average, _usd(cells, "spot_max_usd_per_hour")))
    return _Row(kind, _usd(cells, "on_demand_usd_per_hour"), spot)


def _usd(cells: Mapping[str, str], column: str) -> Decimal:
    found = Decimal(cells[column])
    if not (found.is_finite() and found > 0):
        raise ValueError(f"{cells['instance_type']}: {column} is {cells[column]}, and must be more than 0")
    return found


_Shares = Mapping[str, tuple[Decimal, Decimal, Decimal]]
"""By family, and under "" for all: median, least and most of spot / on demand."""


def _family_shares(rows: Sequence[_Row]) -> _Shares:
    known = [(row.type.family, row.spot[0] / row.on_demand) for row in rows if row.spot]
    families = {family for family, _ in known}
    shares = {family: _spread(share for one, share in known if one == family) for family in families}
    return {**shares, "": _spread(share for _, share in known) if known else (USUAL_SPOT_SHARE,) * 3}


def _spread(shares: Iterable[Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    found = list(shares)
    return median(found), min(found), max(found)


def _offers(
    row: _Row, factor: RegionFactor, as_of: tuple[int, int], shares: _Shares, *, is_scaled: bool
) -> list[Offer]:
    times = factor.gpu if row.type.gpu else factor.cpu
    elsewhere = Precision.OTHER_REGION if is_scaled else None
    on_demand = Price(_round(row.on_demand * times), PriceSource.STATIC, as_of[0], elsewhere or Precision.THIS_ZONE)
    if row.spot:
        usd, precision = row.spot, elsewhere or Precision.OTHER_ZONE
    else:
        median_share, least, most = shares.get(row.type.family, shares[""])
        usd = (row.on_demand * median_share, row.on_demand * least, row.on_demand * most)
        precision = Precision.FAMILY_SHARE
    average, low, high = (_round(one * times) for one in usd)
    spot = Price(average, PriceSource.STATIC, as_of[1], precision, low_usd_per_h=low, high_usd_per_h=high)
    return [Offer(row.type, "", "on-demand", on_demand), Offer(row.type, "", "spot", spot)]


def _round(usd: Decimal) -> Decimal:
    return usd.quantize(_PLACES).normalize()


def _order(offer: Offer) -> tuple[str, str, str]:
    return offer.type.name, offer.capacity_type, offer.zone
