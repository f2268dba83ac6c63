"""The Kubernetes API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from videojob.kube.kinds import Kind
from videojob.kube.read.log_sources import LogQuery

Object = Mapping[str, Any]
"""A Kubernetes object, as the API server writes it."""


@dataclass(frozen=True, slots=True)
class Outline:
    """An object as a table shows it.

    Attributes:
        metadata: of the object, whole.
        cells: what its kind's printer columns show, by the column's name; None where there is nothing.
    """

    metadata: Object
    cells: Mapping[str, Any]


class AlreadyThere(Exception):
    """An object of that name is there already."""


class ClusterConflict(Exception):
    """The object changed since it was read, or is another one: read it again."""


class Cluster(Protocol):
    """The Kubernetes API. All methods raise ClusterUnavailable and ClusterRefused; safe for threads."""

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object | None:
        """One object, read live; None when it is not there."""
        ...

    def list(
        self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "", most: int | None = None
    ) -> Iterator[Object]:
        """Objects of one namespace or of all, page by page, `most` at the most; they lack their own kind and
        apiVersion.
        """
        ...

    def outlines(self, kind: Kind, namespace: str | None = None, *, labels: str = "") -> Iterator[Outline]:
        """The same of all objects in a form that does not grow with what they hold, page by page."""
        ...

    def create(self, kind: Kind, value: Object) -> Object:
        """Makes an object. Raises AlreadyThere."""
        ...

    def replace(self, kind: Kind, value: Object) -> Object:
        """Writes an object over the version that it was read as. Raises ClusterConflict."""
        ...

    def apply(self, kind: Kind, value: Object, *, manager: str) -> Object:
        """Server-side apply: makes the object, or sets the fields that it names."""
        ...

    def patch(
        self, kind: Kind, namespace: str | None, name: str, value: Object, *, subresource: str = ""
    ) -> Object | None:
        """Merge patch; None when the object is not there."""
        ...

    def delete(self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None) -> None:
        """Deletes an object, what it owns after it; nothing when it is not there. Raises ClusterConflict for a `uid`
        that is another object's.
        """
        ...


class ClusterStreams(Protocol):
    """What the Kubernetes API tells as it happens. Raises what `Cluster` does."""

    def watch(
        self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = "", version: str = ""
    ) -> Iterator[tuple[str, Object]]:
        """("ADDED" | "MODIFIED" | "DELETED", object) as they come, without `version` first all that are there; ends now
        and then, at once for a version that is too old.
        """
        ...

    def log(self, namespace: str, pod: str, query: LogQuery) -> Iterator[tuple[str, str]]:
        """(time, line) of a container's log, oldest first; may end before its container does."""
        ...
