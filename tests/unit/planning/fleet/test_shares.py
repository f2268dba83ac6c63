"""Workers are as many as their job's share of its server keeps busy: how the share is found, and when workers go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decisions import (
    GPU,
    INSTALLATION,
    NOW_S,
    READY,
    a_catalogue,
    a_head,
    a_job,
    a_work_job,
    decide,
    look,
    results,
    running,
)
from videojob.controller.fleet.demands import Demands
from videojob.planning.fleet.shares import share_of, workers_now
from videojob.planning.state.observed import Observed
from videojob.planning.state.pods import JobObserved

SPEEDS = st.fractions(min_value=Fraction(1, 10), max_value=5000, max_denominator=100)
NEEDS = st.lists(SPEEDS, min_size=1, max_size=30)


def shares(capacity: Fraction, needs: Sequence[Fraction]) -> list[Fraction]:
    return [share_of(capacity, own, [*needs[:at], *needs[at + 1 :]]) for at, own in enumerate(needs)]


@pytest.mark.parametrize(
    ("capacity", "needs", "expected"),
    [
        (100, [50], [50]),
        (100, [500], [100]),
        (100, [500, 500], [50, 50]),
        (100, [10, 500, 500], [10, 45, 45]),
        (100, [10, 40, 500], [10, 40, 50]),
        (100, [30, 30, 30], [30, 30, 30]),
        (100, [100, 100, 100, 100], [25, 25, 25, 25]),
    ],
)
def test_who_needs_little_gets_it_and_the_rest_is_divided(capacity: int, needs: list[int], expected: list[int]) -> None:
    assert shares(Fraction(capacity), [Fraction(one) for one in needs]) == expected


@given(SPEEDS, NEEDS)
def test_shares_are_never_more_than_there_is_and_nobody_starves(capacity: Fraction, needs: list[Fraction]) -> None:
    found = shares(capacity, needs)
    assert sum(found) <= capacity
    assert sum(found) == min(capacity, sum(needs)), "nothing is left that somebody needs"
    for share, need in zip(found, needs, strict=True):
        assert min(need, capacity / len(needs)) <= share <= need
    for share, need in zip(found, needs, strict=True):
        assert share == need or share == max(found), "nobody has more than one who wants more"


@given(SPEEDS, SPEEDS, NEEDS, SPEEDS)
def test_another_job_never_makes_a_share_larger_and_more_capacity_never_smaller(
    capacity: Fraction, own: Fraction, others: list[Fraction], more: Fraction
) -> None:
    share = share_of(capacity, own, others)
    assert share_of(capacity, own, [*others, more]) <= share
    assert share_of(capacity + more, own, others) >= share
    assert share_of(capacity, own + more, others) >= share


@pytest.mark.parametrize(
    ("present", "wanted", "rest_s", "after"),
    [
        (3, 15, 0, 15),
        (15, 15, 0, 15),
        (15, 8, 10**6, 15),
        (15, 7, 10**6, 7),
        (15, 7, 400, 7),
        (15, 7, 399, 15),
        (1, 1, 10**6, 1),
    ],
)
def test_running_workers_go_only_when_it_is_worth_it(present: int, wanted: int, rest_s: float, after: int) -> None:
    assert workers_now(present, wanted, rest_s=rest_s, restart_s=100) == after


HEAD = a_head(segments=20_000, frames=3_000_000, longest_ms=30_000, duration_ms=600_000_000)
GPU_JOB = {"compute": {"accelerator": "gpu"}}
MANY = tuple([Fraction(900)] * 79)  # beside it, on eight GPUs that answer 900 a second each


def parallelism(workers: JobObserved | None, others: tuple[Fraction, ...] | None, **changes: Any) -> int:
    jobs = () if workers is None else (workers,)
    observed = running(*jobs, server=READY, head=HEAD, **{"results": results(), **changes})
    desired = look(replace(observed, others=others), GPU_JOB)
    assert desired.work_job is not None
    return desired.work_job.parallelism


@pytest.mark.parametrize(
    ("workers", "others", "expected"),
    [
        (None, (), 15),
        (None, MANY, 2),
        (None, None, 15),
        (a_work_job(suspended=True, active=0, ready=0, parallelism=15), MANY, 2),
        (a_work_job(parallelism=15, batch=7), MANY, 2),
        (a_work_job(parallelism=3, batch=7), MANY, 3),
        (a_work_job(parallelism=2, batch=7), (), 15),
        (a_work_job(parallelism=15, batch=7), None, 15),
    ],
    ids=["alone", "among many", "unknown", "not yet let go", "at work", "nearly so", "alone again", "a new controller"],
)
def test_a_job_has_the_workers_of_its_share(
    workers: JobObserved | None, others: tuple[Fraction, ...] | None, expected: int
) -> None:
    assert parallelism(workers, others) == expected


def test_near_its_end_a_job_keeps_its_workers() -> None:
    nearly = {"results": results(19_990)}
    assert parallelism(a_work_job(parallelism=15, batch=7), MANY, **nearly) == 15


def test_kueue_has_admitted_what_it_has() -> None:
    job = a_job(GPU_JOB, labels={"kueue.x-k8s.io/queue-name": "gpus"})
    observed = running(a_work_job(parallelism=15, batch=7), server=READY, head=HEAD)
    desired = decide(job, replace(observed, others=MANY), INSTALLATION, NOW_S)
    assert desired.work_job is not None
    assert desired.work_job.parallelism == 15


JOBS, GPUS = 20, 4


def waiting_share(*, shared: bool) -> float:
    """Of the workers' CPUs of twenty jobs on four GPUs, what waits for answers, once all have been looked at again."""
    variant = replace(GPU, max_replicas=GPUS)
    model = replace(INSTALLATION.models["face_detector"], variants={"gpu": variant})
    installation = a_catalogue(models={"face_detector": model})
    demands, jobs = Demands(), {("team", f"job-{at}"): a_job(GPU_JOB, name=f"job-{at}") for at in range(JOBS)}
    demands.expect(jobs)
    workers: dict[tuple[str, str], JobObserved] = {}
    for _ in range(3):
        for key, job in jobs.items():
            observed: Observed = running(*filter(None, [workers.get(key)]), server=READY, head=HEAD)
            if shared and demands.complete:
                (server,) = demands.servers
                observed = replace(observed, others=demands.others(key, server))
            desired = decide(job, observed, installation, NOW_S)
            assert desired.work_job is not None
            demands.set(key, desired.demand)
            wanted = desired.work_job
            workers[key] = a_work_job(parallelism=wanted.parallelism, batch=wanted.batch, server=wanted.server)
    sent = sum(one.parallelism for one in workers.values()) * installation.worker.frames_per_second
    answered = variant.max_replicas * variant.frames_per_second
    return float(max(Fraction(0), 1 - answered / sent))


def test_workers_of_many_jobs_do_not_wait_for_few_gpus() -> None:
    assert waiting_share(shared=False) == pytest.approx(0.8)
    assert waiting_share(shared=True) == pytest.approx(0.0)
