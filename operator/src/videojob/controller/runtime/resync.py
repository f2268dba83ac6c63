"""What there is, whatever events arrived: all VideoJobs, one namespace after the other, by their outlines,
and the objects of all other kinds.

Jobs that are over cost a row of a list, and no request of their own. A namespace that refuses to be listed, as one that
is deleted together with the controller's rights in it, keeps nobody from looking at the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

from videojob.controller.keys import JobKey
from videojob.controller.runtime.reconcilers import Key
from videojob.errors import ClusterRefused, ClusterUnavailable
from videojob.kube.kinds import VIDEOJOBS
from videojob.kube.read.outlines import JobOutline, job_outline
from videojob.ports.cluster import Cluster

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """What there is.

    Attributes:
        live: VideoJobs that may need a reconcile.
        settled: uids of those that are over, by key.
        going: those of them whose time to live is limited, with when it is over, in seconds since the epoch.
        others: objects of the other kinds.
        refused: namespaces that may not be listed. What their jobs asked of servers stands for a while (`Demands`).
        whole: nothing is missing but what was refused.
    """

    live: tuple[JobKey, ...]
    settled: dict[JobKey, str]
    going: tuple[tuple[JobKey, float], ...]
    others: tuple[Key, ...]
    refused: frozenset[str]
    whole: bool


@dataclass(slots=True)
class Resync:
    """Lists; for one thread at a time.

    Attributes:
        namespaces: whose jobs are served; empty for all.
        others: lists the objects of the other kinds.
    """

    cluster: Cluster
    namespaces: tuple[str, ...]
    others: Callable[[], list[Key]]
    _refused: set[str] = field(default_factory=set)

    def listed(self) -> Listed:
        """Everything there is.

        Raises:
            ClusterError: another kind, or the jobs of the whole cluster, cannot be listed.
        """
        live: list[JobKey] = []
        settled: dict[JobKey, str] = {}
        going: list[tuple[JobKey, float]] = []
        whole = True
        for namespace in self.namespaces or (None,):
            try:
                for one in self._jobs(namespace):
                    if not one.settled:
                        live.append(one.key)
                        continue
                    settled[one.key] = one.uid
                    if one.goes_s is not None:
                        going.append((one.key, one.goes_s))
            except ClusterRefused as error:
                if namespace is None:
                    raise
                self._is_refused(namespace, error)
            except ClusterUnavailable as error:
                whole = False
                _LOG.warning("not all objects could be listed", extra={"of": namespace, "error": str(error)})
            else:
                self._is_listed(namespace)
        others = tuple(self.others())
        return Listed(tuple(live), settled, tuple(going), others, frozenset(self._refused), whole)

    def _jobs(self, namespace: str | None) -> list[JobOutline]:
        """One namespace's, so that what was read of one that ends in an error does not count."""
        try:
            return [job_outline(one.metadata, one.cells) for one in self.cluster.outlines(VIDEOJOBS, namespace)]
        except ClusterRefused as error:
            if error.code != HTTPStatus.NOT_FOUND:
                raise
            return []  # without their CRD there are none, and no server may wait for them

    def _is_refused(self, namespace: str, error: ClusterRefused) -> None:
        if namespace not in self._refused:
            self._refused.add(namespace)
            words = "a namespace cannot be listed: its jobs are not reconciled, those of others are"
            _LOG.warning(words, extra={"of": namespace, "error": str(error)})

    def _is_listed(self, namespace: str | None) -> None:
        if namespace in self._refused:
            self._refused.remove(namespace)
            _LOG.info("a namespace can be listed again", extra={"of": namespace})
