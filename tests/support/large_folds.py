"""A large job folded as the controller has it done: by its queue, in the real process, over a made-up table.

The peak of its memory is the kernel's, of the whole process, libraries included.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from support.dynamodb import AWS_ENVIRONMENT
from support.large_jobs import a_job, a_plan
from support.large_table import Told, large_table
from support.plans import plan_head
from videojob.controller.jobs.folds import FoldLimits, Folds
from videojob.controller.keys import JobKey
from videojob.worker.fold.messages import MODULE, FoldRequest

_KEY = ("team", "large")
_POLL_S = 0.1
_FOLD_S = 3600.0


@dataclass(frozen=True, slots=True)
class LargeFold:
    """What folding one job took: resident memory at its peak, and what the table tells."""

    took_s: float
    peak_bytes: int
    told: Told


def folded_large(videos: int, segments: int, appearances: int, limits: FoldLimits | None = None) -> LargeFold:
    """Folds a job of so many videos and segments, each with so many appearances. Raises what the fold ends in."""
    plan, run = a_plan(videos, segments)
    request = FoldRequest(a_job(), replace(plan_head(plan), plan_id="plan"), run, "results", "us-east-1")
    del plan
    woken: SimpleQueue[JobKey] = SimpleQueue()
    with large_table(videos, segments, appearances) as table, pytest.MonkeyPatch.context() as patch:
        for name, value in (AWS_ENVIRONMENT | {"AWS_ENDPOINT_URL_DYNAMODB": table.url}).items():
            patch.setenv(name, value)
        folds = Folds(woken.put, limits)
        peak = _Peak()
        began_s = time.monotonic()
        try:
            folds.ask(_KEY, request)
            peak.start()
            woken.get(timeout=_FOLD_S)
            took_s = time.monotonic() - began_s
            folded = folds.ask(_KEY, request)
        finally:
            peak.over.set()
            folds.close()
        if folded is None or folded.outcome is None or folded.outcome.state != "Completed":
            raise RuntimeError(f"the fold came to {folded}")
        peak.join()
        if not peak.bytes:
            raise RuntimeError("no process was seen to fold")
        return LargeFold(took_s, peak.bytes, table.told())


class _Peak(threading.Thread):
    """The kernel's own peak of this process's child that folds, read until it is gone.

    Attributes:
        bytes: so far. over: set by whoever needs no more.
    """

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Looks now and then: the peak only grows."""
        while not self.over.wait(_POLL_S):
            for status in Path("/proc").glob("[0-9]*/status"):
                self.bytes = max(self.bytes, _peak_of_fold(status))


def _peak_of_fold(status: Path) -> int:
    try:
        command = status.with_name("cmdline").read_bytes()
        values = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    except OSError:
        return 0  # it has just ended
    ours = int(values["PPid"]) == os.getpid() and MODULE.encode() in command
    return int(values["VmHWM"].split()[0]) << 10 if ours and "VmHWM" in values else 0
