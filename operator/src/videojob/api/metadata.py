"""The part of `metadata` that matters here; the kube-apiserver owns the rest and is stricter about it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from videojob.api.base import Items, Model
from videojob.api.text import DnsLabel, JobName, LabelKey, LabelValue

MAX_LABELS = 256
MAX_ANNOTATION_BYTES = 256 * 1024


class Metadata(Model):
    """Identity of a VideoJob."""

    name: JobName
    """Name of the job, at most 52 characters: lower-case letters, digits and "-"."""
    namespace: DnsLabel = "default"
    """Namespace on a cluster; a mere label on a laptop."""
    labels: Annotated[dict[LabelKey, LabelValue], Field(default_factory=dict, max_length=MAX_LABELS)]
    """For selecting; `kueue.x-k8s.io/queue-name` puts the job into a Kueue queue."""
    annotations: Annotated[dict[LabelKey, str], Field(default_factory=dict, max_length=MAX_LABELS)]
    """Free notes."""
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
    finalizers: Items[str] = ()
    """Who must agree to the deletion."""
    owner_references: Items[dict[str, Any]] = ()
    """Owners on a cluster."""
    managed_fields: Items[dict[str, Any]] = ()
    """Set by the cluster."""
