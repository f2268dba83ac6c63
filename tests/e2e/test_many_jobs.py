"""Many VideoJobs on a real control plane whose pods are played, and kill -9 of their controller in their middle."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from support.cluster.many_jobs import Load, measure
from support.dynamodb import AWS_ENVIRONMENT

pytestmark = pytest.mark.timeout(400)
JOBS = 60
MOST_MEMORY_BYTES = 400_000_000
MOST_WRITES = 20.0
FLAGS = ("--lease=4", "--canary=2")
"""The next controller need not wait half a minute."""


def test_all_of_many_jobs_reach_their_end_once_though_their_controller_is_killed(
    monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    outcome = measure(Load(JOBS, flags=FLAGS, patience_s=300))
    for name in ("wall_s", "away_s", "readings"):
        record_property(name, getattr(outcome, name))
    assert outcome.reasons == {"Completed": JOBS}
    assert (outcome.summaries, outcome.children) == (JOBS, 2)
    assert outcome.away_s > 0
    assert outcome.readings.rss_peak_bytes < MOST_MEMORY_BYTES
    assert outcome.readings.writes / JOBS < MOST_WRITES
