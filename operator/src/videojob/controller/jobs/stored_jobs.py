"""VideoJobs as they are stored, each version parsed once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cachetools import LRUCache

from videojob.api.videojob import API_VERSION, KIND, VideoJob
from videojob.planning.installation import Installation
from videojob.planning.lifecycle.stored import stored_job
from videojob.planning.state.stored_job import StoredJob
from videojob.ports.cluster import Object

_MOST_REMEMBERED = 64
"""VideoJobs of 256 inputs take 250 KB each."""
_METADATA = ("name", "namespace", "labels", "uid", "generation", "creationTimestamp", "deletionTimestamp")


@dataclass(frozen=True, slots=True)
class StoredJobs:
    """Remembers those that were read last; safe for threads. A version never changes, so nothing here gets old."""

    installation: Installation
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _known: LRUCache[tuple[str, str], StoredJob] = field(default_factory=lambda: LRUCache(_MOST_REMEMBERED))

    def read(self, raw: Object) -> StoredJob:
        """A VideoJob as the API server gives it. Raises pydantic.ValidationError."""
        version = raw["metadata"]["uid"], raw["metadata"]["resourceVersion"]
        with self._lock:
            known = self._known.get(version)
        if known is not None:
            return known
        found = stored_job(parse(raw), self.installation)
        with self._lock:
            self._known[version] = found
        return found


def parse(raw: Object) -> VideoJob:
    """A VideoJob as the API server gives it. Raises pydantic.ValidationError."""
    metadata = {name: raw["metadata"][name] for name in _METADATA if name in raw["metadata"]}
    values = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": raw["spec"]}
    if raw.get("status"):
        values["status"] = raw["status"]
    return VideoJob.from_manifest(values)
