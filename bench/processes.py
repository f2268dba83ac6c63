"""CPU time and memory of process trees, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    cpu_s: float


def tree(root: int) -> list[int]:
    """The process and all that came out of it and live."""
    children: dict[int, list[int]] = {}
    for process in _all():
        children.setdefault(process.parent, []).append(process.pid)
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, ())
    return found


def children(pid: int) -> list[int]:
    """Processes that it started and that live."""
    return [process.pid for process in _all() if process.parent == pid]


def cpu_s(*roots: int) -> float:
    """CPU seconds of the trees so far, ended and collected children included."""
    by_pid = {process.pid: process for process in _all()}
    pids = {pid for root in roots for pid in tree(root)}
    return sum(by_pid[pid].cpu_s for pid in pids if pid in by_pid)


def machine_cpu_s() -> float:
    """CPU seconds that the whole machine has been busy so far, time taken by its host included."""
    fields = (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
    # user, nice, system, irq, softirq, steal; idle and iowait lie between.
    return sum(int(fields[place]) for place in (0, 1, 2, 5, 6, 7)) / _TICKS_PER_S


def peak_rss_bytes(pid: int) -> int:
    """The process's highest resident memory; 0 when it has ended."""
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _all() -> list[_Process]:
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue  # it ended while we looked
            # The name in brackets may hold anything, spaces and brackets included.
            fields = text[text.rindex(")") + 2 :].split()
            ticks = sum(int(fields[place]) for place in (11, 12, 13, 14))
            found.append(_Process(int(entry.name), int(fields[1]), ticks / _TICKS_PER_S))
    return found
