"""Memory: what this process has taken, and what this machine or container could still give."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
# By the version of cgroups: what is used, the limit, and the page cache within what is used.
_CGROUP_FILES = (
    ("memory.current", "memory.max", ("inactive_file", "active_file")),
    ("memory/memory.usage_in_bytes", "memory/memory.limit_in_bytes", ("total_inactive_file", "total_active_file")),
)

_NO_LIMIT_BYTES = 1 << 60  # the first version of cgroups has a number near 2**63 where there is no limit


def peak_rss_bytes() -> int:
    """This process's highest resident memory so far.

    On Linux, what getrusage says would include the parent's memory from before the exec: a child of a large process
    would call itself large.
    """
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _table(Path("/proc/self/status"))["VmHWM:"] << 10


def free_memory_bytes(*, meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int:
    """What this machine, or this container, could still give; nothing when nobody says.

    A container's page cache counts as free: the kernel takes it back before anything fails, and a few videos that were
    read fill all that a container may have.

    Args:
        meminfo: the kernel's table for the machine.
        cgroup: where the container's control group is mounted.
    """
    free = [_table(meminfo).get("MemAvailable:", 0) << 10]
    for used, limit, cache in _CGROUP_FILES:
        path = cgroup / limit
        # The number is missing, or the word "max", where there is no limit.
        limit_bytes, used_bytes = _number(path), _number(cgroup / used)
        if limit_bytes is not None and used_bytes is not None:
            stat = _table(path.with_name("memory.stat"))
            free.append(limit_bytes - used_bytes + sum(stat.get(name, 0) for name in cache))
    return max(0, min(free))


def memory_limit_bytes(*, cgroup: Path = _CGROUP) -> int | None:
    """What this container may take at most; None when nobody says, or where there is no limit."""
    for _, limit, _ in _CGROUP_FILES:
        limit_bytes = _number(cgroup / limit)
        if limit_bytes is not None and limit_bytes < _NO_LIMIT_BYTES:
            return limit_bytes
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _table(path: Path) -> dict[str, int]:
    """The lines of a file of the kernel that are a name and a number; none when there is no such file."""
    try:
        lines = [line.split() for line in path.read_text(encoding="ascii", errors="replace").splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}
