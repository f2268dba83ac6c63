"""What a plan costs, part by part. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from videojob.planning.cost.price import Price
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.placement.plan.surroundings import NodeExtras

_H, _MONTH_H = Decimal(3600), Decimal(730)
_FREE_IOPS, _FREE_MIBPS = 3000, 125
_GIGA = Decimal(10**9)


@dataclass(frozen=True, slots=True)
class Costs:
    """US dollars of a whole job by what they are paid for.

    Attributes:
        start: servers' nodes from the first billed second to the first answer. work: while they answer.
        tail: after that, until they are gone. decoding: nodes of workers. redo: work that spot interruptions undo.
        disk: volumes and addresses of all nodes. image: its way through a NAT gateway.
        crossing: frames between zones. writes: results. requests: reading the videos.
    """

    start: Decimal = Decimal(0)
    work: Decimal = Decimal(0)
    tail: Decimal = Decimal(0)
    decoding: Decimal = Decimal(0)
    redo: Decimal = Decimal(0)
    disk: Decimal = Decimal(0)
    image: Decimal = Decimal(0)
    crossing: Decimal = Decimal(0)
    writes: Decimal = Decimal(0)
    requests: Decimal = Decimal(0)

    @property
    def total(self) -> Decimal:
        """All of it."""
        nodes = self.start + self.work + self.tail + self.decoding + self.redo
        return nodes + self.disk + self.image + self.crossing + self.writes + self.requests


def node_usd(price: Price, seconds: float, nodes: int = 1) -> Decimal:
    """What nodes cost for some seconds; EC2 bills at least a minute of each."""
    return time_usd(price, max(60.0, seconds), nodes)


def time_usd(price: Price, seconds: float, nodes: int = 1) -> Decimal:
    """The share of some seconds in what nodes cost."""
    return price.usd_per_h * Decimal(seconds) * nodes / _H


def disk_usd(small: SmallPrices, extras: NodeExtras, seconds: float, nodes: int) -> Decimal:
    """Volumes and addresses of nodes for some seconds."""
    per_month = (
        small.disk_usd_per_gib_month * extras.disk_gib
        + small.disk_usd_per_iops_month * max(0, extras.disk_iops - _FREE_IOPS)
        + small.disk_usd_per_mibps_month * max(0, extras.disk_mibps - _FREE_MIBPS)
    )
    per_h = per_month / _MONTH_H + (small.public_ipv4_usd_per_h if extras.has_public_ip else 0)
    return per_h * Decimal(seconds) * nodes / _H


def image_usd(small: SmallPrices, extras: NodeExtras, pulls: int) -> Decimal:
    """The image's way to so many nodes."""
    if extras.image_route != "nat":
        return Decimal(0)
    return small.nat_usd_per_gb * Decimal(str(extras.image_gb)) * pulls


def crossing_usd(small: SmallPrices, sent_bytes: int) -> Decimal:
    """Bytes that go from one zone to another."""
    return small.zone_crossing_usd_per_gb * sent_bytes / _GIGA


def writes_usd(small: SmallPrices, units: int) -> Decimal:
    """Write units of DynamoDB on demand."""
    return small.dynamodb_write_usd_per_million * units / 1_000_000


def requests_usd(small: SmallPrices, count: int) -> Decimal:
    """GET requests to S3."""
    return small.s3_get_usd_per_1000 * count / 1000
