"""Which of its index's pods a worker's pod is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """Which of its index's pods this one is.

    Attributes:
        pod: tells it from all others.
        failures: of the index's pods before it, as Kubernetes counts them: without those that were taken away.
        limit: failures of an index that are followed by another pod.
    """

    pod: str
    failures: int
    limit: int

    @property
    def is_last(self) -> bool:
        """Whether no other pod comes when this one fails."""
        return self.failures >= self.limit
