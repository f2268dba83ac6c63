"""How far a speed may be off when it is made of several: factors multiply. Pure."""

from __future__ import annotations

import math

from videojob.planning.throughput.rate import Figure, Origin


def figure(mean: float, *spreads: float, origin: Origin, samples: int = 0, note: str = "") -> Figure:
    """A figure whose percentiles lie around its mean by what its parts may be off, each on its own.

    Args:
        mean: more than 0, frames per second or seconds.
        spreads: of each part: 0.4 means that its 90th percentile is 1.4 times the mean, and the 10th the mean by 1.4.
        origin: as in `Figure`.
        samples: as in `Figure`.
        note: as in `Figure`.
    """
    factor = math.exp(math.hypot(*(math.log1p(spread) for spread in spreads))) if spreads else 1.0
    return Figure(mean, mean / factor, mean * factor, origin, samples, note)


def spread_of(known: Figure) -> float:
    """The spread of one that was made: its larger side."""
    return max(known.high / known.mean, known.mean / known.low) - 1.0


def scaled(known: Figure, ratio: float, *spreads: float, note: str) -> Figure:
    """Another one from it: times a ratio, with the spread of all parts, extrapolated."""
    return figure(known.mean * ratio, spread_of(known), *spreads, origin=Origin.EXTRAPOLATED, note=note)


def pixels_spread(ratio: float) -> float:
    """How far a speed may be off that was scaled by pixels: a quarter for each doubling or halving."""
    return 0.25 * abs(math.log2(ratio))
