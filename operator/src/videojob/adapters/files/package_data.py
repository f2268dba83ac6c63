"""The tables that are part of the package."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from types import MappingProxyType

from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.region_factors import HOME, Factors, parse_factors
from videojob.planning.cost.small_prices import SmallPrices, parse_small_prices
from videojob.planning.cost.static_table import static_offers
from videojob.planning.throughput.catalogue import Catalogue
from videojob.planning.throughput.lookup import Speeds
from videojob.planning.throughput.seeds import Seeds, parse_seeds

_NO_OVERRIDES: Mapping[str, Decimal] = MappingProxyType({})


def package_text(name: str) -> str:
    """One of the tables of the folder data, by its file's name.

    Raises:
        OSError: there is none, which is an error of the build.
    """
    return resources.files("videojob").joinpath("data", name).read_text(encoding="utf-8")


def offers(region: str = HOME) -> OfferTable:
    """The static table's offers in a region, scaled from us-east-1 where it is another one.

    Raises:
        PricesUnavailable: the region is not billed in US dollars.
    """
    return static_offers(package_text(f"ec2-{HOME}.csv"), region, _factors())


def small_prices(region: str = HOME, overrides: Mapping[str, Decimal] = _NO_OVERRIDES) -> SmallPrices:
    """What disks, traffic, requests and the like cost in a region.

    Raises:
        PricesUnavailable: the region is not billed in US dollars.
        ValueError: an override has no such name.
    """
    return parse_small_prices(package_text(f"small-prices-{HOME}.csv"), region, _factors(), overrides)


@cache
def throughput_seeds() -> Seeds:
    """The speeds and start times that others published."""
    return parse_seeds(package_text("throughput.csv"), package_text("starts.csv"))


def published_speeds() -> Speeds:
    """The catalogue of speeds where nothing was measured yet."""
    return Catalogue(throughput_seeds())


def _factors() -> Factors:
    return parse_factors(package_text("region-factors.csv"))
