"""Events about VideoJobs, posted by the controller itself: one for each change of the reason."""

from __future__ import annotations

import hashlib
from typing import Literal

from videojob.api.videojob import API_VERSION, KIND, VideoJob
from videojob.manifests.kinds import EVENTS
from videojob.manifests.status import timestamp
from videojob.ports import AlreadyThere, Clock, Cluster

_MOST_CHARACTERS = 1000  # the API server takes 1024


def post_event(
    cluster: Cluster, job: VideoJob, kind: Literal["Normal", "Warning"], *, reason: str, message: str, clock: Clock
) -> None:
    """Posts an Event; the same words within the same minute are one."""
    now_s = clock.now_s()
    metadata = job.metadata
    mark = hashlib.sha256(f"{metadata.uid} {reason} {message} {int(now_s) // 60}".encode()).hexdigest()[:16]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata.name}.{mark}", "namespace": metadata.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
        "type": kind,
        "reason": reason,
        "message": message[:_MOST_CHARACTERS],
        "source": {"component": "videojob-controller"},
        "reportingComponent": "videojob-controller",
        "firstTimestamp": timestamp(now_s),
        "lastTimestamp": timestamp(now_s),
        "count": 1,
    }
    try:
        cluster.create(EVENTS, event)
    except AlreadyThere:
        return
