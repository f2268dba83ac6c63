"""The real clock."""

from __future__ import annotations

import time


class SystemClock:
    """Implements `ports.Clock`."""

    def now_s(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
