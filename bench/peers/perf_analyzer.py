"""Triton's own load generator, in C++: what the server gives when nobody decodes and no client is in the way.

Options: `in_flight` requests, `requests` per measurement, `height` and `width` of the frames.
"""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

from bench.child import measured
from bench.clips import ROOT
from bench.tasks import Sample, Task

_INSTALLER = ROOT / "scripts" / "perf-analyzer"


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    if task.server is None:
        raise ValueError("this peer needs a server")
    program = ROOT / ".cache" / "tools" / "perf_analyzer" / "perf_analyzer"
    if not program.is_file():
        raise FileNotFoundError(f"no perf_analyzer: run {_INSTALLER.relative_to(ROOT)} first")
    report = task.scratch / "perf.csv"
    command = [
        str(program),
        *("-m", task.model, "-u", task.server.address, "-i", "grpc", "-a"),
        *("--shape", f"frames:{task.options['height']},{task.options['width']},3"),
        *("--concurrency-range", task.options["in_flight"], "--max-threads", "2"),
        *("--measurement-mode", "count_windows", "--measurement-request-count", str(task.frames)),
        *("--stability-percentage", "999", "--max-trials", "3", "-f", str(report)),
    ]
    with measured(task) as measurement:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=task.scratch)
    if done.returncode != 0 or not report.is_file():
        raise RuntimeError(f"perf_analyzer ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-500:]}")
    rate = _rate(report)
    # It measures by itself, warm-up left out; the time around it says nothing.
    measurement.frames, measurement.wall_s = task.frames, task.frames / rate
    measurement.extra = {"cpu_is_of_whole_run": 1.0}
    return measurement.sample()


def _rate(report: Path) -> float:
    with report.open(newline="", encoding="utf-8") as lines:
        return max(float(line["Inferences/Second"]) for line in csv.DictReader(lines))
