"""The controller as a process: it waiting for the Lease, leads while it has it, and ends when it is asked to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from videojob.controller.jobs.stores import Stores
from videojob.controller.leading import Lead, LeadOptions, Outside
from videojob.controller.price_sources import prices_of
from videojob.controller.prices import Prices
from videojob.controller.runtime.canary import Canary
from videojob.controller.runtime.health import HealthServer
from videojob.controller.runtime.lease import Lease
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.controller.runtime.threads import Threads
from videojob.errors import ClusterError
from videojob.planning.cost.price_settings import PriceSettings
from videojob.planning.installation import Installation
from videojob.ports.clock import Clock
from videojob.ports.cluster import Cluster

_LOG = logging.getLogger(__name__)

_BEAT_S = 1.0
_NO_BEAT_S = 60.0
_SIDE_THREADS = 4


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """How one controller process runs.

    Attributes:
        identity: different from every other process's.
        port: of health and metrics.
        lease_s: see `Lease`.
        lead: how it leads.
    """

    identity: str
    port: int = 8080
    lease_s: float = 30.0
    lead: LeadOptions = field(default_factory=LeadOptions)


class Controller:
    """One controller process.

    Args:
        installation: of this installation.
        cluster: the API. side: the same with short patience, for the lease.
        stores: the results tables.
        clock: the time.
        metrics: its metrics.
        options: see there.
        prices: what capacity costs; None for the static table's of us-east-1.
    """

    def __init__(
        self,
        installation: Installation,
        cluster: Cluster,
        side: Cluster,
        stores: Stores,
        *,
        clock: Clock,
        metrics: ControllerMetrics,
        options: ControllerOptions,
        prices: Prices | None = None,
    ) -> None:
        self._clock, self._metrics, self._options = clock, metrics, options
        self._outside = Outside(
            installation,
            cluster,
            side,
            stores,
            clock,
            metrics,
            Threads(options.lead.workers, "reconcile"),
            Threads(_SIDE_THREADS, "side"),
            prices or prices_of(PriceSettings(), clock),
        )
        self._lease = Lease(
            side, clock, installation.server_namespace, options.identity, options.lease_s, renewed=self._renewed
        )
        self._canary = Canary(clock, options.lead.unseen_after_s)
        self._lead: Lead | None = None
        self._beat_s = clock.monotonic_s()

    async def run(self, stop: asyncio.Event) -> None:
        """Leads whenever it has the lease, until `stop`; then looks in hand end, and the lease is let go."""
        health = HealthServer(
            self._options.port, alive=self._alive, ready=self._is_ready, registry=self._metrics.registry
        )
        beat = asyncio.create_task(self._beat(), name="beat")
        with health:
            try:
                while not stop.is_set():
                    if await self._wait_for_lease(stop):
                        await self._lead_once(stop)
            finally:
                beat.cancel()
                self._outside.threads.close()
                self._outside.side_threads.close()

    async def _wait_for_lease(self, stop: asyncio.Event) -> bool:
        reported = ""
        while not stop.is_set():
            if await self._outside.side_threads.run(self._lease.step):
                return True
            if self._lease.holder and self._lease.holder != reported:
                reported = self._lease.holder
                _LOG.info("another controller holds the Lease", extra={"holder": reported})
            await _pause(stop, self._lease.renew_every_s)
        return False

    async def _lead_once(self, stop: asyncio.Event) -> None:
        over = asyncio.Event()
        beside = [
            asyncio.create_task(self._keep_lease(over), name="lease"),
            asyncio.create_task(_when_set(stop, over), name="stop"),
        ]
        self._canary = Canary(self._clock, self._options.lead.unseen_after_s)
        lead = Lead(self._outside, self._options.lead, self._canary)
        finished = False
        self._lead = lead
        self._metrics.leader.set(1)
        _LOG.info("this controller is the leader", extra={"identity": self._options.identity})
        self._outside.prices.start()
        try:
            finished = await lead.run(over)
        except ClusterError as error:
            _LOG.warning("could not start leading", extra={"error": str(error)})
            finished = True
        finally:
            self._lead = None
            self._metrics.leader.set(0)
            self._outside.prices.stop()
            for task in beside:
                task.cancel()
            if finished:
                # With a reconcile in the middle it is left to run out: nobody else may begin before that.
                await self._outside.side_threads.run(self._lease.release)
        if not stop.is_set():
            await _pause(stop, _BEAT_S)

    def _renewed(self, version: str) -> None:
        self._canary.renewed(version)

    async def _keep_lease(self, over: asyncio.Event) -> None:
        """Renews it; once it may be another's, sets `over`. A request that hangs does not delay that."""
        while not over.is_set():
            await _pause(over, min(self._lease.renew_every_s, self._lease.left_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._lease.left_s):
                    await self._outside.side_threads.run(self._lease.step)
            if not self._lease.holds:
                _LOG.warning("the Lease was lost: another controller may be the leader")
                over.set()

    async def _beat(self) -> None:
        while True:
            self._beat_s = self._clock.monotonic_s()
            await asyncio.sleep(_BEAT_S)

    # Health; asked in a thread of its own.

    def _alive(self) -> str:
        quiet_s = self._clock.monotonic_s() - self._beat_s
        if quiet_s > _NO_BEAT_S:
            return f"the event loop has been blocked for {quiet_s:.0f} s"
        lead = self._lead
        return "" if lead is None else lead.problem

    def _is_ready(self) -> str:
        lead = self._lead
        return "waiting for the Lease" if lead is None else lead.refused


async def _when_set(event: asyncio.Event, other: asyncio.Event) -> None:
    await event.wait()
    other.set()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
