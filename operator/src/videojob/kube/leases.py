"""Leases as they are stored. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob.kube.names import APP, MANAGED_BY, MANAGER
from videojob.kube.render.status import timestamp

LABELS: Mapping[str, str] = {APP: MANAGER, MANAGED_BY: MANAGER}


def lease(
    metadata: Mapping[str, Any], before: Mapping[str, Any], holder: str, length_s: float, now_s: float
) -> dict[str, Any]:
    """A Lease that `holder` has taken or renewed, or ("") let go.

    Args:
        metadata: to store it with; with a resourceVersion it replaces that version alone.
        before: its spec until now; empty for a new one.
        holder: whose it is from now on.
        length_s: for how long it holds unrenewed.
        now_s: seconds since the epoch.
    """
    now = timestamp(now_s).replace("Z", ".000000Z")
    taken = bool(holder) and before.get("holderIdentity") != holder
    spec = {
        "holderIdentity": holder,
        "leaseDurationSeconds": max(1, int(length_s)),
        "renewTime": now,
        "acquireTime": now if taken else before.get("acquireTime", now),
        "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if taken else 0),
    }
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict(metadata), "spec": spec}


def holder_of(stored: Mapping[str, Any]) -> str:
    """Who has a stored Lease; "" for nobody."""
    return str(stored["spec"].get("holderIdentity") or "")
