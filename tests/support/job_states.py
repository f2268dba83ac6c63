"""VideoJobs as the API server would give them, with defaults of a job that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob.kube.read.job_state import JobState, job_state

CREATED = "2026-11-25T10:00:00Z"


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": CREATED}


def job_object(
    reason: str = "Processing",
    succeeded: str = "Unknown",
    *,
    message: str = "segments are running",
    conditions: tuple[Mapping[str, str], ...] = (),
    spec: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """A VideoJob that a controller has reconciled."""
    base = {"name": "entrance", "namespace": "team-a", "uid": "u-1", "creationTimestamp": CREATED}
    told = {"message": message, "conditions": [condition("Succeeded", succeeded, reason, message), *conditions]}
    return {"metadata": base | dict(metadata or {}), "spec": dict(spec or {}), "status": told | status}


def a_state(reason: str = "Processing", succeeded: str = "Unknown", **changes: Any) -> JobState:
    """The same as values."""
    return job_state(job_object(reason, succeeded, **changes))


def new_state() -> JobState:
    """A job that no controller has reconciled."""
    value = job_object()
    del value["status"]
    return job_state(value)
