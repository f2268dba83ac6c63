"""A measured process: `python -m bench.child VARIANT TASK.json SAMPLE.json`.

Each run has a process of its own, so that no variant inherits another's threads, caches or memory. What is got ready
before the first frame (imports, sessions, connections) is not measured; `measured` marks what is.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from bench import processes
from bench.tasks import Sample, Task, task_from_dict


class Variant(Protocol):
    """What a module in bench.peers has as `run`."""

    def __call__(self, task: Task) -> Sample:
        """Does the work once and says what it took."""
        ...


@dataclass(slots=True)
class Measurement:
    """Filled in when the measured block ends; `frames` and `extra` are the variant's to set."""

    frames: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_rss_bytes: int = 0
    others_share: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)

    def sample(self) -> Sample:
        """The frozen result."""
        return Sample(self.frames, self.wall_s, self.cpu_s, self.peak_rss_bytes, self.others_share, self.extra)


@contextmanager
def measured(task: Task) -> Iterator[Measurement]:
    """Measures the block: wall time, CPU time of this process's tree, the server's and others', memory of this tree."""
    own = os.getpid()
    roots = [own] if task.server is None else [own, task.server.supervisor_pid]
    measurement = Measurement()
    busy_from_s, cpu_from_s, from_s = processes.machine_cpu_s(), processes.cpu_s(*roots), time.perf_counter()
    yield measurement
    measurement.wall_s = time.perf_counter() - from_s
    measurement.cpu_s = processes.cpu_s(*roots) - cpu_from_s
    others_s = processes.machine_cpu_s() - busy_from_s - measurement.cpu_s
    measurement.others_share = max(0.0, others_s) / (measurement.wall_s * (os.cpu_count() or 1))
    measurement.peak_rss_bytes = sum(processes.peak_rss_bytes(pid) for pid in processes.tree(own))


def variant(name: str) -> Variant:
    """The variant of this name."""
    found: Variant = importlib.import_module(f"bench.peers.{name}").run
    return found


def main() -> None:
    """Runs what the arguments name."""
    name, task_path, sample_path = sys.argv[1:]
    task = task_from_dict(json.loads(Path(task_path).read_text(encoding="utf-8")))
    sample = variant(name)(task)
    Path(sample_path).write_text(json.dumps(asdict(sample)), encoding="utf-8")


if __name__ == "__main__":
    main()
