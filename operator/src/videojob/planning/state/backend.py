"""What the general part of a job's lifecycle knows of the backend that runs it; the rest only that backend reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from videojob.planning.state.placement import RecordedPlacement


class BackendObserved(Protocol):
    """What a backend has of one job: a frozen value."""

    @property
    def must_stop(self) -> bool:
        """Whether the place where it runs goes away, so that it must stop at once."""
        ...

    @property
    def is_working(self) -> bool:
        """Whether segments may be running."""
        ...

    @property
    def epoch(self) -> int:
        """The newest epoch that it was asked to run; 0 for none."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether some of its work on segments is over: the commits are then read at once."""
        ...

    @property
    def mark(self) -> str:
        """Another text as soon as segments may have been committed: the commits are then read sooner."""
        ...

    @property
    def placements(self) -> Sequence[RecordedPlacement]:
        """Servers that its work was made for, as it records them, the oldest first."""
        ...

    def has_started(self, epoch: int) -> bool:
        """Whether work of this epoch, or of a later one, may have started."""
        ...

    def segments_done(self, epoch: int) -> int:
        """Segments of this epoch that are done, as far as it tells; 0 where it does not."""
        ...

    def plan_attempt(self, *, has_begun: bool) -> int | None:
        """Number of the plan that counts, from 1; None where a newer one must come first.

        Args:
            has_begun: an epoch has begun for the plan.
        """
        ...


class BackendDesired(Protocol):
    """What a backend should do about one job: a frozen value, which is applied as often as it is decided."""

    @property
    def starts(self) -> bool:
        """Whether something of the job begins or goes on: its spec may not change from then on."""
        ...
