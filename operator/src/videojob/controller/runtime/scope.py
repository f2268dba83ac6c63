"""Who serves a scope: of all installations of one name and one scope, the one that holds the scope's Lease.

The others serve nothing, and name it. The Lease lies where all of them have rights: for a list of namespaces in the
first one that takes it, for the whole cluster in `default`. It is judged as the controller's own Lease is: by how long
its record was seen unchanged, never by anybody's clock. Scopes that merely overlap have two Leases, and divide their
namespaces by claims.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import LEASES, ROLES
from videojob.kube.leases import LABELS, holder_of, lease
from videojob.ports.clock import Clock
from videojob.ports.cluster import AlreadyThere, Cluster, ClusterConflict, Object

_LOG = logging.getLogger(__name__)
STALE_S = 900.0
"""What nobody renewed for so long is anybody's: longer than an upgrade or a lost node keeps an installation away."""
_RENEWALS = 15
_QUESTIONS = 60
_MOST_RACES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A namespace in which the Lease may lie.

    Attributes:
        holder: who has it there; "" for nobody, or nobody who lives.
        usable: whether the API server lets this installation read and write it there.
    """

    namespace: str
    holder: str = ""
    usable: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows for one installation.

    Attributes:
        write: the namespace in which it takes or renews the Lease; "" for none.
        holder: the other installation that serves the scope; "" for none.
    """

    write: str = ""
    holder: str = ""


def judge(places: Sequence[Place], mine: str) -> Verdict:
    """Whether the scope is this installation's; PURE.

    The first place with a holder decides, in an order that is the same for all: so two that hold it in two places, as
    when a namespace went and came back, do not both serve, and not both refuse.

    Args:
        places: in their order.
        mine: this installation.
    """
    held = next((one for one in places if one.holder), None)
    if held is not None and held.holder != mine:
        return Verdict(holder=held.holder)
    free = held or next((one for one in places if one.usable), None)
    return Verdict() if free is None else Verdict(write=free.namespace)


@dataclass(slots=True)
class Scope:
    """One installation's side of its scope's Lease; for all threads.

    Attributes:
        name: of the Lease. places: namespaces in which it may lie, in an order that is the same for all.
        installation: "namespace/name" of this installation's own Lease, the same for all its processes.
        owner: name of the Role beside the Lease, with which it goes when the installation is removed; "" for none.
        stale_s: how long a record that is not renewed holds.
        notify: called at each step without it with the installation that serves the scope, and "" once that has ceased.
    """

    cluster: Cluster
    clock: Clock
    name: str
    places: tuple[str, ...]
    installation: str
    owner: str = ""
    stale_s: float = STALE_S
    notify: Callable[[str], None] = lambda _holder: None
    _holder: str = ""
    _asked: bool = False
    _guarded: bool = False
    _until_s: float = 0.0
    _seen: dict[str, tuple[str, float]] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def holds(self) -> bool:
        """Whether this installation serves; well before anybody else may, one that cannot renew it does no more."""
        return self.clock.monotonic_s() < self._until_s

    @property
    def guarded(self) -> bool:
        """Whether nobody else of this scope serves: it is held by the Lease, not for want of a place for one."""
        return self._guarded and self.holds

    @property
    def pause_s(self) -> float:
        """How long to wait until the next step."""
        return self.stale_s / (_RENEWALS if self.holds else _QUESTIONS)

    @property
    def refused(self) -> str:
        """Why this installation serves nothing; "" when it serves."""
        if self.holds:
            return ""
        if self._holder:
            return f"{self._holder} serves the same scope with the same controllerName: nothing is served here"
        return "the Lease of the scope cannot be renewed" if self._asked else "it is not yet known who serves the scope"

    def step(self) -> bool:
        """Takes, renews or only judges the Lease; returns whether this installation serves from now on."""
        with self._lock:
            try:
                self._step()
            except ClusterUnavailable as error:
                about = {"lease": self.name, "error": str(error)}
                _LOG.warning("the Lease of the scope cannot be renewed", extra=about)
            return self.holds

    def _step(self) -> None:
        now_s = self.clock.monotonic_s()
        stored: dict[str, Object | None] = {}
        places = [self._read_place(one, stored, now_s) for one in self.places]
        for _ in range(len(places) + _MOST_RACES):
            verdict = judge(places, self.installation)
            if not verdict.write:
                break
            at = self.places.index(verdict.write)
            try:
                self._write(verdict.write, stored[verdict.write])
                break
            except ClusterRefused as error:
                places[at] = self._refuses(places[at], error)
            except (AlreadyThere, ClusterConflict):  # somebody was faster
                places[at] = self._read_place(verdict.write, stored, now_s)
        else:
            return  # whoever goes on losing asks again
        self._settle(verdict, now_s)

    def _read_place(self, namespace: str, stored: dict[str, Object | None], now_s: float) -> Place:
        try:
            found = stored[namespace] = self.cluster.get(LEASES, namespace, self.name)
        except ClusterRefused as error:
            return self._refuses(Place(namespace), error)
        if found is None:
            return Place(namespace)
        version, holder = str(found["metadata"]["resourceVersion"]), holder_of(found)
        before, since_s = self._seen.get(namespace, ("", now_s))
        if version != before:
            self._seen[namespace], since_s = (version, now_s), now_s
        is_free = holder != self.installation and now_s - since_s >= self.stale_s
        return Place(namespace, "" if is_free else holder)

    def _refuses(self, place: Place, error: ClusterRefused) -> Place:
        """As where the namespace is gone, or the chart's rights in it are."""
        if place.namespace not in self._closed:
            self._closed.add(place.namespace)
            about = {"lease": self.name, "of": place.namespace, "error": str(error)}
            _LOG.warning("the Lease of the scope cannot lie in a namespace", extra=about)
        return replace(place, holder="", usable=False)

    def _write(self, namespace: str, stored: Object | None) -> None:
        fresh = {"name": self.name, "namespace": namespace, "labels": dict(LABELS)}
        metadata = dict(fresh if stored is None else stored["metadata"]) | {"ownerReferences": self._owners(namespace)}
        spec = {} if stored is None else stored["spec"]
        made = lease(metadata, spec, self.installation, self.stale_s, self.clock.now_s())
        if stored is None:
            self.cluster.create(LEASES, made)
        else:
            self.cluster.replace(LEASES, made)

    def _owners(self, namespace: str) -> list[dict[str, str]]:
        """Asked for each time: a Lease of an owner that was recreated would be collected as garbage."""
        try:
            role = self.cluster.get(ROLES, namespace, self.owner) if self.owner else None
        except ClusterRefused:
            role = None
        if role is None:
            return []
        uid = str(role["metadata"]["uid"])
        return [{"apiVersion": ROLES.api, "kind": "Role", "name": self.owner, "uid": uid}]

    def _settle(self, verdict: Verdict, now_s: float) -> None:
        before, self._holder, self._asked = self._holder, verdict.holder, True
        self._guarded = bool(verdict.write)
        self._until_s = 0.0 if verdict.holder else now_s + self.stale_s * 2 / 3
        if verdict.holder != before:
            about = {"holder": verdict.holder, "lease": self.name}
            if verdict.holder:
                words = "another installation of this controllerName serves the same scope: nothing is served here"
                _LOG.error(words, extra=about)
            else:
                _LOG.warning("this installation serves its scope now, which another one served", extra=about)
        if verdict.holder or before:
            self.notify(verdict.holder)
