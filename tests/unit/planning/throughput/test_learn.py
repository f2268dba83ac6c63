"""What commits teach: the speed of servers and decoders, whatever else happened meanwhile."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from videojob.planning.throughput.learn import (
    KEPT,
    Executed,
    SegmentFacts,
    Served,
    by_subject,
    capacity,
    measurement,
    samples,
    typical,
)
from videojob.planning.throughput.measured import Quantity, Subject

GPU = Served("sha256:1", "yolo", "tensorrt", "t4")
BATCH_S, FRAME_S, MAX_BATCH = 0.020, 0.001, 16
CEILING = MAX_BATCH / (BATCH_S + FRAME_S * MAX_BATCH)
SUBJECT = Subject(Quantity.REPLICA, "sha256:1", 184_320, "t4", "tensorrt", 16)


def executed(sizes: list[int], *, window_s: float = 10.0, instances: int = 1) -> Executed:
    """By a device that takes 20 ms for a batch and 1 ms for each frame in it."""
    taken = [BATCH_S + FRAME_S * size for size in sizes]
    return Executed(
        window_s,
        len(sizes),
        sum(sizes),
        sum(size * size for size in sizes),
        sum(taken),
        sum(size * each for size, each in zip(sizes, taken, strict=True)),
        MAX_BATCH,
        instances,
    )


FACTS = SegmentFacts("h264", 640 * 272, False, 900, 1.2, 0, "c7i.xlarge", 184_320, executed([16] * 10))


def rate_of(work: Executed) -> float:
    found = capacity(work, shares_device=True)
    assert found is not None
    return found


def test_a_busy_server_tells_its_ceiling() -> None:
    assert rate_of(executed([16] * 100)) == pytest.approx(CEILING)


def test_a_half_idle_and_a_starved_server_tell_the_same() -> None:
    generator = random.Random(1)
    half_idle = executed([generator.randint(4, 12) for _ in range(100)], window_s=100.0)
    starved = executed([generator.choice([1, 1, 1, 2]) for _ in range(100)], window_s=1000.0)
    assert rate_of(half_idle) == pytest.approx(CEILING)
    assert rate_of(starved) == pytest.approx(CEILING)


def test_a_server_that_only_ever_got_single_frames_tells_what_it_does_with_these() -> None:
    assert rate_of(executed([1] * 100)) == pytest.approx(1 / 0.021)


@pytest.mark.parametrize("sizes", [[], [16], [16] * 3])
def test_too_few_batches_tell_nothing(sizes: list[int]) -> None:
    assert capacity(executed(sizes), shares_device=True) is None


def test_instances_that_take_turns_on_a_device_do_not_multiply_it() -> None:
    waited = executed([16] * 100, window_s=3.6, instances=2)  # each batch takes twice as long: it waits for the other
    waited = replace(waited, execution_s=2 * waited.execution_s, frame_execution_s=2 * waited.frame_execution_s)
    assert rate_of(waited) == pytest.approx(CEILING, rel=0.01)
    assert rate_of(executed([16] * 100, window_s=1000.0, instances=2)) == pytest.approx(CEILING, rel=0.01)
    side_by_side = capacity(executed([16] * 100, instances=2), shares_device=False)
    assert side_by_side == pytest.approx(2 * CEILING)


def test_a_commit_gives_a_sample_of_its_server_and_one_of_its_decoder() -> None:
    server, decoder = samples(FACTS, GPU)
    assert (server.subject, server.name) == (SUBJECT, "yolo")
    assert server.value == pytest.approx(CEILING)
    assert (decoder.subject, decoder.value) == (Subject(Quantity.DECODE, "h264", 640 * 272, "c7i"), 750.0)
    (keyframes,) = samples(replace(FACTS, keyframes_only=True, executed=None), GPU)
    assert keyframes.subject.quantity is Quantity.KEYFRAMES


def test_on_cpus_the_speed_is_of_one_vcpu() -> None:
    work = replace(executed([1] * 40, instances=4), max_batch=1)
    server, _ = samples(replace(FACTS, executed=work), replace(GPU, hardware="c7i", replica_cpus=4.0))
    assert server.value == pytest.approx(1 / 0.021)


@pytest.mark.parametrize(
    ("segment", "served"),
    [
        (replace(FACTS, retries=1), GPU),
        (replace(FACTS, worker="", executed=None), GPU),
        (replace(FACTS, pictures=3), replace(GPU, hardware="")),
        (replace(FACTS, worker="", executed=executed([16])), GPU),
        (replace(FACTS, worker=""), None),
    ],
)
def test_nothing_is_learned(segment: SegmentFacts, served: Served | None) -> None:
    assert samples(segment, served) == []


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("count", [10, 20, KEPT])
def test_a_third_of_bad_samples_moves_a_figure_by_at_most_a_tenth(seed: int, count: int) -> None:
    """Cold starts, starved stages, retries that were not counted, counters of another server: 3 of 10 samples."""
    generator = random.Random(seed)
    good = [400.0 * generator.lognormvariate(0.0, 0.05) for _ in range(count)]
    low, high = [(0.001, 0.8), (1.3, 1000.0), (0.001, 1000.0)][seed % 3]
    spoiled = [value * generator.uniform(low, high) if at < 0.3 * count else value for at, value in enumerate(good)]
    clean = measurement(SUBJECT, good, 0)
    found = measurement(SUBJECT, spoiled, 0)
    assert found.mean == pytest.approx(clean.mean, rel=0.10)
    assert found.low < 400 < found.high


def test_few_samples_mean_a_wide_spread() -> None:
    factors = [typical([400.0] * count)[1] for count in (1, 4, 16, KEPT)]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] == pytest.approx(1.5)
    assert factors[-1] < 1.08
    assert typical([300.0, 350.0, 400.0, 450.0, 500.0] * 8)[1] > 1.2


def test_a_job_leaves_few_samples_that_are_distributed_as_all() -> None:
    found = samples(FACTS, GPU) * 1000
    (name, values), _ = by_subject(found).values()
    assert (name, len(values)) == ("yolo", 8)
    many = [replace(found[0], value=float(value)) for value in range(1, 1001)]
    ((_, kept),) = by_subject(many).values()
    assert kept == pytest.approx([62.5 + 125 * place for place in range(8)], abs=1)
