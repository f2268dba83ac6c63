"""How often keys are reconciled though no event arrived: less often, the more of them there are."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

POLLS_PER_S = 20
"""Such looks of all keys together. With 100 jobs at work each has its usual turn every 5 s, with 1,000 every 50 s."""
_LEAST_S = 1.0
_MOST_S = 60.0


@dataclass(slots=True)
class Polls(Generic[K]):
    """The keys that come back by themselves; for one thread."""

    _keys: set[K] = field(default_factory=set)

    def after_s(self, key: K, requeue_s: float | None) -> float | None:
        """When to requeue a key that asks for `requeue_s`. What is due at once or far in the future stays so."""
        if requeue_s is None or not _LEAST_S <= requeue_s <= _MOST_S:
            self._keys.discard(key)
            return requeue_s
        self._keys.add(key)
        return max(requeue_s, len(self._keys) / POLLS_PER_S)
