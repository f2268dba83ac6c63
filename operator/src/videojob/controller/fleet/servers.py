"""Servers: observed for jobs, and sized by what all jobs demand of them."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from videojob.controller.fleet.demands import Demands
from videojob.controller.pods import pod_events
from videojob.controller.runtime.reconcilers import Key, Reconciler
from videojob.errors import ClusterRefused
from videojob.kube.kinds import DEPLOYMENTS, NODES, PODS, SERVICES
from videojob.kube.names import (
    COMPONENT,
    IDLE_SINCE,
    MANAGED_BY,
    MANAGER,
    SERVER,
    server_name,
)
from videojob.kube.read.objects import server_observed, server_of
from videojob.kube.render.servers import server_deployment, server_service
from videojob.planning.fleet.replicas import ServerDesired, size_server, size_unasked
from videojob.planning.installation import Installation
from videojob.planning.state.observed import PodProblem, ServerObserved
from videojob.planning.state.placement import ServerKey
from videojob.ports.clock import Clock
from videojob.ports.cluster import Cluster, Object

_LOG = logging.getLogger(__name__)
FIELD_MANAGER = "videojob-controller"
_APPLIED = "videojob.dev/applied"
_FRESH_S = 1.0  # many jobs observe one server at a time
_INCOMPLETE_POLL_S = 15.0  # no event says that all jobs have been reconciled


@dataclass(frozen=True, slots=True)
class _Seen:
    """A server as it was read: when, and at which version of its Deployment."""

    at_s: float
    server: ServerObserved | None
    version: str


@dataclass(slots=True)
class ServerObserver:
    """What there is of a server, read at most once a second for all its jobs."""

    cluster: Cluster
    installation: Installation
    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    _reading: dict[str, threading.Lock] = field(default_factory=dict)
    _refused: dict[str, PodProblem] = field(default_factory=dict)
    _may_see_nodes: bool = True

    def observe(self, key: ServerKey, *, fresh: bool = False) -> ServerObserved | None:
        """The server as it is; None when there is no Deployment, and nobody refuses to make one."""
        name, asked_s = server_name(key), self.clock.monotonic_s()
        with self._lock:
            reading = self._reading.setdefault(name, threading.Lock())
        with reading:  # one reads, and what it read is recent enough for those that waited meanwhile
            with self._lock:
                known = self._seen.get(name)
                turn = self._turns.get(name, 0)
            if known is not None and not fresh and asked_s - known.at_s < _FRESH_S:
                return known.server
            began_s = self.clock.monotonic_s()
            deployment = self.cluster.get(DEPLOYMENTS, self.installation.server_namespace, name)
            version = "" if deployment is None else str(deployment["metadata"]["resourceVersion"])
            found = None if known is None or known.version != version else known.server
            if found is None or found.problem is not None or not found.replicas == found.ready == found.placed:
                # Where all pods are ready on nodes, whatever happens to one changes the Deployment, too.
                found = None if deployment is None else self.of(deployment)
            with self._lock:
                refusal = self._refused.get(name)
                if refusal is not None and (found is None or not (found.ready or found.problem)):
                    found = replace(found or ServerObserved(0, 0), problem=refusal)
                if self._turns.get(name, 0) == turn:
                    self._seen[name] = _Seen(began_s, found, version)
            return found

    def forget(self, key: ServerKey) -> None:
        """An event about the server came: what was read before, or is being read now, may be older than it."""
        name = server_name(key)
        with self._lock:
            self._turns[name] = self._turns.get(name, 0) + 1
            self._seen.pop(name, None)

    def refused(self, key: ServerKey, error: ClusterRefused | None) -> None:
        """The API server refuses what makes the server, or (None) does so no more: its jobs tell why they wait."""
        name = server_name(key)
        with self._lock:
            before = self._refused.pop(name, None)
            if error is not None:
                since_s = self.clock.now_s() if before is None else before.since_s
                self._refused[name] = PodProblem("refused", error.message, since_s)

    def of(self, deployment: Object) -> ServerObserved:
        """A Deployment with its pods."""
        namespace = self.installation.server_namespace
        name = deployment["metadata"]["name"]
        if not deployment["spec"].get("replicas"):
            return server_observed(deployment, ())
        # An evicted pod stays as failed, and may be one of thousands.
        labels, fields = f"{COMPONENT}=server,{SERVER}={name}", "status.phase!=Failed,status.phase!=Succeeded"
        pods = list(self.cluster.list(PODS, namespace, labels=labels, fields=fields))
        return server_observed(deployment, pods, pod_events(self.cluster, namespace, pods), self._nodes(pods))

    def _nodes(self, pods: Iterable[Object]) -> dict[str, Object]:
        name = next((pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")), None)
        if name is None or not self._may_see_nodes:
            return {}
        try:
            node = self.cluster.get(NODES, None, name)
        except ClusterRefused as error:
            # An installation without rights on the cluster: the node's type and price stay untold, no more.
            _LOG.info("nodes may not be read", extra={"error": str(error)})
            self._may_see_nodes = False
            return {}
        return {} if node is None else {str(name): node}


@dataclass(slots=True)
class ServerReconciler(Reconciler):
    """Makes servers as large as their jobs need them.

    Attributes:
        owner: owner reference by which servers go when this installation goes, or None.
    """

    cluster: Cluster
    installation: Installation
    clock: Clock
    demands: Demands
    servers: ServerObserver
    owner: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        return "server"

    def label(self, key: ServerKey) -> dict[str, str]:
        return {"server": server_name(key)}

    def changed(self, key: ServerKey) -> list[Key]:
        """The jobs of a server, which wait for it or send frames to it."""
        self.servers.forget(key)
        return [Key("job", job) for job in self.demands.jobs_of(key)]

    def remembered(self) -> set[ServerKey]:
        """Servers that jobs ask for."""
        return self.demands.servers

    def listed(self) -> list[ServerKey]:
        """Every server that has a Deployment."""
        labels = f"{MANAGED_BY}={MANAGER},{COMPONENT}=server"
        found = self.cluster.outlines(DEPLOYMENTS, self.installation.server_namespace, labels=labels)
        return [key for one in found if (key := server_of({"metadata": one.metadata})) is not None]

    def reconcile(self, key: ServerKey) -> float | None:
        """One reconcile of one server; returns when to reconcile again, in seconds.

        Raises:
            ClusterError: try again later; of what is refused the server's jobs tell already.
        """
        try:
            requeue_s = self._resize_or_remove(key)
        except ClusterRefused as error:
            self.servers.refused(key, error)
            raise
        self.servers.refused(key, None)
        return requeue_s

    def _resize_or_remove(self, key: ServerKey) -> float | None:
        name, namespace = server_name(key), self.installation.server_namespace
        deployment = self.cluster.get(DEPLOYMENTS, namespace, name)
        model = self.installation.models.get(key.model)
        settings = self.installation.accelerators.get(key.accelerator)
        variant = None if model is None else model.variants.get(key.accelerator)
        demands, seen, now_s = self.demands.of(key), _size(deployment), self.clock.now_s()
        if variant is None or settings is None:
            is_offered, desired = False, size_unasked(seen, now_s)
        else:
            is_offered = model is not None and model.version == key.version
            desired = size_server(variant, demands, seen, idle_s=settings.idle_s, now_s=now_s)
            if seen is not None and not self.demands.complete and (desired.remove or desired.replicas < seen.replicas):
                desired = ServerDesired(seen.replicas, seen.idle_since_s, desired.busy, requeue_s=_INCOMPLETE_POLL_S)
        if deployment is None:
            if demands and is_offered:
                self._serve(key)
                self._apply(self._owned(server_deployment(key, desired, self.installation)), None)
            return desired.requeue_s
        if desired.remove:
            self._remove(deployment)
        elif is_offered:
            if desired.replicas and not deployment["spec"].get("replicas"):
                self._serve(key)  # it may have been left without one by a removal that was cut off
            self._apply(self._owned(server_deployment(key, desired, self.installation)), deployment)
        else:
            # How it was made stands in no installation any more: it goes on as it is, for the jobs that began with it.
            self._resize(deployment, desired)
        return desired.requeue_s

    def _serve(self, key: ServerKey) -> None:
        """Its Service, always ahead of its pods."""
        self.cluster.apply(SERVICES, self._owned(server_service(key, self.installation)), manager=FIELD_MANAGER)

    def _remove(self, there: Object) -> None:
        """The Deployment goes last, since by it the rest is found."""
        metadata = there["metadata"]
        self.cluster.delete(SERVICES, metadata["namespace"], metadata["name"])
        self.cluster.delete(DEPLOYMENTS, metadata["namespace"], metadata["name"], uid=metadata["uid"])
        _LOG.info("a server without demand is removed", extra={"server": metadata["name"]})

    def _resize(self, there: Object, desired: ServerDesired) -> None:
        metadata = there["metadata"]
        since = None if desired.idle_since_s is None else f"{desired.idle_since_s:.0f}"
        is_so = metadata.get("annotations", {}).get(IDLE_SINCE) == since
        if not is_so or there["spec"].get("replicas") != desired.replicas:
            patch = {"metadata": {"annotations": {IDLE_SINCE: since}}, "spec": {"replicas": desired.replicas}}
            self.cluster.patch(DEPLOYMENTS, metadata["namespace"], metadata["name"], patch)

    def _owned(self, made: dict[str, Any]) -> dict[str, Any]:
        if self.owner is not None:
            made["metadata"]["ownerReferences"] = [dict(self.owner)]
        return made

    def _apply(self, desired: dict[str, Any], there: Object | None) -> None:
        mark = hashlib.sha256(json.dumps(desired, sort_keys=True).encode()).hexdigest()[:16]
        if there is not None:
            same = there["metadata"].get("annotations", {}).get(_APPLIED) == mark
            if same and there["spec"].get("replicas") == desired["spec"]["replicas"]:
                return
        desired["metadata"]["annotations"][_APPLIED] = mark
        self.cluster.apply(DEPLOYMENTS, desired, manager=FIELD_MANAGER)


def _size(deployment: Object | None) -> ServerObserved | None:
    """What sizing needs: no pods, so no further reads."""
    if deployment is None:
        return None
    idle = deployment["metadata"].get("annotations", {}).get(IDLE_SINCE)
    return ServerObserved(
        replicas=int(deployment["spec"].get("replicas", 0)),
        ready=int(deployment.get("status", {}).get("readyReplicas", 0)),
        idle_since_s=None if idle is None else float(idle),
    )
