"""Reads what a choice by price is made from, when a job's placement has to be chosen."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from videojob.api.videojob import VideoJob
from videojob.controller.fleet.demands import Demands
from videojob.controller.fleet.servers import ServerObserver
from videojob.controller.jobs.speeds import SpeedKeeper
from videojob.controller.prices import Prices
from videojob.errors import ClusterRefused
from videojob.kube.kinds import DEPLOYMENTS, NODE_POOLS
from videojob.kube.names import COMPONENT, MANAGED_BY, MANAGER, MODEL, model_label
from videojob.kube.read.objects import server_of
from videojob.kube.read.pools import pool_of
from videojob.planning.installation import Installation
from videojob.planning.placement.market import Market, NoMarket, RunningServer
from videojob.planning.placement.pools import Pool
from videojob.ports.clock import Clock
from videojob.ports.cluster import Cluster

_LOG = logging.getLogger(__name__)
_MOST_SERVERS = 16
"""Servers of one model that a job looks at: each combination of constraints that jobs ever asked for may have one."""


@dataclass(frozen=True, slots=True)
class MarketReader:
    """For all threads."""

    cluster: Cluster
    installation: Installation
    clock: Clock
    prices: Prices
    speeds: SpeedKeeper
    servers: ServerObserver
    demands: Demands

    def read(self, job: VideoJob) -> Market | NoMarket | None:
        """What is on offer to a job now; None where nothing provisions nodes, so that prices decide nothing.

        Raises:
            ClusterUnavailable: the API server does not answer.
        """
        flavor = self.installation.karpenter
        if flavor == "none":
            return None
        table, small = self.prices.table, self.prices.small
        if small is None or not table.offers:
            return NoMarket(f"there are no prices of region {table.region}")
        pools = self._pools()
        if isinstance(pools, NoMarket):
            _LOG.warning("a job is placed without prices", extra={"why": pools.why})
            return pools
        return Market(
            offers=table,
            small=small,
            speeds=self.speeds.speeds(),
            now_s=self.clock.now_s(),
            pools=pools,
            servers=tuple(self._running(job)),
            auto_mode=flavor == "autoMode",
        )

    def _pools(self) -> tuple[Pool, ...] | NoMarket:
        try:
            return tuple(pool_of(one) for one in self.cluster.list(NODE_POOLS))
        except ClusterRefused as error:
            return NoMarket(f"the NodePools cannot be read ({error.message})")
        except (KeyError, TypeError, ValueError) as error:
            return NoMarket(f"a NodePool cannot be understood ({type(error).__name__}: {error})")

    def _running(self, job: VideoJob) -> list[RunningServer]:
        own = job.metadata.namespace, job.metadata.name
        labels = f"{MANAGED_BY}={MANAGER},{COMPONENT}=server,{MODEL}={model_label(job.spec.model.name)}"
        found = []
        for outline in self.cluster.outlines(DEPLOYMENTS, self.installation.server_namespace, labels=labels):
            key = server_of({"metadata": outline.metadata})
            seen = None if key is None else self.servers.observe(key)
            if key is not None and seen is not None:
                jobs = sum(one != own for one in self.demands.jobs_of(key))
                found.append(RunningServer(key, seen, jobs))
            if len(found) == _MOST_SERVERS:
                break
        return found
