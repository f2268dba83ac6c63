"""How segments are dealt out to pods: a pod's start is a small share of its work, and a deadline comes before that."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decisions import CPU, GPU, NOW_S, a_catalogue, a_head, a_job
from videojob.planning.installation import Installation, ServerVariant, WorkerSettings
from videojob.planning.placement.batches import START_SHARE, Deal, backstop_s, deal, segment_s
from videojob.planning.placement.choice import deadline_left_s, pace, worker_count
from videojob.video.plan import PlanHead


def installation(**worker: Any) -> Installation:
    return a_catalogue(worker=WorkerSettings(**worker))


def dealt(
    head: PlanHead, variant: ServerVariant = GPU, *, deadline: str | None = None, worker: dict[str, Any] | None = None
) -> tuple[Deal, int]:
    """How a job that begins now is dealt out, and with how many workers."""
    spec = a_job({} if deadline is None else {"deadline": {"completeWithin": deadline}}).spec
    found = installation(**(worker or {}))
    paced = pace(spec, variant, head.frames, started_s=NOW_S, now_s=NOW_S, warm=True)
    left_s = deadline_left_s(spec, variant, started_s=NOW_S, now_s=NOW_S, warm=True)
    made = deal(head, spec, found, variant, deadline_left_s=left_s)
    return made, max(made.least_workers, worker_count(spec, found, paced.workers, made.completions))


def video(segments: int, frames_each: int = 150) -> PlanHead:
    return a_head(segments=segments, frames=segments * frames_each)


@pytest.mark.parametrize(
    ("segments", "frames_each", "variant", "batch", "workers"),
    [
        # 150 frames take 2.5 s of a worker that sends 60 a second: 6 s of start are 5% of 120 s of work.
        (7, 150, GPU, 7, 1),
        (48, 150, GPU, 48, 1),
        (49, 150, GPU, 48, 2),
        # 21 indexes for 15 workers: as long a batch that all end together.
        (1000, 150, GPU, 67, 15),
        (3000, 150, GPU, 48, 15),
        # A CPU server answers 20 a second, so that a worker takes longer, and its start weighs less.
        (100, 150, CPU, 16, 1),
        (100, 3000, CPU, 1, 1),
        # So many that each of 200 workers gets four turns, and no more indexes than Kubernetes bears.
        (100_000, 150, GPU, 125, 15),
    ],
)
def test_a_pods_start_is_at_most_a_twentieth_of_its_work(
    segments: int, frames_each: int, variant: ServerVariant, batch: int, workers: int
) -> None:
    found, count = dealt(video(segments, frames_each), variant)
    assert (found.batch, count) == (batch, workers)


def test_without_a_start_to_pay_for_each_segment_has_an_index() -> None:
    assert dealt(video(100), worker={"start_s": 0})[0] == Deal(1, 100)


def test_a_slower_start_makes_longer_batches() -> None:
    assert [dealt(video(10_000), worker={"start_s": start})[0].batch for start in (1, 6, 30)] == [12, 48, 334]


@pytest.mark.parametrize(
    ("deadline", "batch", "workers"),
    [
        ("1h", 48, 1),  # the time is enough for low cost
        ("280s", 48, 3),  # (280 - 15) s: two rounds of 126 s, five indexes
        ("141s", 48, 5),  # one round
        ("140s", 47, 5),
        ("61s", 16, 13),  # 13 workers for one round of 46 s each
        ("20s", 1, 3),  # later than it may be: as small as can be, the pace decides
    ],
)
def test_a_deadline_comes_before_low_cost(deadline: str, batch: int, workers: int) -> None:
    found, count = dealt(video(200), deadline=deadline)
    assert (found.batch, count) == (batch, workers)


@given(
    segments=st.integers(1, 2_000_000),
    frames_each=st.integers(1, 5000),
    max_workers=st.integers(1, 10_000),
    start_s=st.integers(0, 60),
)
def test_an_index_is_long_enough_and_indexes_are_few_enough(
    segments: int, frames_each: int, max_workers: int, start_s: int
) -> None:
    worker = WorkerSettings(max_workers=max_workers, start_s=start_s)
    head = video(segments, frames_each)
    found, workers = dealt(head, worker={"max_workers": max_workers, "start_s": start_s})
    assert found.completions == math.ceil(segments / found.batch) <= 10_000
    assert 1 <= workers <= found.completions
    work_s = found.batch * Fraction(frames_each) / worker.frames_per_second
    assert found.batch == segments or start_s <= START_SHARE * work_s
    # No longer than that, where workers get several turns.
    for_start = math.ceil(start_s / (START_SHARE * Fraction(frames_each) / worker.frames_per_second))
    assert found.batch <= max(1, for_start) or found.completions >= min(segments, workers, 10_000) // 2


@given(segments=st.integers(1, 3000), minutes=st.integers(1, 600))
def test_with_a_deadline_the_workers_end_in_time_when_so_many_may_run(segments: int, minutes: int) -> None:
    found, workers = dealt(video(segments), deadline=f"{minutes}m", worker={"max_workers": 10_000})
    rounds = math.ceil(found.completions / workers)
    needed_s = rounds * (6 + found.batch * 2.5)
    if minutes * 60 - 15 >= 6 + 2.5:
        assert needed_s <= minutes * 60 - 15


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 15.0),  # 300 frames of 3,000, at 20 a second
        ({"longest_ms": 150_000}, 75.0),  # half of the video: keyframes are rare
        ({"longest_ms": 15_000}, 15.0),
        ({"videos": 3, "failed": 1, "longest_ms": 0}, 75.0),  # a plan of an earlier release: a whole video at most
    ],
)
def test_the_longest_segment_says_how_long_nothing_may_be_committed(changes: dict[str, Any], seconds: float) -> None:
    head = replace(a_head(longest_ms=30_000), **changes)
    assert segment_s(head, WorkerSettings(), CPU) == seconds


@pytest.mark.parametrize(("frames", "workers", "days"), [(1, 1, 2), (20 * 86_400, 1, 12), (20 * 86_400, 9, 12)])
def test_work_that_nobody_ends_has_a_limit_far_behind_its_end(frames: int, workers: int, days: int) -> None:
    found = backstop_s(a_head(frames=frames), WorkerSettings(), CPU, workers)
    assert found // 86_400 == days
