"""What a choice by price is made from, besides the job: offers, speeds, NodePools and servers that run. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.planning.cost.offers import OfferTable
from videojob.planning.cost.small_prices import SmallPrices
from videojob.planning.placement.pools import Pool
from videojob.planning.state.observed import ServerObserved
from videojob.planning.state.placement import ServerKey
from videojob.planning.throughput.lookup import Speeds


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server of the job's model that is there, or on its way.

    Attributes:
        key: which. seen: as it is.
        jobs: how many others ask for it.
    """

    key: ServerKey
    seen: ServerObserved
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class Market:
    """All that is on offer now.

    Attributes:
        offers: every offer of the region. small: small prices. speeds: the catalogue.
        pools: NodePools of the cluster.
        now_s: when it was read, in seconds since the epoch.
        servers: of the job's model.
        auto_mode: whether EKS Auto Mode provisions the nodes, at its fee.
    """

    offers: OfferTable
    small: SmallPrices
    speeds: Speeds
    now_s: float
    pools: tuple[Pool, ...] = ()
    servers: tuple[RunningServer, ...] = ()
    auto_mode: bool = False


@dataclass(frozen=True, slots=True)
class NoMarket:
    """Nothing can be compared in dollars; `why` is a clause for people, as in "NodePools cannot be read"."""

    why: str
