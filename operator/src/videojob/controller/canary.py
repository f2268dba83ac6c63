"""Proves that events still come: a VideoJob of our own is marked again and again, and the watch must show each mark.

A watch can end for good without a word while the process looks healthy. The liveness probe asks here, so that
Kubernetes starts a deaf controller anew.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob.api.videojob import API_VERSION, KIND
from videojob.errors import ClusterError
from videojob.manifests.kinds import VIDEOJOBS
from videojob.manifests.names import CANARY, MANAGED_BY, MANAGER
from videojob.ports import AlreadyThere, Clock, Cluster, Object

_LOG = logging.getLogger(__name__)
NAME = "videojob-canary"
_MARK = "videojob.dev/canary-mark"


@dataclass(slots=True)
class Canary:
    """The canary and what was heard of it.

    Attributes:
        namespace: where it lies. owner: owner reference that removes it with this installation, or None.
        every_s: how often it is marked. deaf_after_s: how long its marks may stay unseen.
    """

    cluster: Cluster
    clock: Clock
    namespace: str
    owner: Mapping[str, Any] | None
    every_s: float = 30.0
    deaf_after_s: float = 120.0
    _oldest_unseen_s: float | None = None
    _mark: int = 0

    def mark(self) -> None:
        """Marks it, and makes it when it is not there. The API server being away is no proof of deafness."""
        try:
            self._mark += 1
            patch = {"metadata": {"annotations": {_MARK: str(self._mark)}}}
            if self.cluster.patch(VIDEOJOBS, self.namespace, NAME, patch) is None:
                self.cluster.create(VIDEOJOBS, self._object())
        except AlreadyThere:
            return
        except ClusterError as error:
            _LOG.warning("the canary was not marked", extra={"error": str(error)})
            return
        if self._oldest_unseen_s is None:
            self._oldest_unseen_s = self.clock.monotonic_s()

    def heard(self, body: Object) -> None:
        """The watch showed the canary; only its newest mark proves that it shows what happens now."""
        mark = body["metadata"].get("annotations", {}).get(_MARK, "")
        if mark == str(self._mark):
            self._oldest_unseen_s = None

    @property
    def silent_s(self) -> float:
        """For how long marks have been unseen; 0 when the last one was seen."""
        since_s = self._oldest_unseen_s
        return 0.0 if since_s is None else self.clock.monotonic_s() - since_s

    @property
    def hears(self) -> bool:
        """Whether the watch can be taken to work."""
        return self.silent_s < self.deaf_after_s

    def _object(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "name": NAME,
            "namespace": self.namespace,
            "labels": {MANAGED_BY: MANAGER, CANARY: "true"},
            "annotations": {_MARK: str(self._mark)},
        }
        if self.owner is not None:
            metadata["ownerReferences"] = [dict(self.owner)]
        spec = {
            "suspend": True,
            "model": {"name": "none"},
            "inputs": [{"s3": {"bucket": "none", "key": "none"}}],
        }
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
