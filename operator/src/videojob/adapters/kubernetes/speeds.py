"""Writes the catalogue of speeds on a cluster, against other writers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from videojob.errors import ClusterUnavailable
from videojob.kube.kinds import CONFIG_MAPS
from videojob.kube.names import SPEEDS
from videojob.kube.speeds import book_of, speeds_config_map
from videojob.planning.throughput.book import Book
from videojob.ports.cluster import AlreadyThere, Cluster, ClusterConflict

_TRIES = 5


def change_book(
    cluster: Cluster, namespace: str, change: Callable[[Book], Book], owner: Mapping[str, Any] | None = None
) -> Book:
    """Changes the stored catalogue; returns it as it is stored now.

    Args:
        cluster: whose.
        namespace: of the controller.
        change: what becomes of the stored one; called again when another writer was faster.
        owner: owner reference of the ConfigMap, should it be made; None for none.

    Raises:
        ClusterError: it cannot be read or written.
        NotACatalogue: what is stored is none: nothing is written over it.
    """
    for _ in range(_TRIES):
        stored = cluster.get(CONFIG_MAPS, namespace, SPEEDS)
        before = book_of(stored)
        after = change(before)
        if after == before:
            return before
        requested = speeds_config_map(after, namespace, stored, owner)
        try:
            if stored is None:
                cluster.create(CONFIG_MAPS, requested)
            else:
                cluster.replace(CONFIG_MAPS, requested)
        except (AlreadyThere, ClusterConflict):
            continue
        return after
    raise ClusterUnavailable(f"the ConfigMap {namespace}/{SPEEDS} is being changed by others all the time")
