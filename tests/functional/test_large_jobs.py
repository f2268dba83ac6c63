"""The end of a large job: its commits are folded within the memory and the time that a controller has, whether they are
of a few videos of a day or of thousands of short ones.

These jobs have a fifth of the 10^5 segments that a job may have, and a fifth of the means; `make soak` folds the whole.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.large_folds import folded_large
from support.large_jobs import Fold
from videojob.controller.jobs.folds import FOLD_BYTES, FoldLimits
from videojob.errors import JobTooLarge

ROOT = Path(__file__).resolve().parents[2]
SHARE = 5
SEGMENTS = 100_000 // SHARE
LOOK_CPU_S = 300.0 / SHARE
"""A third of what the controller takes for a reconcile that hangs."""


def limit_bytes() -> int:
    """Memory at which the chart lets a controller be killed."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "charts" / "videojob" / "values.yaml").read_text())
    text = str(values["controller"]["resources"]["limits"]["memory"])
    assert text.endswith("Mi")
    return int(text.removesuffix("Mi")) << 20


def folded(videos: int, segments: int) -> Fold:
    """Folds one job in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "support.large_jobs", str(videos), str(segments)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Fold(**json.loads(done.stdout))


@pytest.mark.timeout(3600)  # a minute of work, on a machine that may have others to do
@pytest.mark.parametrize(
    ("videos", "segments"),
    [(40, SEGMENTS), (10_000 // SHARE, SEGMENTS // 5)],
    ids=["videos of a day", "thousands of videos"],
)
def test_a_large_job_is_folded_within_a_controllers_means(videos: int, segments: int) -> None:
    found = folded(videos, segments)
    assert found.state == "Completed"
    # A controller has eight concurrent reconciles, and itself: one fold may have half.
    assert found.peak_bytes - found.before_bytes < limit_bytes() // 2 // SHARE
    assert found.cpu_s < LOOK_CPU_S
    # A request for a few commits would take the time that a page of many takes in memory.
    assert found.queries < segments / 20


@pytest.mark.timeout(3600)
def test_a_fold_of_very_many_appearances_keeps_to_its_memory() -> None:
    """150,000 of them, each of which took half a KB as objects do; `make soak` folds a million."""
    found = folded_large(videos=4, segments=1000, appearances=150)
    assert found.told.summary_bytes > 7_000_000
    assert found.peak_bytes < FOLD_BYTES * 3 // 4


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("memory_bytes", [FOLD_BYTES // 3, FOLD_BYTES * 2 // 5], ids=["an answer", "the summary"])
def test_a_fold_that_needs_more_memory_than_it_may_have_says_so(memory_bytes: int) -> None:
    with pytest.raises(JobTooLarge, match="3000 segments cannot be made in") as caught:
        folded_large(videos=2, segments=3000, appearances=50, limits=FoldLimits(memory_bytes=memory_bytes))
    assert not caught.value.retryable
