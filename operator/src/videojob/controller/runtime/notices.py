"""What an installation tells people about itself, where they look first: an Event at its own Deployment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob.controller.runtime.event_poster import EventPoster
from videojob.errors import ClusterError, ClusterRefused
from videojob.kube.names import LEASE
from videojob.planning.state.desired import EventDesired

_LOG = logging.getLogger(__name__)
REASON = "ScopeServedElsewhere"


@dataclass(slots=True)
class Notices:
    """Posts them; an Event is a courtesy, and readiness, log and metrics say the same.

    Attributes:
        namespace: of the installation.
        owner: its Deployment as owner references have it, or None: then they are at its Lease.
    """

    events: EventPoster
    namespace: str
    owner: Mapping[str, Any] | None = None
    _refused: bool = False

    def post(self, words: str) -> None:
        """Says why nothing is served."""
        if self._refused:
            return
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": LEASE}
        about = {**(lease if self.owner is None else self.owner), "namespace": self.namespace}
        try:
            self.events.post_about(about, EventDesired("Warning", REASON, words))
        except ClusterError as error:
            self._refused = isinstance(error, ClusterRefused)  # rights that it has not got: it is not asked again
            _LOG.warning("event not posted", extra={"error": str(error)})
