"""The controller as a process: its parts put together, its loop, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from videojob.controller.canary import Canary
from videojob.controller.demands import Demands, JobKey
from videojob.controller.handlers import Listeners, Watches, WatchTimes
from videojob.controller.health import HealthServer
from videojob.controller.lease import Lease
from videojob.controller.metrics import ControllerMetrics
from videojob.controller.observe import Observer
from videojob.controller.queue import WorkQueue
from videojob.controller.reconcile import JobReconciler
from videojob.controller.servers import ServerLook, ServerReconciler
from videojob.controller.stores import Stores
from videojob.errors import VideoJobError
from videojob.manifests.kinds import DEPLOYMENTS, VIDEOJOBS
from videojob.manifests.names import CANARY
from videojob.planning.catalogue import Catalogue
from videojob.planning.observed import ServerKey
from videojob.ports import AlreadyThere, Clock, Cluster, ClusterConflict

_LOG = logging.getLogger(__name__)
Key = JobKey | ServerKey
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ControllerOptions:
    """How one controller process runs.

    Attributes:
        identity: different from every other process's.
        port: of health and metrics.
        workers: looks side by side.
        resync_s: how often every job is looked at though nothing was heard: what a lost event may cost.
        deployment: name of the controller's own Deployment, which its canary belongs to; "" for none.
        canary_every_s, deaf_after_s: see `Canary`. lease_s: see `Lease`. times: see `WatchTimes`.
    """

    identity: str
    port: int = 8080
    workers: int = 8
    resync_s: float = 300.0
    deployment: str = ""
    canary_every_s: float = 30.0
    deaf_after_s: float = 120.0
    lease_s: float = 30.0
    times: WatchTimes = field(default_factory=WatchTimes)


class Controller:
    """One controller process.

    Args:
        catalogue: of this installation.
        cluster: the API.
        stores: the results tables.
        clock: the time.
        metrics: its metrics.
        options: see there.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        cluster: Cluster,
        stores: Stores,
        *,
        clock: Clock,
        metrics: ControllerMetrics,
        options: ControllerOptions,
    ) -> None:
        self._catalogue, self._cluster, self._clock = catalogue, cluster, clock
        self._metrics, self._options = metrics, options
        self._queue: WorkQueue[Key] = WorkQueue()
        self._threads = ThreadPoolExecutor(options.workers, thread_name_prefix="reconcile")
        # Proofs of life must not wait behind the work whose life they prove.
        self._side_threads = ThreadPoolExecutor(2, thread_name_prefix="side")
        self._heard_s: dict[Key, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = False
        demands = Demands()
        look = ServerLook(cluster, catalogue, clock)
        observer = Observer(cluster, stores, catalogue, look)
        self._demands = demands
        self._servers = ServerReconciler(cluster, catalogue, clock, demands, look)
        self._jobs = JobReconciler(cluster, catalogue, clock, observer, demands, self._wake, metrics.status_writes.inc)
        self._lease = Lease(cluster, clock, catalogue.server_namespace, options.identity, options.lease_s)
        self._canary = Canary(
            cluster, clock, catalogue.server_namespace, None, options.canary_every_s, options.deaf_after_s
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Waits for the lease, works until `stop` or until the lease is lost, and lets it go.

        Raises:
            VideoJobError: the lease was lost: another controller may be at work, this one must end.
        """
        self._loop = asyncio.get_running_loop()
        health = HealthServer(
            self._options.port, alive=self._alive, ready=self._is_ready, registry=self._metrics.registry
        )
        with health:
            try:
                if await self._wait_for_lease(stop):
                    await self._lead(stop)
            finally:
                self._ready = False
                await self._aside(self._lease.release)
                self._threads.shutdown(cancel_futures=True)
                self._side_threads.shutdown()

    async def _wait_for_lease(self, stop: asyncio.Event) -> bool:
        while not stop.is_set():
            if await self._aside(self._lease.step):
                self._metrics.leader.set(1)
                return True
            _LOG.info("another controller holds the lease")
            await _pause(stop, self._lease.renew_every_s)
        return False

    async def _lead(self, stop: asyncio.Event) -> None:
        ended = asyncio.Event()
        self._canary.owner = self._servers.owner = await self._aside(self._own_reference)
        watching = asyncio.Event()
        listeners = Listeners(self._hear, self._hear, self._canary.heard)
        namespace = self._catalogue.server_namespace
        watches = Watches(self._catalogue.namespaces, namespace, listeners, self._options.times)
        tasks = [
            asyncio.create_task(watches.run(ended, watching), name="watches"),
            asyncio.create_task(self._keep_lease(), name="lease"),
            asyncio.create_task(self._repeat(self._options.canary_every_s, self._mark), name="canary"),
            asyncio.create_task(self._repeat(self._options.resync_s, self._resync), name="resync"),
            *(asyncio.create_task(self._work(), name=f"work-{at}") for at in range(self._options.workers)),
        ]
        stopping = asyncio.create_task(stop.wait(), name="stop")
        self._ready = True
        try:
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
                raise VideoJobError(f"the controller's {task.get_name()} ended by itself", retryable=True)
        finally:
            ended.set()
            for task in [*tasks[1:], stopping]:
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)

    # The work.

    async def _work(self) -> None:
        while True:
            key = await self._queue.take()
            self._metrics.queue_length.set(len(self._queue))
            heard_s = self._heard_s.pop(key, None)
            await self._one(key, heard_s)

    async def _one(self, key: Key, heard_s: float | None) -> None:
        kind = "server" if isinstance(key, ServerKey) else "job"
        look: Callable[[], float | None] = (
            partial(self._servers.reconcile, key) if isinstance(key, ServerKey) else partial(self._jobs.reconcile, key)
        )
        with self._metrics.reconcile_s.labels(kind).time():
            try:
                recheck_s = await asyncio.get_running_loop().run_in_executor(self._threads, look)
            except (VideoJobError, ClusterConflict, AlreadyThere) as error:
                delay_s = self._queue.failed(key)
                self._metrics.reconciles.labels(kind, "failed").inc()
                _LOG.warning(
                    "will try again", extra={"key": str(key), "delay_s": round(delay_s, 1), "error": str(error)}
                )
                return
            except Exception:  # noqa: BLE001 - a fault of one look is told by name, and its key comes back
                # A fault of the program: it must not take the other jobs down, and comes back later each time.
                delay_s = self._queue.failed(key)
                self._metrics.reconciles.labels(kind, "crashed").inc()
                _LOG.exception("a look failed", extra={"key": str(key), "delay_s": round(delay_s, 1)})
                return
        if heard_s is not None:
            self._metrics.event_to_write_s.observe(self._clock.monotonic_s() - heard_s)
        self._metrics.reconciles.labels(kind, "done").inc()
        self._queue.done(key, recheck_s)

    def _hear(self, key: Key) -> None:
        self._heard_s.setdefault(key, self._clock.monotonic_s())
        self._queue.add(key)
        if isinstance(key, ServerKey):
            for job in self._demands.jobs_of(key):
                self._queue.add(job)

    def _wake(self, key: ServerKey) -> None:
        """From any thread: a server's demands changed."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._queue.add, key)

    # What runs beside it.

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self._lease.renew_every_s)
            if not await self._aside(self._lease.step):
                raise VideoJobError("the lease was lost: another controller may be at work", retryable=True)

    async def _mark(self) -> None:
        await self._aside(self._canary.mark)
        self._metrics.canary_silent_s.set(self._canary.silent_s)

    async def _resync(self) -> None:
        """Looks at everything there is, whatever was heard."""
        try:
            jobs, servers = await self._aside(self._all_keys)
        except VideoJobError as error:
            _LOG.warning("not everything could be listed", extra={"error": str(error)})
            await asyncio.sleep(5)
            self._queue_resync()
            return
        self._demands.expect(jobs)
        keys: list[Key] = [*jobs, *servers]
        for key in keys:
            self._queue.add(key)

    def _queue_resync(self) -> None:
        asyncio.get_running_loop().create_task(self._resync())

    def _all_keys(self) -> tuple[list[JobKey], list[ServerKey]]:
        namespaces = self._catalogue.namespaces or (None,)
        jobs = [
            (str(one["metadata"]["namespace"]), str(one["metadata"]["name"]))
            for namespace in namespaces
            for one in self._cluster.list(VIDEOJOBS, namespace)
            if CANARY not in one["metadata"].get("labels", {})
        ]
        return jobs, self._servers.keys()

    async def _repeat(self, every_s: float, action: Callable[[], Any]) -> None:
        while True:
            await action()
            await asyncio.sleep(every_s)

    def _own_reference(self) -> Mapping[str, Any] | None:
        name = self._options.deployment
        own = self._cluster.get(DEPLOYMENTS, self._catalogue.server_namespace, name) if name else None
        if own is None:
            return None
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": own["metadata"]["uid"]}

    async def _aside(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._side_threads, call)

    # Health.

    def _alive(self) -> str:
        if self._canary.hears:
            return ""
        return f"the watch has not shown the canary's mark for {self._canary.silent_s:.0f} s"

    def _is_ready(self) -> str:
        return "" if self._ready else "waits for the lease"


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
