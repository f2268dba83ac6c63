"""The order of runs and what their figures say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from bench.measure import interleaved, paired, ratio_of


def test_each_peer_runs_twice_between_runs_of_ours() -> None:
    assert interleaved("ours", ["b", "c"], rounds=1) == ["ours", "b", "b", "ours", "c", "c", "ours"]


def test_every_other_round_turns_the_peers_round() -> None:
    order = interleaved("ours", ["b", "c"], rounds=2)

    assert order == ["ours", "b", "b", "ours", "c", "c", "ours", "c", "c", "ours", "b", "b", "ours"]


@pytest.mark.parametrize(("peers", "rounds"), [([], 1), (["b"], 0)])
def test_nothing_to_interleave_is_refused(peers: Sequence[str], rounds: int) -> None:
    with pytest.raises(ValueError, match="nothing to interleave"):
        interleaved("ours", peers, rounds)


@pytest.mark.parametrize(("peers", "rounds"), [(["b"], 1), (["b", "c", "d"], 1), (["b", "c"], 3)])
def test_every_run_of_a_peer_is_paired_with_the_run_of_ours_beside_it(peers: Sequence[str], rounds: int) -> None:
    order = interleaved("ours", peers, rounds)
    places = [float(place) for place in range(len(order))]

    pairs = paired("ours", order, places)

    assert set(pairs) == set(peers)
    for found in pairs.values():
        assert len(found) == 2 * rounds
        assert all(abs(ours - theirs) == 1 for ours, theirs in found)


def test_ours_stands_as_often_before_a_peer_as_behind_it() -> None:
    order = interleaved("ours", ["b"], rounds=2)

    pairs = paired("ours", order, [float(place) for place in range(len(order))])["b"]

    assert sum(ours - theirs for ours, theirs in pairs) == 0


def test_a_steady_drift_cancels_out_of_the_pairs() -> None:
    order = interleaved("ours", ["b", "c"], rounds=1)
    slower = [100.0 - place for place in range(len(order))]

    ratio = ratio_of(paired("ours", order, slower)["c"])

    assert ratio.median == pytest.approx(1.0, abs=1e-3)


def test_a_peer_without_ours_beside_it_is_refused() -> None:
    with pytest.raises(ValueError, match="no run of ours beside it"):
        paired("ours", ["ours", "b", "b", "c"], [1.0, 2.0, 3.0, 4.0])


def test_a_ratio_is_the_median_of_paired_ratios_with_their_range() -> None:
    ratio = ratio_of([(2.0, 1.0), (3.0, 1.0), (10.0, 1.0)])

    assert (ratio.median, ratio.low, ratio.high, ratio.pairs) == (3.0, 2.0, 10.0, 3)
    assert ratio.spread == pytest.approx(8 / 3)


@pytest.mark.parametrize("pairs", [[], [(1.0, 0.0)]])
def test_a_ratio_of_nothing_or_to_nothing_is_refused(pairs: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"measured|positive"):
        ratio_of(pairs)
