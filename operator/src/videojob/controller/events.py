"""Posts the Events that decisions ask for, each once."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from videojob.api.videojob import VideoJob
from videojob.manifests.events import event_of
from videojob.manifests.kinds import EVENTS
from videojob.planning.desired import EventWanted
from videojob.ports import AlreadyThere, Clock, Cluster

_MOST_REMEMBERED = 10_000


@dataclass(slots=True)
class EventPoster:
    """Remembers what it posted, so that news that stay true cost one request; safe for threads."""

    cluster: Cluster
    clock: Clock
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _posted: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def post(self, job: VideoJob, wanted: Sequence[EventWanted]) -> None:
        """Posts what was not posted yet.

        Raises:
            ClusterError: the API server does not answer, or refuses.
        """
        for one in wanted:
            event = event_of(job, one, self.clock.now_s())
            key = (job.metadata.namespace, str(event["metadata"]["name"]))
            with self._lock:
                if key in self._posted:
                    continue
            with contextlib.suppress(AlreadyThere):  # posted before this controller was started anew
                self.cluster.create(EVENTS, event)
            with self._lock:
                self._posted[key] = None
                if len(self._posted) > _MOST_REMEMBERED:
                    self._posted.popitem(last=False)
