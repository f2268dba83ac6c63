"""What an installation says of prices. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from videojob.planning.cost.price import PriceSource
from videojob.planning.installation import CapacityType

RequestedSource = Literal["auto", "karpenter", "aws", "static"]
AWS_EVERY_S = 3600.0
"""How often AWS is asked: its on-demand prices change a few times a year, and the answer has a dozen pages."""
GRACE_S = 600.0
"""How long a source may miss its refresh before its figures are stale."""
KEEP_S = 7 * 24 * 3600.0
"""How long stale figures are better than the static table."""


@dataclass(frozen=True, slots=True)
class Override:
    """A price that stands in place of every source's.

    Attributes:
        instance_type: whose. capacity_type: for which; None for both.
        usd_per_h: more than 0; no discount applies to it.
    """

    instance_type: str
    usd_per_h: Decimal
    capacity_type: CapacityType | None = None


@dataclass(frozen=True, slots=True)
class Discount:
    """What is taken off prices, as for a Savings Plan.

    Attributes:
        share: of the price, at least 0 and less than 1.
        family: whose; "" for all that have no discount of their own.
        capacity_type: for which; None for both.
    """

    share: Decimal
    family: str = ""
    capacity_type: CapacityType | None = None


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """Where prices come from, and what is changed in them.

    Attributes:
        region: of the cluster, as in "us-east-1"; "" when nothing tells.
        sources: live ones in order of preference; the static table always comes last.
        metrics_url: of Karpenter's metrics page.
        overrides, discounts: see there. small: overrides of small prices by name.
        refresh_s: how often the metrics page is read.
    """

    region: str = ""
    sources: tuple[PriceSource, ...] = ()
    metrics_url: str = ""
    overrides: tuple[Override, ...] = ()
    discounts: tuple[Discount, ...] = ()
    small: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    refresh_s: float = 300.0

    def every_s(self, source: PriceSource) -> float:
        """How often that source is read."""
        return max(self.refresh_s, AWS_EVERY_S) if source is PriceSource.AWS else self.refresh_s

    def stale_after_s(self, source: PriceSource) -> float:
        """From what age on its figures are replaced by the next source's."""
        return self.every_s(source) + GRACE_S


def requested_sources(
    requested: RequestedSource, flavor: Literal["karpenter", "autoMode", "none"]
) -> tuple[PriceSource, ...]:
    """Live sources in order.

    EKS Auto Mode has no metrics with prices, and without any Karpenter nothing says that the cluster is in AWS.
    """
    automatic: Mapping[str, tuple[PriceSource, ...]] = {
        "karpenter": (PriceSource.KARPENTER, PriceSource.AWS),
        "autoMode": (PriceSource.AWS,),
        "none": (),
    }
    named: Mapping[str, tuple[PriceSource, ...]] = {
        "karpenter": (PriceSource.KARPENTER,),
        "aws": (PriceSource.AWS,),
        "static": (),
    }
    return automatic[flavor] if requested == "auto" else named[requested]
