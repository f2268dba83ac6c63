"""Time."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time. Decisions never read it; shells do, through this."""

    def now_s(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        ...
