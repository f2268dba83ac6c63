"""`python -m bench.control_plane`: many VideoJobs on a real control plane, their controller killed in the middle.

Pods are played by kwok and commit to DynamoDB Local; no video is decoded. It prints a table and fails when a job did
not reach its end.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))  # the cluster under test is theirs

from support.cluster.many_jobs import Load, Outcome, measure  # noqa: E402 - as above
from support.cluster.readings import Readings  # noqa: E402 - as above
from support.dynamodb import AWS_ENVIRONMENT  # noqa: E402 - as above

_MB = 1_000_000
_LAST_BOUND_S = 60.0
"""Of the controller's histogram: beyond it nothing can be told apart."""


def rows(outcome: Outcome) -> list[tuple[str, str]]:
    """What was measured, as text."""
    load, readings = outcome.load, outcome.readings
    return [
        ("jobs that reached their end", f"{sum(outcome.reasons.values()):,} of {load.jobs:,}"),
        ("of these Completed, with a summary", f"{outcome.reasons.get('Completed', 0):,}, {outcome.summaries:,}"),
        ("Kubernetes Jobs per VideoJob, the most", str(outcome.children)),
        ("wall time", f"{outcome.wall_s:.0f} s; all made within {outcome.created_s:.0f} s"),
        ("no controller after the kill", f"{outcome.away_s:.0f} s" if load.kill else "not killed"),
        ("jobs per second", f"{load.jobs / outcome.wall_s:.1f}"),
        ("the same, without the time of no controller", f"{load.jobs / (outcome.wall_s - outcome.away_s):.1f}"),
        ("controller's memory, peak and end", f"{_mb(readings.rss_peak_bytes)}, {_mb(readings.rss_end_bytes)}"),
        ("controller's CPU time", f"{readings.cpu_s:.0f} s, {1000 * readings.cpu_s / load.jobs:.0f} ms per job"),
        ("event to write, p50 and p99", ", ".join(_quantile(readings, share) for share in (0.5, 0.99))),
        ("everybody's CPU time per job", _shares(outcome)),
        ("of this machine's cores in that time", _share_of_machine(outcome)),
        ("reconciles per job", f"{readings.looks / load.jobs:.1f}, {readings.failed_looks} failed"),
        ("API reads per job", f"{readings.reads / load.jobs:.1f}"),
        ("API writes per job", f"{readings.writes / load.jobs:.1f}"),
        ("of these status writes", f"{readings.status_writes / load.jobs:.1f}"),
    ]


def main() -> int:
    """Parses the arguments, measures, prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.control_plane", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--segments", type=int, default=2, help="of each job, each in a pod of its own")
    parser.add_argument("--every", type=float, default=0.0, metavar="SECONDS", help="make one job in so many")
    parser.add_argument("--no-kill", action="store_true", help="leave the controller alone")
    parser.add_argument("--flag", action="append", default=[], help="for the controller, as --flag=--workers=16")
    options = parser.parse_args()
    os.environ.update(AWS_ENVIRONMENT)
    load = Load(options.jobs, options.segments, options.every, not options.no_kill, tuple(options.flag))
    outcome = measure(load, lambda words: print(words, file=sys.stderr, flush=True))
    found = rows(outcome)
    width = max(len(name) for name, _ in found)
    print(*(f"{name.ljust(width)}  {value}" for name, value in found), sep="\n")
    return 0 if outcome.reasons == {"Completed": load.jobs} and outcome.summaries == load.jobs else 1


def _shares(outcome: Outcome) -> str:
    """Milliseconds of each program, the largest first."""
    taken = {**outcome.cpu_s, "controller": outcome.readings.cpu_s}
    words = [f"{name} {1000 * cpu_s / outcome.load.jobs:.0f}" for name, cpu_s in sorted(taken.items(), key=_negative)]
    return f"{1000 * sum(taken.values()) / outcome.load.jobs:.0f} ms: {', '.join(words)}"


def _negative(item: tuple[str, float]) -> float:
    return -item[1]


def _share_of_machine(outcome: Outcome) -> str:
    cores = len(os.sched_getaffinity(0))
    taken_s = sum(outcome.cpu_s.values()) + outcome.readings.cpu_s
    return f"{taken_s / (outcome.wall_s * cores):.0%} of {cores}, load average at the end {os.getloadavg()[0]:.0f}"


def _quantile(readings: Readings, share: float) -> str:
    found_s = readings.quantile_s(share)
    return f"more than {found_s:.0f} s" if found_s >= _LAST_BOUND_S else f"{found_s:.2f} s"


def _mb(value: int) -> str:
    return f"{value / _MB:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
