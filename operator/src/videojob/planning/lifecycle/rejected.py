"""What a VideoJob shows, and asks of its server, when Kubernetes rejects an object that it needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from videojob.planning.diagnosis.messages import sentence
from videojob.planning.diagnosis.rejected import REFUSED, what_to_allow
from videojob.planning.lifecycle.backend import BackendLifecycle
from videojob.planning.lifecycle.events import events_of
from videojob.planning.state.desired import ConditionDesired, Desired
from videojob.planning.state.snapshot import Snapshot


def held_up(snapshot: Snapshot, desired: Desired, error: Mapping[str, Any], backend: BackendLifecycle) -> Desired:
    """What is to be said, and asked of the server, when something of `desired` was refused.

    An end stays an end. Workers that are at it keep their server; for work that cannot begin none is paid.

    Args:
        snapshot: that `desired` was decided from.
        desired: of which a part was refused.
        error: `VideoJobError.as_dict()` of the refusal.
        backend: that runs the job.
    """
    if desired.ended:
        return desired
    said = str(error.get("message", ""))
    words = sentence(
        f"Kubernetes rejects what the job needs: {said}", what_to_allow(said) or str(error.get("hint") or "")
    )
    conditions = tuple(
        ConditionDesired("Succeeded", "Unknown", REFUSED, words)
        if one.type == "Succeeded"
        else ConditionDesired("CapacityReady", "False", REFUSED, words)
        if one.type == "CapacityReady" and not snapshot.observed.backend.is_working
        else one
        for one in desired.conditions
    )
    demand = desired.demand if snapshot.observed.backend.is_working else None
    described = replace(desired, reason=REFUSED, message=words, conditions=conditions, demand=demand, events=())
    return replace(described, events=events_of(snapshot, described, backend.events(snapshot, described)))
