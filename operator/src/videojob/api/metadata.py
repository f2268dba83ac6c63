"""The part of `metadata` that matters here; the kube-apiserver owns the rest and is stricter about it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from videojob.api.base import Items, Model
from videojob.api.text import DnsLabel, JobName, LabelKey, LabelValue

MAX_LABELS = 256


def _is_empty(value: dict[str, str] | tuple[object, ...]) -> bool:
    return not value


class Metadata(Model):
    """Identity of a VideoJob."""

    name: JobName
    """Name of the job, at most 52 characters: lower-case letters, digits and "-"."""
    namespace: DnsLabel = "default"
    """Namespace on a cluster; a mere label on a laptop."""
    labels: Annotated[
        dict[LabelKey, LabelValue], Field(default_factory=dict, max_length=MAX_LABELS, exclude_if=_is_empty)
    ]
    """For selecting; `kueue.x-k8s.io/queue-name` puts the job into a Kueue queue."""
    annotations: Annotated[
        dict[LabelKey, str], Field(default_factory=dict, max_length=MAX_LABELS, exclude_if=_is_empty)
    ]
    """Annotations; not used here."""
    uid: str | None = None
    """Set by the cluster."""
    generation: int | None = None
    """Set by the cluster: counts changes of the spec."""
    resource_version: str | None = None
    """Set by the cluster."""
    creation_timestamp: str | None = None
    """Set by the cluster."""
    deletion_timestamp: str | None = None
    """Set by the cluster."""
    deletion_grace_period_seconds: int | None = None
    """Set by the cluster."""
    finalizers: Annotated[Items[str], Field(exclude_if=_is_empty)] = ()
    """Finalizers that must be removed before the object is deleted."""
    owner_references: Annotated[Items[dict[str, Any]], Field(exclude_if=_is_empty)] = ()
    """Owners on a cluster."""
    managed_fields: Annotated[Items[dict[str, Any]], Field(exclude_if=_is_empty)] = ()
    """Set by the cluster."""
