"""The statistics: in which order things run, and what a set of runs says. Pure.

Machines drift: another tenant, a warmer core. A run is therefore compared with its neighbour in time only, and ours
stands as often before its peer as behind it: A-B-B-A, the outer runs shared between neighbouring peers.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

DISTURBED_SHARE = 0.05
"""What others may take of the machine during a run; from here on its figures are marked."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours / peer over several pairs.

    Attributes:
        median: of the paired ratios.
        low, high: the least and the greatest of them.
        pairs: how many there were.
    """

    median: float
    low: float
    high: float
    pairs: int

    @property
    def spread(self) -> float:
        """Width of the range as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """The ratios of (ours, peer) pairs.

    Raises:
        ValueError: no pair, or a peer's figure that is not positive.
    """
    if not pairs:
        raise ValueError("no pair was measured")
    if any(peer <= 0 for _, peer in pairs):
        raise ValueError("a peer's figure must be positive")
    ratios = [ours / peer for ours, peer in pairs]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), len(ratios))


def interleaved(ours: str, peers: Sequence[str], rounds: int) -> list[str]:
    """The order of runs: ours, B, B, ours, C, C, ours, … for each round; rounds share the run where they meet.

    Args:
        ours: name of what is compared.
        peers: names of what it is compared with, each once.
        rounds: how often the whole order is gone through; every other round turns the peers round.
    """
    if rounds < 1 or not peers:
        raise ValueError(f"nothing to interleave: {rounds} rounds of {len(peers)} peers")
    order = [ours]
    for number in range(rounds):
        for peer in peers if number % 2 == 0 else reversed(peers):
            order += [peer, peer, ours]
    return order


def paired(ours: str, order: Sequence[str], figures: Sequence[float]) -> dict[str, list[tuple[float, float]]]:
    """(ours, peer) pairs by peer: every run of a peer with the run of ours beside it.

    Args:
        ours: as given to `interleaved`.
        order: as `interleaved` made it.
        figures: one per run.
    """
    pairs: dict[str, list[tuple[float, float]]] = {}
    for place, name in enumerate(order):
        if name == ours:
            continue
        beside = place - 1 if order[place - 1] == ours else place + 1
        if order[beside] != ours:
            raise ValueError(f"run {place} ({name}) has no run of {ours} beside it")
        pairs.setdefault(name, []).append((figures[beside], figures[place]))
    return pairs
