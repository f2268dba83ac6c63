"""The one module that knows kopf: its watches become keys in our own queue, and nothing else of it is used.

No handler changes an object, keeps state in annotations or sets a finalizer; none returns a value. What kopf does with
a lost watch is made endless (`_Endless`), what still ends restarts (`controller.runtime.watching`), and
`controller.runtime.canary` proves that they show what was written. docs/design/014 has the numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import kopf

from videojob.api.schema.crd import PLURAL
from videojob.api.videojob import GROUP, VERSION
from videojob.kube.names import JOB_NAME, JOB_UID, LEASE, MANAGED_BY, MANAGER
from videojob.kube.read.objects import has_ended, server_of
from videojob.kube.read.outlines import is_settled
from videojob.planning.state.placement import ServerKey

_FIRST_BACKOFFS_S = (1.0, 1.0, 2.0, 3.0, 5.0)
_LAST_BACKOFF_S = 10.0
_COUNT_EVERY_S = 1.0
_LISTED = None
"""kopf's type of an event about an object that was there when a watch began."""
# It warns at each start that it leaves the process's signals alone, which is what is wanted.
logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)


class _Endless:
    """Pauses between tries, for ever. kopf ends a watch for good when its pauses are used up; these never are, and each
    iteration starts again. It has no length on purpose.
    """

    def __iter__(self) -> Iterator[float]:
        yield from _FIRST_BACKOFFS_S
        while True:
            yield _LAST_BACKOFF_S


class _NoDiffs(kopf.DiffBaseStorage):
    """Nothing is compared with what it was. kopf would copy each object of each event for that, and this was half of
    the time that it took, though only handlers of changes need it.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None


class WatchLost(Exception):
    """One of the watches is gone, and kopf goes on without it."""


async def _watched_over(operator: asyncio.Task[None], stop: asyncio.Event) -> bool:
    """Returns at `stop`, when kopf ends, or, with True, when it has fewer watches than before.

    At an error that it does not know it drops a watch for good and says nothing. It has a task for each, by this name;
    those of a kind go with their CRD, too, and to begin again then does no harm.
    """
    most = 0
    while not (stop.is_set() or operator.done()):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _COUNT_EVERY_S)
        there = sum(task.get_name().startswith("watcher for ") for task in asyncio.all_tasks())
        most = max(most, there)
        if there < most and not stop.is_set():
            return True
    return False


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """How long a watch may be silent or last, in seconds.

    Attributes:
        inactivity_s: without any event. A stream may fall silent and stay open, so that this is how long the controller
            may get no events: less than the minute between the API server's bookmarks, since going on from where a
                quiet
            watch stood costs one request.
        server_s, client_s: after which either side ends a watch and it is restarted.
    """

    inactivity_s: float = 45.0
    server_s: int = 300
    client_s: float = 330.0


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who gets the events; called in the thread of the watches.

    Attributes:
        job: (namespace, name) of a VideoJob that may have changed, or one of whose Jobs came, ended or went.
        child: the same, one of whose Jobs has got further.
        knows_end: whether the VideoJob of this key and uid is known to be over.
        own: whether a VideoJob is as it was written here.
        server: one that may have changed.
        lease: the controller's Lease.
    """

    job: Callable[[tuple[str, str]], None]
    child: Callable[[tuple[str, str]], None]
    knows_end: Callable[[tuple[str, str], str], bool]
    own: Callable[[Mapping[str, Any]], bool]
    server: Callable[[ServerKey], None]
    lease: Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Watches:
    """kopf as a source of events.

    Attributes:
        namespaces: that are watched; empty for all. server_namespace: where servers are.
        listeners: see there.
        times: see there.
    """

    namespaces: tuple[str, ...]
    server_namespace: str
    listeners: Listeners
    times: WatchTimes = field(default_factory=WatchTimes)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`, or until kopf gives up, with whatever it raises then.

        In a thread and loop of its own only: kopf takes the main thread's signals, and cancels all tasks of its loop
        that are younger than itself.
        """
        watched = () if not self.namespaces else sorted({*self.namespaces, self.server_namespace})
        over = asyncio.Event()
        operator = asyncio.create_task(
            kopf.operator(
                registry=self._registry(),
                settings=self._settings(),
                standalone=True,
                # Its own would be made of the user's name, which a pod's has not.
                identity="videojob",  # type: ignore[arg-type]  # a NewType that kopf does not export
                clusterwide=not watched,
                namespaces=watched,
                stop_flag=over,
            )
        )
        lost = await _watched_over(operator, stop)
        over.set()
        await operator
        if lost:
            raise WatchLost("a watch ended while others continue")

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        listeners, here = self.listeners, self.server_namespace
        managed = {MANAGED_BY: MANAGER}

        @kopf.on.login(registry=registry)
        def on_login(**about: Any) -> kopf.ConnectionInfo | None:
            # Not by way of the client library: it keeps its token where kopf does not look for it.
            return kopf.login_with_kubeconfig(**about) or kopf.login_with_service_account(**about)

        @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
        async def on_job(body: kopf.Body, event: kopf.RawEvent, **_: Any) -> None:
            is_own = listeners.own(body)
            known = event["type"] == _LISTED and is_settled(body)
            if event["type"] == "DELETED" or not (known or is_own):
                listeners.job((str(body.metadata.namespace), str(body.metadata.name)))

        @kopf.on.event("batch", "v1", "jobs", labels=managed, registry=registry)
        async def on_child(body: kopf.Body, event: kopf.RawEvent, **_: Any) -> None:
            labels, ended = body.metadata.labels, has_ended(body)
            key = (str(body.metadata.namespace), str(labels.get(JOB_NAME)))
            # What is left of a job that is over needs no reconcile, but for a Job that would go on working.
            if JOB_NAME not in labels or (ended and listeners.knows_end(key, str(labels.get(JOB_UID)))):
                return
            tell = listeners.child if event["type"] == "MODIFIED" and not ended else listeners.job
            tell(key)

        @kopf.on.event("apps", "v1", "deployments", labels=managed, registry=registry)
        async def on_server(body: kopf.Body, **_: Any) -> None:
            key = server_of(body) if body.metadata.namespace == here else None
            if key is not None:
                listeners.server(key)

        @kopf.on.event("coordination.k8s.io", "v1", "leases", registry=registry)
        async def on_lease(body: kopf.Body, **_: Any) -> None:
            if (body.metadata.namespace, body.metadata.name) == (here, LEASE):
                listeners.lease(body)

        return registry

    def _settings(self) -> kopf.OperatorSettings:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.peering.standalone = True
        settings.persistence.diffbase_storage = _NoDiffs()
        # Without rights on the whole cluster its namespaces and CRDs may not be listed, and kopf would ask for ever
        # before it began (the chart's `scope: namespaced`).
        settings.scanning.disabled = bool(self.namespaces)
        # It would kill this process some time after a run of kopf that failed: the next run is there long before.
        settings.process.ultimate_exiting_timeout = None
        settings.watching.server_timeout = self.times.server_s
        settings.watching.client_timeout = self.times.client_s
        settings.watching.connect_timeout = 10
        settings.watching.reconnect_backoff = 1
        settings.watching.inactivity_timeout = self.times.inactivity_s
        # A VideoJob of 256 inputs takes 250 KB here. kopf holds a chunk, and each object as long as its queue idles.
        settings.watching.chunk_size = 50
        settings.watching.label_selectors["jobs"] = f"{MANAGED_BY}={MANAGER}"
        settings.watching.label_selectors["deployments"] = f"{MANAGED_BY}={MANAGER}"
        settings.watching.field_selectors["leases"] = f"metadata.name={LEASE}"  # and the rights are for no other
        settings.networking.request_timeout = 30
        settings.networking.connect_timeout = 5
        settings.networking.enforce_retry_after = True
        settings.networking.error_backoffs = _Endless()
        settings.queueing.idle_timeout = 0.1
        return settings
