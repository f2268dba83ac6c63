"""The kinds that this controller reconciles, as a list: a new kind is one more entry (`controller.leading`)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Key:
    """One object to reconcile.

    Attributes:
        kind: name of its reconciler.
        of: the object, as that reconciler names it.
    """

    kind: str
    of: Hashable


class Reconciler(Protocol):
    """Reconciles the objects of one kind. Any thread may call it, each for another object."""

    @property
    def kind(self) -> str:
        """The value of the metrics' label `kind`, unique among all reconcilers."""
        ...

    def reconcile(self, of: Any) -> float | None:
        """Brings one object from what is observed to what is desired; returns after how many seconds to requeue it.

        Raises:
            VideoJobError: requeue it with backoff.
        """
        ...

    def label(self, of: Any) -> dict[str, str]:
        """What a line of the log says of an object."""
        ...

    def changed(self, of: Any) -> Iterable[Key]:
        """An event says that an object changed: forgets what is cached of it; returns what depends on it."""
        ...

    def listed(self) -> Iterable[Hashable]:
        """The objects that a resync reconciles, unless the resync lists them itself, as it does VideoJobs."""
        ...

    def remembered(self) -> Iterable[Hashable]:
        """Objects that a resync reconciles even if no list shows them: the event of their deletion may be lost."""
        ...


class Reconcilers:
    """All of them, by kind.

    Args:
        all_kinds: one for each kind.

    Raises:
        ValueError: two are of one kind.
    """

    def __init__(self, *all_kinds: Reconciler) -> None:
        self._by_kind = {one.kind: one for one in all_kinds}
        if len(self._by_kind) != len(all_kinds):
            raise ValueError("two reconcilers of one kind")

    def reconcile(self, key: Key) -> float | None:
        """Reconciles one object; returns after how many seconds to requeue it. Raises VideoJobError."""
        return self._by_kind[key.kind].reconcile(key.of)

    def label(self, key: Key) -> dict[str, str]:
        """What a line of the log says of an object, with the kind."""
        return {"kind": key.kind, **self._by_kind[key.kind].label(key.of)}

    def changed(self, key: Key) -> Iterable[Key]:
        """Forgets what is cached of an object that has changed; returns what depends on it."""
        return self._by_kind[key.kind].changed(key.of)

    def listed(self) -> list[Key]:
        """What a resync reconciles, of all kinds. Raises ClusterError: one of them cannot be listed."""
        return [Key(kind, of) for kind, one in self._by_kind.items() for of in one.listed()]

    def remembered(self) -> list[Key]:
        """What a resync reconciles though no list may show it, of all kinds."""
        return [Key(kind, of) for kind, one in self._by_kind.items() for of in one.remembered()]
