"""From an installation's settings to its prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from videojob.adapters.aws.prices import AwsPrices
from videojob.adapters.files import package_data
from videojob.adapters.prometheus.karpenter_prices import KarpenterPrices
from videojob.controller.prices import Prices
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.errors import PricesUnavailable
from videojob.planning.cost.offers import OfferTable, on_demand_of
from videojob.planning.cost.price import PriceSource
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.cost.region_factors import HOME
from videojob.ports.clock import Clock
from videojob.ports.prices import PriceReader


def prices_of(settings: PriceSettings, clock: Clock, metrics: ControllerMetrics | None = None) -> Prices:
    """The prices of an installation; nothing is read yet, and no mistake in them keeps a controller from its work."""
    static = static_table(settings.region)
    readers = readers_of(settings) if static.offers else ()
    small = package_data.small_prices(settings.region or HOME, settings.small) if static.offers else None
    return Prices(static, readers, settings, clock, small=small, metrics=metrics)


def static_table(region: str) -> OfferTable:
    """The static table's offers of a region: of us-east-1 for an unknown one, none for one without prices in USD."""
    if not region:
        table = package_data.offers(HOME)
        notice = f"No region is known (aws.region of the chart's values): prices are those of {HOME}."
        return replace(table, notices=(notice, *table.notices))
    try:
        return package_data.offers(region)
    except PricesUnavailable as error:
        return OfferTable(region, (), (f"There are no prices: {error.message}.",), package_data.offers(HOME).types)


def readers_of(settings: PriceSettings) -> tuple[PriceReader, ...]:
    """The live sources that the settings name, in their order.

    Raises:
        PricesUnavailable: the region is not billed in US dollars.
    """
    region = settings.region or HOME
    home = package_data.offers(HOME)
    made: dict[PriceSource, Callable[[], PriceReader]] = {
        PriceSource.KARPENTER: lambda: KarpenterPrices(settings.metrics_url, region, on_demand_of(home)),
        PriceSource.AWS: lambda: AwsPrices(region, home.types),
    }
    return tuple(made[source]() for source in settings.sources)
