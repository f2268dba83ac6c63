"""Events about VideoJobs. PURE: who posts one that exists already has posted it before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from videojob.api.videojob import API_VERSION, KIND, VideoJob
from videojob.kube.render.status import timestamp
from videojob.planning.state.desired import EventDesired

COMPONENT = "videojob-controller"
_MOST_CHARACTERS = 1000  # the API server takes 1024


_PERIOD_S = 1800  # an Event lasts an hour


def event_of(job: VideoJob, event: EventDesired, now_s: float) -> dict[str, Any]:
    """An Event, named by its content: the same message about the same generation of a job is one Event.

    The generation is in it because what is said may happen again: a job is suspended, resumed and suspended again.
    """
    metadata = job.metadata
    about = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": metadata.name,
        "namespace": metadata.namespace,
        "uid": metadata.uid,
    }
    return _event(about, event, f"{metadata.uid} {metadata.generation}", now_s)


def installation_event(about: Mapping[str, Any], event: EventDesired, now_s: float) -> dict[str, Any]:
    """An Event about an object of the installation itself; the same message is one Event in half an hour.

    Args:
        about: the object, as in "involvedObject".
        event: what is to be said.
        now_s: seconds since the epoch.
    """
    return _event(about, event, f"{about.get('uid', '')} {int(now_s / _PERIOD_S)}", now_s)


def _event(about: Mapping[str, Any], event: EventDesired, what: str, now_s: float) -> dict[str, Any]:
    words = f"{what} {event.reason} {event.message}"
    when = timestamp(now_s)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{about['name']}.{hashlib.sha256(words.encode()).hexdigest()[:16]}",
            "namespace": about["namespace"],
        },
        "involvedObject": dict(about),
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:_MOST_CHARACTERS],
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
