"""For how long a server was paid since the last commit: what the status remembers of a stall."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stall:
    """Paid time since the last commit.

    Attributes:
        counted_s: as of `as_of_s`.
        as_of_s: when it was noted, seconds since the epoch; None while nothing counts.
        held_since_s: since when workers are held for it; None while they are not.
        tries: how often they have been held.
        cause: why nothing was committed, as it was when they were held last.
    """

    counted_s: int = 0
    as_of_s: float | None = None
    held_since_s: float | None = None
    tries: int = 0
    cause: str = ""


NO_STALL = Stall()
