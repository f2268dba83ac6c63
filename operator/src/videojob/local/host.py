"""What this machine, or the container on it, gives: cores, and sole use of an output folder."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
from collections.abc import Iterator
from pathlib import Path

from videojob.errors import SetupError

LOCK_FILE = ".lock"
_CGROUP_V2 = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_V1_QUOTA = Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
_CGROUP_V1_PERIOD = Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def usable_cpus() -> int:
    """Cores that this process may use: the mask's, and no more than the container's quota, rounded up."""
    mask = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cpu_quota(_read(_CGROUP_V2), _read(_CGROUP_V1_QUOTA), _read(_CGROUP_V1_PERIOD))
    return mask if quota is None else max(1, min(mask, math.ceil(quota)))


def cpu_quota(cpu_max: str, quota_us: str, period_us: str) -> float | None:
    """Cores that a control group allows; None for no limit.

    Args:
        cpu_max: version 2's file, as in "200000 100000" or "max 100000"; "" when there is none.
        quota_us: version 1's file, as in "200000" or "-1"; "" when there is none.
        period_us: version 1's other file.
    """
    quota, _, period = cpu_max.partition(" ") if cpu_max else (quota_us, "", period_us)
    if not quota.lstrip("-").isdigit() or not period.isdigit() or int(quota) <= 0 or int(period) <= 0:
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


@contextlib.contextmanager
def sole_use(output: Path) -> Iterator[None]:
    """Makes the folder and keeps every other run out of it until the block, or this process, ends.

    Raises:
        SetupError: it cannot be written to, or another run is at work in it.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock = (output / LOCK_FILE).open("w", encoding="ascii")
    except OSError as error:
        raise SetupError(
            f"the output folder cannot be written to: {error.strerror}",
            uri=str(output),
            hint="Give another --output, or make it writable.",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SetupError(
                "another run uses this output folder",
                uri=str(output),
                hint="Wait for it, stop it, or give another --output.",
                retryable=True,
            ) from error
        yield
