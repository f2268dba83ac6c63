"""A server's ceiling from batches alone and from batches at once."""

from __future__ import annotations

from decimal import Decimal

import pytest

from videojob.planning.throughput.learn import Executed
from videojob.planning.throughput.profile import bottleneck, server_profile, usd_per_million

ALONE = {size: 0.020 + 0.001 * size for size in (1, 2, 4, 8, 16)}
CEILING = 16 / 0.036


def loaded(size: int, batch_s: float, *, inside: float, instances: int = 2) -> Executed:
    count = 100
    window_s = count * batch_s / inside
    return Executed(
        window_s, count, count * size, count * size**2, count * batch_s, count * size * batch_s, 16, instances
    )


@pytest.mark.parametrize(
    ("load", "times"),
    [
        (loaded(16, 0.072, inside=2.0), 1.0),  # two instances that take turns, always busy
        (loaded(16, 0.036, inside=0.5), 1.0),  # half idle
        (loaded(12, 0.040, inside=0.9), 1.0),
        (loaded(16, 0.036, inside=2.0), 2.0),  # two instances side by side
        (loaded(16, 0.036, inside=1.0, instances=1), 1.0),
    ],
)
def test_the_ceiling_does_not_depend_on_the_load(load: Executed, times: float) -> None:
    found = server_profile(ALONE, load)
    assert found.frames_per_s == pytest.approx(times * CEILING)
    assert found.best_batch == 16
    assert found.side_by_side == pytest.approx(times)
    assert found.reached_per_s == pytest.approx(load.frames / load.window_s)


def test_the_smallest_batch_that_is_as_good_is_the_best() -> None:
    flat = {1: 0.021, 2: 0.04, 4: 0.0805, 8: 0.161}
    assert server_profile(flat, loaded(1, 0.021, inside=1.0, instances=1)).best_batch == 2
    slower = {1: 0.047, 16: 0.94}  # a network on a CPU loses by batches
    assert server_profile(slower, loaded(1, 0.047, inside=1.0, instances=1)).best_batch == 1


def test_what_it_comes_to() -> None:
    assert bottleneck({"model": 400.0, "transport": 2500.0, "decode": 337.0}) == "decode"
    assert usd_per_million(Decimal("0.526"), 400.0) == pytest.approx(Decimal("0.3653"), abs=Decimal("0.0001"))
