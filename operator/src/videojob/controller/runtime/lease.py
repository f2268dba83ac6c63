"""One controller at a time: a Lease that its holder renews, and that another one takes only when it was let go or has
not been renewed for its length. By the holder's own clock alone: what counts is how long the same record was seen.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from videojob.errors import ClusterError
from videojob.kube.kinds import LEASES
from videojob.kube.leases import holder_of, lease
from videojob.kube.names import LEASE, MANAGED_BY, MANAGER
from videojob.ports.clock import Clock
from videojob.ports.cluster import AlreadyThere, Cluster, ClusterConflict, Object

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Lease:
    """This process's side of the Lease.

    Attributes:
        namespace: of the Lease. identity: of this process, different from every other's.
        length_s: how long a record that is not renewed holds.
        renewed: called with the Lease's resourceVersion whenever this process has written it.
    """

    cluster: Cluster
    clock: Clock
    namespace: str
    identity: str
    length_s: float = 30.0
    renewed: Callable[[str], None] = lambda _version: None
    holder: str = ""
    """Who else had it at the last reconcile; "" for nobody, or when there was no answer."""
    _held: bool = False
    _renewed_s: float = 0.0
    _seen: str = ""
    _seen_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def renew_every_s(self) -> float:
        """How often `step` is to be called."""
        return self.length_s / 6

    @property
    def left_s(self) -> float:
        """For how long this process may still take it for its own; well before anybody else may."""
        if not self._held:
            return 0.0
        return max(0.0, self._renewed_s + self.length_s * 2 / 3 - self.clock.monotonic_s())

    @property
    def holds(self) -> bool:
        """Whether this process may work. A holder that cannot reach the API server keeps it only for a while."""
        return self.left_s > 0

    def step(self) -> bool:
        """Takes or renews it; returns whether this process holds it."""
        with self._lock:  # a step that hung may come back beside the next one
            try:
                self._held = self._step()
            except ClusterError as error:
                self.holder = ""
                _LOG.warning("the Lease cannot be renewed", extra={"error": str(error)})
            return self.holds

    def release(self) -> None:
        """Releases it, so that the next one need not wait; a failure only makes it wait."""
        with self._lock:
            if not self._held:
                return
            self._held = False
            try:
                stored = self.cluster.get(LEASES, self.namespace, LEASE)
                if stored is not None and holder_of(stored) == self.identity:
                    self.cluster.replace(LEASES, self._record(stored, holder=""))
            except (ClusterError, ClusterConflict) as error:
                _LOG.warning("the Lease was not released", extra={"error": str(error)})

    def _step(self) -> bool:
        now_s = self.clock.monotonic_s()
        stored = self.cluster.get(LEASES, self.namespace, LEASE)
        if stored is None:
            return self._made(now_s)
        version = str(stored["metadata"]["resourceVersion"])
        if version != self._seen:
            self._seen, self._seen_s = version, now_s
        holder = holder_of(stored)
        free = holder in {"", self.identity} or now_s - self._seen_s >= self.length_s
        self.holder = "" if holder == self.identity else holder
        if not free:
            return False
        try:
            written = self.cluster.replace(LEASES, self._record(stored, holder=self.identity))
        except ClusterConflict:
            return False
        return self._wrote(written, now_s)

    def _made(self, now_s: float) -> bool:
        labels = {MANAGED_BY: MANAGER}
        empty = {"metadata": {"name": LEASE, "namespace": self.namespace, "labels": labels}, "spec": {}}
        try:
            written = self.cluster.create(LEASES, self._record(empty, holder=self.identity))
        except AlreadyThere:
            return False
        return self._wrote(written, now_s)

    def _wrote(self, written: Object, now_s: float) -> bool:
        self._renewed_s = now_s
        self.renewed(str(written["metadata"]["resourceVersion"]))
        return True

    def _record(self, stored: Object, holder: str) -> Object:
        return lease(stored["metadata"], stored["spec"], holder, self.length_s, self.clock.now_s())
