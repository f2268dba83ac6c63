"""What controllers took and did, by /proc and by their own metrics; those of one that was killed are kept."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.controllers import RunningController

_EVERY_S = 0.25
_EVENT_TO_WRITE = "videojob_event_to_write_seconds_bucket"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)

Samples = dict[tuple[str, str], float]
"""(name, labels as written) to value."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Of all controllers together.

    Attributes:
        rss_peak_bytes: of the one that had most. rss_end_bytes: of the last one, at the end.
        cpu_s: user and system time.
        event_to_write_s: (upper bound, observations up to it), by bound.
        reads, writes: requests to the API server, watches not counted.
        status_writes: of VideoJobs.
        failed_looks: that ended in an error.
    """

    rss_peak_bytes: int
    rss_end_bytes: int
    cpu_s: float
    event_to_write_s: tuple[tuple[float, float], ...]
    reads: int
    writes: int
    status_writes: int
    looks: int
    failed_looks: int

    def quantile_s(self, share: float) -> float:
        """Time from an event to its write that this share does not exceed, as Prometheus estimates it."""
        total = self.event_to_write_s[-1][1] if self.event_to_write_s else 0.0
        below, before = 0.0, 0.0
        for bound, count in self.event_to_write_s:
            if total and count >= share * total:
                if bound == float("inf") or count == before:
                    return below
                return below + (bound - below) * (share * total - before) / (count - before)
            below, before = bound, count
        return 0.0


@dataclass
class _One:
    running: RunningController
    samples: Samples = field(default_factory=dict)
    cpu_s: float = 0.0
    rss_bytes: int = 0
    peak_bytes: int = 0

    def read(self) -> None:
        folder = Path("/proc") / str(self.running.process.pid)
        _, fields = _stat(folder)
        self.cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
        memory = dict(re.findall(r"^(VmHWM|VmRSS):\s+(\d+) kB$", (folder / "status").read_text(), re.MULTILINE))
        self.rss_bytes, self.peak_bytes = (int(memory[name]) * 1024 for name in ("VmRSS", "VmHWM"))
        text = self.running.http.get("/metrics").text
        self.samples = {(name, labels): float(value) for name, labels, value in _SAMPLE.findall(text)}


class Watched:
    """Controllers that follow each other; the last one is read again and again, as it may be killed at any moment."""

    def __init__(self) -> None:
        self._all: list[_One] = []

    def follow(self, running: RunningController) -> None:
        """From now on this one."""
        self._all.append(_One(running))

    def read(self) -> None:
        self._all[-1].read()

    def read_until(self, until_s: float) -> None:
        """Again and again, up to that moment of the monotonic clock."""
        while (left_s := until_s - time.monotonic()) > 0:
            self.read()
            time.sleep(min(_EVERY_S, max(0.0, left_s)))

    def readings(self) -> Readings:
        """As of the last reading of each."""
        requests = [
            (labels, value)
            for one in self._all
            for (name, labels), value in one.samples.items()
            if name == "videojob_api_requests_total"
        ]
        writes = sum(value for labels, value in requests if _label(labels, "method") in _WRITES)
        return Readings(
            rss_peak_bytes=max(one.peak_bytes for one in self._all),
            rss_end_bytes=self._all[-1].rss_bytes,
            cpu_s=sum(one.cpu_s for one in self._all),
            event_to_write_s=self._buckets(),
            reads=round(sum(value for _, value in requests) - writes),
            writes=round(writes),
            status_writes=round(self._sum("videojob_status_writes_total")),
            looks=round(self._sum("videojob_reconciles_total", 'kind="job"')),
            failed_looks=round(self._sum("videojob_reconciles_total", 'outcome="failed"')),
        )

    def _sum(self, wanted: str, having: str = "") -> float:
        return sum(
            value
            for one in self._all
            for (name, labels), value in one.samples.items()
            if name == wanted and having in labels
        )

    def _buckets(self) -> tuple[tuple[float, float], ...]:
        found: dict[float, float] = {}
        for one in self._all:
            for (name, labels), value in one.samples.items():
                if name == _EVENT_TO_WRITE:
                    bound = float(_label(labels, "le"))
                    found[bound] = found.get(bound, 0.0) + value
        return tuple(sorted(found.items()))


def children_cpu_s() -> dict[str, float]:
    """CPU time of this process and of those that it started and that still run, by program."""
    found = {"this process": time.process_time()}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            name, fields = _stat(folder)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
        if int(fields[1]) == os.getpid():
            found[name] = found.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return found


def _stat(folder: Path) -> tuple[str, list[str]]:
    """A process's name, and what stands behind it in its stat file."""
    before, _, after = (folder / "stat").read_text().rpartition(")")
    return before.partition("(")[2], after.split()


def _label(labels: str, name: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', labels)
    return "" if found is None else found[1]
