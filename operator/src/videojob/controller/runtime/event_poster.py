"""Posts the Events that decisions ask for, each once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cachetools import FIFOCache

from videojob.api.videojob import VideoJob
from videojob.kube.kinds import EVENTS
from videojob.kube.render.events import event_of, installation_event
from videojob.planning.state.desired import EventDesired
from videojob.ports.clock import Clock
from videojob.ports.cluster import AlreadyThere, Cluster, Object

_MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class EventPoster:
    """Remembers what it posted, so that facts that stay true cost one request; safe for threads."""

    cluster: Cluster
    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _posted: FIFOCache[tuple[str, str], None] = field(default_factory=lambda: FIFOCache(_MOST_REMEMBERED))

    def post(self, job: VideoJob, desired: Sequence[EventDesired]) -> None:
        """Posts what was not posted yet.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        for one in desired:
            self._once(event_of(job, one, self.clock.now_s()))

    def post_about(self, about: Mapping[str, Any], desired: EventDesired) -> None:
        """Posts something about an object of the installation itself, every half an hour while it is asked to.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        self._once(installation_event(about, desired, self.clock.now_s()))

    def _once(self, event: Object) -> None:
        key = (str(event["metadata"]["namespace"]), str(event["metadata"]["name"]))
        with self._lock:
            if key in self._posted:
                return
        with contextlib.suppress(AlreadyThere):  # posted before this controller was restarted
            self.cluster.create(EVENTS, event)
        with self._lock:
            self._posted[key] = None
