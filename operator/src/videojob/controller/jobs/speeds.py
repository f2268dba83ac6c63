"""The catalogue of speeds as the cluster keeps it: one ConfigMap beside the controller, bounded, written as jobs end.

What goes wrong here stops nothing: a job's speeds are then not learned, and plans use those that are known.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from videojob.adapters.kubernetes.speeds import change_book
from videojob.errors import ClusterError
from videojob.kube.kinds import CONFIG_MAPS
from videojob.kube.names import SPEEDS
from videojob.kube.speeds import book_of
from videojob.planning.throughput.book import Book, NotACatalogue
from videojob.planning.throughput.catalogue import Catalogue
from videojob.planning.throughput.seeds import Seeds
from videojob.ports.clock import Clock
from videojob.ports.cluster import Cluster
from videojob.worker.steps.learning import Learned

_LOG = logging.getLogger(__name__)
_FRESH_S = 60.0


@dataclass(slots=True)
class SpeedKeeper:
    """Reads and writes it; for all threads.

    Attributes:
        namespace: of the controller. seeds: what others published.
        owner: owner reference of the ConfigMap; None for none.
    """

    cluster: Cluster
    clock: Clock
    namespace: str
    seeds: Seeds
    owner: Mapping[str, Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: Book = field(default_factory=Book)
    _read_s: float | None = None

    def learn(self, found: Learned) -> None:
        """Adds what a job's commits tell; with nothing to add, nothing is written."""
        if not found:
            return
        with self._lock:
            try:
                self._add(found)
            except (ClusterError, NotACatalogue) as error:
                _LOG.warning("the speeds of a job were not kept", extra={"error": str(error)})

    def speeds(self) -> Catalogue:
        """What is known now; read at most once a minute."""
        with self._lock:
            now_s = self.clock.monotonic_s()
            if self._read_s is None or now_s - self._read_s >= _FRESH_S:
                self._read_s = now_s
                try:
                    self._known = book_of(self.cluster.get(CONFIG_MAPS, self.namespace, SPEEDS))
                except (ClusterError, NotACatalogue) as error:
                    _LOG.warning("the catalogue of speeds cannot be read", extra={"error": str(error)})
            return Catalogue(self.seeds, self._known.measurements())

    def _add(self, found: Learned) -> None:
        at_s = int(self.clock.now_s())
        change_book(self.cluster, self.namespace, lambda book: book.adding(found, at_s), self.owner)
        self._read_s = None  # read again when it is asked for
