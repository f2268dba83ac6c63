"""Who serves a namespace: of all controllers of one name, the one that holds the claim there.

A claim is a Lease in the namespace whose VideoJobs are served. A controller takes it before it does anything about the
first of them, and leaves the namespace alone while another installation has it: so two releases of one name, whatever
their scopes, never act on one VideoJob, even where neither may read the other's namespace. It goes with the VideoJobs.
It is judged as the controller's own Lease is: by how long its record was seen unchanged, never by anybody's clock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from videojob.api.videojob import API_VERSION, KIND
from videojob.manifests.kinds import LEASES
from videojob.manifests.names import APP, MANAGED_BY, MANAGER, claim_name
from videojob.manifests.status import timestamp
from videojob.ports import AlreadyThere, Clock, Cluster, ClusterConflict, Object

_LOG = logging.getLogger(__name__)
STALE_S = 900.0
"""A claim that nobody renewed for so long is anybody's. Reconciles renew it, and a resync reconciles all jobs."""
_RENEW_S = 60.0
_ASK_S = 15.0
_FORGET_S = 180.0  # nobody looks any more at a VideoJob there


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
        installation: "namespace/name" of this installation's Lease, the same for all its processes.
        told: hears of each namespace that another installation has begun or ceased to serve, and which.
    """

    cluster: Cluster
    clock: Clock
    controller_name: str
    installation: str
    told: Callable[[str, str], None] = lambda _namespace, _holder: None
    _known: dict[str, _Known] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def holds(self, job: Object) -> bool:
        """Whether this installation serves the VideoJob's namespace; takes or renews the claim when that is due.

        The claim belongs to the VideoJob for which it was written last, so that none is left when the last has gone.

        Raises:
            ClusterError: that could not be found out.
        """
        now_s, namespace = self.clock.monotonic_s(), str(job["metadata"]["namespace"])
        with self._lock:
            known = self._known.get(namespace, _Known())
        mine = known.holder == self.installation
        if known.holder and now_s - known.asked_s < (_RENEW_S if mine else _ASK_S):
            return mine
        found = self._ask(job, known, now_s)
        with self._lock:
            before, self._known[namespace] = known.holder, found
        self._tell(namespace, before, found.holder)
        return found.holder == self.installation

    def gone(self, namespace: str) -> None:
        """A VideoJob there has gone, perhaps the one that the claim belongs to: the next look writes the claim anew."""
        with self._lock:
            known = self._known.get(namespace)
            if known is not None and known.holder == self.installation:
                known.asked_s = -_RENEW_S

    @property
    def foreign(self) -> dict[str, str]:
        """The installations that serve namespaces with VideoJobs for this one, by namespace."""
        since_s = self.clock.monotonic_s() - _FORGET_S
        with self._lock:
            known = [(name, one) for name, one in self._known.items() if one.asked_s >= since_s]
        return {name: one.holder for name, one in known if one.holder != self.installation}

    def _ask(self, job: Object, known: _Known, now_s: float) -> _Known:
        stored = self.cluster.get(LEASES, str(job["metadata"]["namespace"]), claim_name(self.controller_name))
        if stored is None:
            return self._take(job, None, now_s)
        version = str(stored["metadata"]["resourceVersion"])
        unchanged_s = known.unchanged_s if version == known.version else now_s
        holder = str(stored["spec"].get("holderIdentity") or "")
        if holder in {"", self.installation} or now_s - unchanged_s >= STALE_S:
            return self._take(job, stored, now_s)
        return _Known(holder, now_s, version, unchanged_s)

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
            holder = "" if raced is None else str(raced["spec"].get("holderIdentity") or "")
            version = "" if raced is None else str(raced["metadata"]["resourceVersion"])
            return _Known(holder or "somebody else", now_s, version, now_s)
        return _Known(self.installation, now_s)

    def _record(self, job: Object, stored: Object | None) -> dict[str, Any]:
        now = timestamp(self.clock.now_s()).replace("Z", ".000000Z")
        labels = {APP: MANAGER, MANAGED_BY: MANAGER}
        about = job["metadata"]
        fresh = {"name": claim_name(self.controller_name), "namespace": about["namespace"], "labels": labels}
        owner = {"apiVersion": API_VERSION, "kind": KIND, "name": about["name"], "uid": about["uid"]}
        before = {} if stored is None else stored["spec"]
        taken = before.get("holderIdentity") != self.installation
        spec = {
            "holderIdentity": self.installation,
            "leaseDurationSeconds": int(STALE_S),
            "renewTime": now,
            "acquireTime": now if taken else before.get("acquireTime", now),
            "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if taken and stored is not None else 0),
        }
        metadata = (fresh if stored is None else dict(stored["metadata"])) | {"ownerReferences": [owner]}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    def _tell(self, namespace: str, before: str, holder: str) -> None:
        if holder == before or (not before and holder == self.installation):
            return
        about = {"of": namespace, "holder": holder}
        if holder == self.installation:
            _LOG.info("this controller serves a namespace that another one served", extra=about)
            self.told(namespace, "")
        else:
            words = "another installation of this controllerName serves a namespace: its VideoJobs are left alone here"
            _LOG.error(words, extra=about)
            self.told(namespace, holder)
