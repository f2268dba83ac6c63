"""Events about VideoJobs. PURE: who posts one and is told that it is there already has posted it before."""

from __future__ import annotations

import hashlib
from typing import Any

from videojob.api.videojob import API_VERSION, KIND, VideoJob
from videojob.manifests.status import timestamp
from videojob.planning.desired import EventWanted

COMPONENT = "videojob-controller"
_MOST_CHARACTERS = 1000  # the API server takes 1024


def event_of(job: VideoJob, wanted: EventWanted, now_s: float) -> dict[str, Any]:
    """An Event, named by its words: the same news about the same generation of a job is one Event.

    The generation is in it because what is said may happen again: a job is held, let go and held once more.
    """
    metadata = job.metadata
    words = f"{metadata.uid} {metadata.generation} {wanted.reason} {wanted.message}"
    when = timestamp(now_s)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata.name}.{hashlib.sha256(words.encode()).hexdigest()[:16]}",
            "namespace": metadata.namespace,
        },
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
        "type": wanted.type,
        "reason": wanted.reason,
        "message": wanted.message[:_MOST_CHARACTERS],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
