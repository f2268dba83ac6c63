"""What a reader of any table must know of the machine."""

from __future__ import annotations

import os
import platform


def conditions() -> str:
    """As text; a load of others makes every figure doubtful."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores {platform.machine()}, Python {platform.python_version()}, load average {load:.1f}"
