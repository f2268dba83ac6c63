"""The catalogue of speeds as a ConfigMap. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob.kube.names import APP, MANAGED_BY, MANAGER, SPEEDS, SPEEDS_KEY
from videojob.planning.throughput.book import Book, parse, text_of


def book_of(stored: Mapping[str, Any] | None) -> Book:
    """What a ConfigMap has; an empty one when there is none, or nothing is in it.

    Raises:
        NotACatalogue: it has something else.
    """
    text = "" if stored is None else (stored.get("data") or {}).get(SPEEDS_KEY, "")
    return parse(text) if text else Book()


def speeds_config_map(
    book: Book, namespace: str, before: Mapping[str, Any] | None, owner: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The ConfigMap to store.

    Args:
        book: what it is to have.
        namespace: where.
        before: what is replaced, in that version alone; None for a new one.
        owner: owner reference of a new one; None for none.
    """
    if before is not None:
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": before["metadata"], "data": _data(book)}
    metadata: dict[str, Any] = {
        "name": SPEEDS,
        "namespace": namespace,
        "labels": {APP: MANAGER, MANAGED_BY: MANAGER},
    }
    if owner is not None:
        metadata["ownerReferences"] = [dict(owner)]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": _data(book)}


def _data(book: Book) -> dict[str, str]:
    return {SPEEDS_KEY: text_of(book)}
