"""What Kubernetes will not make for a job: in its words, with what to change so that it does. Pure.

The API server refuses the controller's own request, or a controller of Kubernetes tells of the same about pods: quota,
Pod Security, policies and names that do not exist. Nothing has failed for good: it is asked for again and again, and
the job goes on when it is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from videojob.planning.lifecycle.conditions import sentence
from videojob.planning.lifecycle.events import events_of
from videojob.planning.state.desired import ConditionDesired, Desired
from videojob.planning.state.snapshot import Snapshot

REFUSED = "CreationRefused"
_ADVICE = (
    (r"service ?account .*not found", "Add the namespace to the chart's value `tenants`: workers lack an account."),
    (
        r"priorityclass|priority class",
        "Have that PriorityClass made, or make the job anew with one that `kubectl get priorityclasses` lists.",
    ),
    (r"exceeded quota|failed quota", "Raise the namespace's ResourceQuota, or let other work in it end."),
    (r"violates podsecurity", "Give the namespace a level of Pod Security that allows these pods: `restricted` does."),
    (r"admission webhook|validatingadmissionpolicy", "A policy of this cluster refuses it: ask who looks after that."),
    (r"(maximum|minimum) \S+ usage per", "Change the namespace's LimitRange, or the chart's value `worker`."),
    (r"cannot \S+ resource", "The controller lacks a right: upgrade the chart's release together with its roles."),
)  # fmt: skip


def what_to_allow(words: str) -> str:
    """What to change, by the words of the refusal; "" for words that nobody has thought of."""
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, words, re.IGNORECASE)), "")


def held_up(snapshot: Snapshot, desired: Desired, error: Mapping[str, Any]) -> Desired:
    """What is to be said, and asked of the server, when something of `desired` was refused.

    An end stays an end. Workers that are at it keep their server; for work that cannot begin none is paid.

    Args:
        snapshot: that `desired` was decided from.
        desired: of which a part was refused.
        error: `VideoJobError.as_dict()` of the refusal.
    """
    if desired.ended:
        return desired
    said = str(error.get("message", ""))
    words = sentence(
        f"Kubernetes refuses what the job needs: {said}", what_to_allow(said) or str(error.get("hint") or "")
    )
    conditions = tuple(
        ConditionDesired("Succeeded", "Unknown", REFUSED, words)
        if one.type == "Succeeded"
        else ConditionDesired("CapacityReady", "False", REFUSED, words)
        if one.type == "CapacityReady" and not snapshot.is_working
        else one
        for one in desired.conditions
    )
    demand = desired.demand if snapshot.is_working else None
    told = replace(desired, reason=REFUSED, message=words, conditions=conditions, demand=demand, events=())
    return replace(told, events=events_of(snapshot, told))
