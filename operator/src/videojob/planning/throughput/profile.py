"""What one machine does with a model, from how long its batches take. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from videojob.planning.throughput.learn import Executed

_GOOD_ENOUGH = 0.98
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What the server is able to do.

    Attributes:
        frames_per_s: at the best batch, when it never waits for one. best_batch: the smallest that is within 2% of it.
        side_by_side: how many batches' worth of work it does at once: 1 where instances take turns on one device.
        by_batch: frames/s by batch size, likewise.
        reached_per_s: what it answered under the load of the measurement.
    """

    frames_per_s: float
    best_batch: int
    side_by_side: float
    by_batch: Mapping[int, float]
    reached_per_s: float


def server_profile(alone_s: Mapping[int, float], loaded: Executed) -> ServerProfile:
    """A server's ceiling. It does not depend on how busy the load kept the server: a batch alone tells its time, and
    batches that run at once tell whether they slow each other down.

    Args:
        alone_s: seconds of the model for a batch of so many frames with nothing else on the server; not empty.
        loaded: what it did under load.
    """
    inside = loaded.execution_s / loaded.window_s
    mean_batch = loaded.frames / loaded.executions
    slower = loaded.execution_s / loaded.executions / _between(alone_s, mean_batch)
    side_by_side = max(1.0, min(inside / slower, float(loaded.instances)))
    by_batch = {batch: side_by_side * batch / seconds for batch, seconds in sorted(alone_s.items())}
    most = max(by_batch.values())
    best = min(batch for batch, rate in by_batch.items() if rate >= _GOOD_ENOUGH * most)
    return ServerProfile(most, best, side_by_side, by_batch, loaded.frames / loaded.window_s)


def _between(alone_s: Mapping[int, float], batch: float) -> float:
    """Seconds of a batch of that size, on the line between its measured neighbours."""
    sizes = sorted(alone_s)
    below = max((size for size in sizes if size <= batch), default=sizes[0])
    above = min((size for size in sizes if size >= batch), default=sizes[-1])
    if below == above:
        return alone_s[below]
    return alone_s[below] + (alone_s[above] - alone_s[below]) * (batch - below) / (above - below)


def bottleneck(rates: Mapping[str, float]) -> str:
    """What sets the pace: the slowest, by name."""
    return min(rates, key=lambda name: rates[name])


def usd_per_million(usd_per_h: Decimal, frames_per_s: float) -> Decimal:
    """US dollars for a million frames on a machine that is never idle."""
    return usd_per_h * _MILLION / 3600 / Decimal(repr(frames_per_s))
