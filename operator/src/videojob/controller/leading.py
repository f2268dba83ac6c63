"""One time of leading: from the moment that this process holds the lease until it loses it or is to end.

Everything that is remembered about jobs and servers is recreated each time: another controller may have worked between.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from videojob.adapters.files.package_data import throughput_seeds
from videojob.controller.fleet.demands import Demands
from videojob.controller.fleet.servers import ServerObserver, ServerReconciler
from videojob.controller.jobs.folds import FoldLimits, Folds
from videojob.controller.jobs.market import MarketReader
from videojob.controller.jobs.observe import Observer
from videojob.controller.jobs.pods import Pods
from videojob.controller.jobs.reconcile import JobReconciler
from videojob.controller.jobs.speeds import SpeedKeeper
from videojob.controller.jobs.stores import Stores
from videojob.controller.keys import JobKey
from videojob.controller.prices import Prices
from videojob.controller.runtime.canary import Canary
from videojob.controller.runtime.claims import Claims
from videojob.controller.runtime.event_poster import EventPoster
from videojob.controller.runtime.handlers import Listeners, Watches, WatchTimes
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.controller.runtime.notices import Notices
from videojob.controller.runtime.reconcile_loop import Work
from videojob.controller.runtime.reconcilers import Key, Reconcilers
from videojob.controller.runtime.resync import Resync
from videojob.controller.runtime.scope import STALE_S, Scope
from videojob.controller.runtime.threads import Threads
from videojob.controller.runtime.watching import WatchThread
from videojob.errors import ClusterRefused, VideoJobError
from videojob.kube.kinds import DEPLOYMENTS, VIDEOJOBS
from videojob.kube.names import LEASE, MANAGED_BY, MANAGER, OLD_CANARY, scope_name, scope_places
from videojob.planning.installation import Installation
from videojob.planning.state.placement import ServerKey
from videojob.ports.clock import Clock
from videojob.ports.cluster import Cluster

_LOG = logging.getLogger(__name__)
T = TypeVar("T")

_STUCK_S = 600.0
"""A reconcile that takes longer hangs: each request in it has a deadline of seconds, and what takes minutes, the fold
of a large job, is none of it."""


@dataclass(frozen=True, slots=True)
class LeadOptions:
    """How a controller leads.

    Attributes:
        workers: concurrent reconciles.
        resync_s: how often every job is reconciled though no event arrived: what a lost event may cost.
        deployment: name of the controller's own Deployment, which servers belong to; "" for none.
        canary_every_s: how often it is checked that the watches show what was written.
        renew_after_s: something unseen for so long, the watches are restarted and everything is reconciled.
        unseen_after_s: unseen for so long, the process is of no use any more: the liveness probe fails.
        stale_s: how long a scope or a namespace stays that of an installation which renews nothing.
        finish_s: how long looks in hand may go on at the end.
        times: see `WatchTimes`.
    """

    workers: int = 8
    resync_s: float = 300.0
    deployment: str = ""
    canary_every_s: float = 10.0
    renew_after_s: float = 20.0
    unseen_after_s: float = 120.0
    stale_s: float = STALE_S
    finish_s: float = 6.0
    times: WatchTimes = field(default_factory=WatchTimes)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a controller works with, for its whole life.

    Attributes:
        cluster: the API, for work. side: the same with short patience, for proofs of life.
        stores: the results tables.
        threads: for work. side_threads: for proofs of life, which must not wait behind the work.
        prices: what capacity costs.
        fold_limits: how folds are run.
    """

    installation: Installation
    cluster: Cluster
    side: Cluster
    stores: Stores
    clock: Clock
    metrics: ControllerMetrics
    threads: Threads
    side_threads: Threads
    prices: Prices
    fold_limits: FoldLimits = field(default_factory=FoldLimits)


class Lead:
    """The leader's work, from start to end.

    Args:
        outside: the world.
        options: see there.
    """

    def __init__(self, outside: Outside, options: LeadOptions, canary: Canary) -> None:
        self._outside, self._options, self._canary = outside, options, canary
        self._loop = asyncio.get_running_loop()
        installation, cluster, clock = outside.installation, outside.cluster, outside.clock
        self._demands = Demands()
        server_observer = ServerObserver(cluster, installation, clock)
        self._speeds = SpeedKeeper(cluster, clock, installation.server_namespace, throughput_seeds())
        market = MarketReader(
            cluster, installation, clock, outside.prices, self._speeds, server_observer, self._demands
        )
        observer = Observer(cluster, outside.stores, installation, server_observer, market.read)
        self._servers = ServerReconciler(cluster, installation, clock, self._demands, server_observer)
        self._folds = Folds(self._folded, outside.fold_limits)
        self._scope = _scope_of(outside, options, self._scope_is)
        self._claims = Claims(cluster, clock, installation.controller_name, self._scope, outside.metrics.show_foreign)
        self._notices = Notices(EventPoster(outside.side, clock), installation.server_namespace)
        self._jobs = JobReconciler(
            cluster,
            installation,
            clock,
            observer,
            (Pods(cluster, installation),),
            self._demands,
            self._folds,
            self._wake,
            wrote=self._wrote,
            conflicted=outside.metrics.conflicts.inc,
            serves=self._claims.holds,
            gone=self._claims.gone,
            requeues=lambda: self._scope.holds,
            learned=self._speeds.learn,
        )
        self._kinds = Reconcilers(self._jobs, self._servers)
        self._work = Work(
            self._kinds.reconcile,
            self._kinds.label,
            outside.threads,
            outside.metrics,
            clock,
            side_by_side=options.workers,
        )
        self._all = Resync(cluster, installation.namespaces, self._kinds.listed)
        self._settled: dict[JobKey, str] = {}
        self._serves = asyncio.Event()
        self._watches: list[WatchThread] = []
        self._renewed_s = clock.monotonic_s()

    async def run(self, over: asyncio.Event) -> bool:
        """Works until `over`; returns whether no look is left in the middle."""
        owner = await self._outside.side_threads.run(self._own_reference)
        self._servers.owner = owner
        self._notices.owner = owner
        self._speeds.owner = owner
        await self._outside.side_threads.run(self._scope.step)  # ahead of the first look
        await self._outside.side_threads.run(self._delete_old_canary)
        beside = [
            asyncio.create_task(self._listen(), name="canary"),
            asyncio.create_task(self._resync_often(), name="resync"),
            asyncio.create_task(self._keep_scope(), name="scope"),
        ]
        work = asyncio.create_task(self._work.run(self._options.finish_s), name="work")
        ending = asyncio.create_task(over.wait(), name="over")
        try:
            done, _ = await asyncio.wait([*beside, work, ending], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ending}:
                task.result()
                raise VideoJobError(f"the controller's task {task.get_name()} ended unexpectedly", retryable=True)
            for task in beside:
                task.cancel()
            return await self._finish(work)
        finally:
            for task in (*beside, work, ending):
                task.cancel()
            self._folds.close()
            for watch in self._watches:
                watch.stop()

    async def _finish(self, work: asyncio.Task[bool]) -> bool:
        for watch in self._watches:
            watch.stop()
        self._work.close()
        self._folds.close()  # whoever leads next folds again; of this one nothing counts unless it is stored already
        finished = await work
        await asyncio.gather(*(asyncio.to_thread(watch.join, self._options.finish_s) for watch in self._watches[-1:]))
        return finished

    @property
    def problem(self) -> str:
        """Why this process should be restarted; "" when it need not be. From any thread."""
        if self._canary.unseen_s:
            return f"the watches have not delivered the Lease's renewals for {self._canary.unseen_s:.0f} s"
        stuck_s = self._work.longest_s
        return f"a reconcile has been running for {stuck_s:.0f} s" if stuck_s > _STUCK_S else ""

    @property
    def refused(self) -> str:
        """Which installation serves what this one should; "" when it serves all of it itself. From any thread."""
        if self._scope.refused:
            return self._scope.refused
        foreign = sorted(self._claims.foreign.items())
        return ", ".join(f"namespace {one} is served by {holder}" for one, holder in foreign)

    def _wrote(self, key: JobKey) -> None:
        self._outside.metrics.status_writes.inc()
        self._canary.wrote(key)
        self._work.wrote(Key(self._jobs.kind, key))

    def _start_watch(self) -> None:
        in_loop = self._in_loop
        listeners = Listeners(
            job=in_loop(self._job_changed),
            child=in_loop(self._child_changed),
            knows_end=self._knows_end,
            own=self._is_own,
            server=in_loop(lambda server: self._changed(Key(self._servers.kind, server))),
            lease=self._canary.saw_lease,
        )
        self._canary.begin()
        installation = self._outside.installation
        watches = Watches(installation.namespaces, installation.server_namespace, listeners, self._options.times)
        self._watches = [one for one in self._watches if not one.join(0)]
        self._watches.append(WatchThread(watches.run))
        self._watches[-1].start()
        self._renewed_s = self._outside.clock.monotonic_s()

    def _is_own(self, body: Mapping[str, Any]) -> bool:
        """Whether a VideoJob is as it was written here. Any thread."""
        self._canary.saw_job((str(body["metadata"]["namespace"]), str(body["metadata"]["name"])))
        return self._jobs.is_own(body)

    def _knows_end(self, key: JobKey, uid: str) -> bool:
        """Whether a VideoJob was over when everything was listed last. Any thread."""
        return self._settled.get(key) == uid

    def _in_loop(self, call: Callable[[T], None]) -> Callable[[T], None]:
        def call_in_loop(value: T) -> None:
            self._loop.call_soon_threadsafe(call, value)

        return call_in_loop

    def _changed(self, key: Key) -> None:
        self._work.event_arrived(key)
        for dependent in self._kinds.changed(key):
            self._work.add_paced(dependent)

    def _job_changed(self, job: JobKey) -> None:
        self._settled.pop(job, None)  # it may have been resumed, and then the ends of its Jobs count
        self._changed(Key(self._jobs.kind, job))

    def _child_changed(self, job: JobKey) -> None:
        self._work.child_changed(Key(self._jobs.kind, job))

    def _folded(self, key: JobKey) -> None:
        """From any thread: a job's fold has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._work.add, Key(self._jobs.kind, key))

    def _wake(self, key: ServerKey) -> None:
        """From any thread: a server's demands changed."""
        self._loop.call_soon_threadsafe(self._work.add, Key(self._servers.kind, key))

    async def _listen(self) -> None:
        """Proves that events come; while they do not, the watches are restarted and everything is reconciled."""
        after_s = self._options.renew_after_s
        while True:
            silent_s = self._canary.silent_s
            self._outside.metrics.show_watch_silence(silent_s)
            if silent_s >= after_s and self._outside.clock.monotonic_s() - self._renewed_s >= after_s:
                _LOG.warning("no event arrived: the watches are restarted", extra={"silent_s": round(silent_s)})
                for watch in self._watches:
                    watch.stop()
                self._start_watch()
                await self._resync()
            await asyncio.sleep(self._options.canary_every_s)

    async def _resync_often(self) -> None:
        """The first one comes ahead of the watches: what they show first is what there is, too."""
        listed = await self._resync()
        if not self._watches:
            self._start_watch()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._serves.wait(), self._options.resync_s if listed else _RESYNC_AGAIN_S)
            self._serves.clear()
            listed = await self._resync()

    async def _keep_scope(self) -> None:
        """Renews the scope's Lease, or waits for it; once it comes, everything is reconciled."""
        while True:
            await asyncio.sleep(self._scope.pause_s)
            served = self._scope.holds
            if await self._outside.side_threads.run(self._scope.step) and not served:
                self._serves.set()

    def _scope_is(self, holder: str) -> None:
        """From any thread: which other installation serves the scope, "" for none any more."""
        self._outside.metrics.scope_foreign.set(1 if holder else 0)
        if holder:
            self._notices.post(self._scope.refused)

    async def _resync(self) -> bool:
        """Reconciles everything that may need it, whatever events arrived; returns whether it could be listed."""
        try:
            found = await self._outside.side_threads.run(self._all.listed)
        except VideoJobError as error:
            _LOG.warning("not all objects could be listed", extra={"error": str(error)})
            return False
        if found.whole:
            self._demands.expect(found.live)
            self._settled = dict(found.settled)
        self._outside.metrics.show_refused(found.refused)
        live = [Key(self._jobs.kind, job) for job in found.live]
        for key in dict.fromkeys([*live, *found.others, *self._kinds.remembered()]):
            self._work.add(key)
        now_s = self._outside.clock.now_s()
        for job, goes_s in found.going:
            if goes_s - now_s < 2 * self._options.resync_s:
                self._work.add_after(Key(self._jobs.kind, job), goes_s - now_s)
        return found.whole

    def _delete_old_canary(self) -> None:
        """Releases up to 0.1 proved their ears by a VideoJob of their own."""
        namespace, name = self._outside.installation.server_namespace, "videojob-canary"
        try:
            old = self._outside.side.get(VIDEOJOBS, namespace, name)
            labels = {} if old is None else old["metadata"].get("labels") or {}
            if OLD_CANARY in labels and labels.get(MANAGED_BY) == MANAGER:
                self._outside.side.delete(VIDEOJOBS, namespace, name)
        except ClusterRefused as error:  # as where there is no such kind yet
            _LOG.info("no canary of an older release can be deleted", extra={"error": str(error)})

    def _own_reference(self) -> Mapping[str, Any] | None:
        name = self._options.deployment
        namespace = self._outside.installation.server_namespace
        own = self._outside.side.get(DEPLOYMENTS, namespace, name) if name else None
        if own is None:
            return None
        return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": own["metadata"]["uid"]}


_RESYNC_AGAIN_S = 5.0


def _scope_of(outside: Outside, options: LeadOptions, notify: Callable[[str], None]) -> Scope:
    installation = outside.installation
    own = installation.server_namespace
    name = scope_name(installation.controller_name, installation.namespaces, own)
    places = scope_places(installation.namespaces, own)
    return Scope(
        outside.side,
        outside.clock,
        name,
        places,
        f"{own}/{LEASE}",
        owner=installation.scope_owner,
        stale_s=options.stale_s,
        notify=notify,
    )
