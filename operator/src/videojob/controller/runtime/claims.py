"""Who serves a namespace: of all controllers of one name, the one that holds the claim there.

A claim is a Lease in the namespace whose VideoJobs are served. A controller takes it before it does anything about the
first of them, and leaves the namespace alone while another installation has it: so two releases of one name, whatever
their scopes, never act on one VideoJob, even where neither may read the other's namespace. It goes with the VideoJobs.
It is judged as the controller's own Lease is: by how long its record was seen unchanged, never by anybody's clock.

Installations of one scope do not even divide it: one of them serves all of it (`runtime.scope`). It says so in its
claims, and its heir need not wait as long for those.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from videojob.api.videojob import API_VERSION, KIND
from videojob.controller.runtime.scope import Scope
from videojob.kube.kinds import LEASES
from videojob.kube.leases import LABELS, holder_of, lease
from videojob.kube.names import SCOPE, claim_name
from videojob.ports.clock import Clock
from videojob.ports.cluster import AlreadyThere, Cluster, ClusterConflict, Object

_LOG = logging.getLogger(__name__)
_RENEWALS = 15
_QUESTIONS = 60
_FORGETS = 5


@dataclass(slots=True)
class _Known:
    """What is known of a namespace's claim: whose it is, when it was asked for, and since when its record stands."""

    holder: str = ""
    asked_s: float = 0.0
    version: str = ""
    unchanged_s: float = 0.0


@dataclass(slots=True)
class Claims:
    """The claims of one controller; for all threads.

    Attributes:
        controller_name: whose VideoJobs are served.
        scope: whether this installation serves at all.
        notify: called with each namespace that another installation has begun or ceased to serve, and which.
    """

    cluster: Cluster
    clock: Clock
    controller_name: str
    scope: Scope
    notify: Callable[[str, str], None] = lambda _namespace, _holder: None
    _known: dict[str, _Known] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, job: Object) -> bool:
        """Whether this installation serves the VideoJob's namespace; takes or renews the claim when that is due.

        A claim that was not renewed for `Scope.stale_s` is anybody's: a resync, which reconciles all jobs, is sooner.

        The claim belongs to the VideoJob for which it was written last, so that none is left when the last has gone.

        Raises:
            ClusterError: that could not be found out.
        """
        if not self.scope.holds:
            return False
        now_s, namespace = self.clock.monotonic_s(), str(job["metadata"]["namespace"])
        with self._lock:
            known = self._known.get(namespace, _Known())
        mine = known.holder == self.scope.installation
        if known.holder and now_s - known.asked_s < self.scope.stale_s / (_RENEWALS if mine else _QUESTIONS):
            return mine
        found = self._ask(job, known, now_s)
        with self._lock:
            before, self._known[namespace] = known.holder, found
        self._tell(namespace, before, found.holder)
        return found.holder == self._installation

    def gone(self, namespace: str) -> None:
        """A VideoJob there has gone, perhaps the one that the claim belongs to: the next reconcile writes it again."""
        with self._lock:
            known = self._known.get(namespace)
            if known is not None and known.holder == self._installation:
                known.asked_s = -self.scope.stale_s

    @property
    def foreign(self) -> dict[str, str]:
        """The installations that serve namespaces with VideoJobs for this one, by namespace."""
        if not self.scope.holds:
            return {}
        since_s = self.clock.monotonic_s() - self.scope.stale_s / _FORGETS  # nothing serves it any more
        with self._lock:
            known = [(name, one) for name, one in self._known.items() if one.asked_s >= since_s]
        return {name: one.holder for name, one in known if one.holder != self._installation}

    @property
    def _installation(self) -> str:
        return self.scope.installation

    def _ask(self, job: Object, known: _Known, now_s: float) -> _Known:
        stored = self.cluster.get(LEASES, str(job["metadata"]["namespace"]), claim_name(self.controller_name))
        if stored is None:
            return self._take(job, None, now_s)
        version = str(stored["metadata"]["resourceVersion"])
        unchanged_s = known.unchanged_s if version == known.version else now_s
        holder = holder_of(stored)
        if holder in {"", self._installation} or now_s - unchanged_s >= self._patience_s(stored):
            return self._take(job, stored, now_s)
        return _Known(holder, now_s, version, unchanged_s)

    def _patience_s(self, stored: Object) -> float:
        """For how long a claim must stand unrenewed before it is anybody's.

        One of this scope is nobody's who serves, as soon as whoever wrote it must have asked again and found that out.
        """
        about = stored["metadata"].get("annotations") or {}
        is_heir = self.scope.guarded and about.get(SCOPE) == self.scope.name
        return self.scope.stale_s * (2 / _RENEWALS if is_heir else 1)

    def _take(self, job: Object, stored: Object | None, now_s: float) -> _Known:
        """Writes the claim; where another one was faster, it is theirs until the next time."""
        record, namespace = self._record(job, stored), str(job["metadata"]["namespace"])
        try:
            if stored is None:
                self.cluster.create(LEASES, record)
            else:
                self.cluster.replace(LEASES, record)
        except (AlreadyThere, ClusterConflict):
            raced = self.cluster.get(LEASES, namespace, claim_name(self.controller_name))
            holder = "" if raced is None else holder_of(raced)
            version = "" if raced is None else str(raced["metadata"]["resourceVersion"])
            return _Known(holder or "another installation", now_s, version, now_s)
        return _Known(self._installation, now_s)

    def _record(self, job: Object, stored: Object | None) -> Object:
        about = job["metadata"]
        fresh = {"name": claim_name(self.controller_name), "namespace": about["namespace"], "labels": dict(LABELS)}
        owner = {"apiVersion": API_VERSION, "kind": KIND, "name": about["name"], "uid": about["uid"]}
        before = fresh if stored is None else stored["metadata"]
        notes = dict(before.get("annotations") or {}) | {SCOPE: self.scope.name}
        metadata = dict(before) | {"annotations": notes, "ownerReferences": [owner]}
        spec = {} if stored is None else stored["spec"]
        return lease(metadata, spec, self._installation, self.scope.stale_s, self.clock.now_s())

    def _tell(self, namespace: str, before: str, holder: str) -> None:
        if holder == before or (not before and holder == self._installation):
            return
        about = {"of": namespace, "holder": holder}
        if holder == self._installation:
            _LOG.info("this controller serves a namespace that another one served", extra=about)
            self.notify(namespace, "")
        else:
            words = "another installation of this controllerName serves a namespace: its VideoJobs are ignored here"
            _LOG.error(words, extra=about)
            self.notify(namespace, holder)
