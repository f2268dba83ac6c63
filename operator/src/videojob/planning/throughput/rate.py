"""A speed or a time, how far it may be off, and where it comes from. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """Where a figure comes from, the most trusted first."""

    THIS_JOB = "measured on this job"
    MEASURED = "measured here"
    PUBLISHED = "published"
    EXTRAPOLATED = "extrapolated"


@dataclass(frozen=True, slots=True)
class Figure:
    """A quantity that is not known exactly: frames per second, or seconds.

    Attributes:
        mean: what to expect. low, high: the 10th and the 90th percentile; 0 < low <= mean <= high.
        origin: where it comes from. samples: how many measurements; 0 when it was not measured here.
        note: source, or how it was extrapolated.
    """

    mean: float
    low: float
    high: float
    origin: Origin
    samples: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """Seconds of a cold start by part, one after the other.

    Attributes:
        node: from the request for a node until it is ready, of which `node_free_s` are not billed.
        image: pull and unpack. model: from the container's start to the first answer, without building engines.
        engine: building engines, where there is no cache of them.
    """

    node: Figure
    image: Figure
    model: Figure
    engine: Figure | None = None
    node_free_s: float = 18.0

    @property
    def mean_s(self) -> float:
        """All of it, as expected."""
        return sum(one.mean for one in self._parts)

    @property
    def low_s(self) -> float:
        """All of it, when each part is as short as in one of ten cases."""
        return sum(one.low for one in self._parts)

    @property
    def high_s(self) -> float:
        """All of it, when each part is as long as in one of ten cases."""
        return sum(one.high for one in self._parts)

    @property
    def _parts(self) -> tuple[Figure, ...]:
        known = (self.node, self.image, self.model)
        return known if self.engine is None else (*known, self.engine)
