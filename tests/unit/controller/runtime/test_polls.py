"""Looks that nothing asked for: as often as they are wanted, until there are many keys."""

from __future__ import annotations

import pytest

from videojob.controller.runtime.polls import POLLS_PER_S, Polls


@pytest.mark.parametrize(("keys", "after_s"), [(1, 5.0), (100, 5.0), (1000, 50.0)])
def test_all_keys_together_are_looked_at_so_often_and_no_more(keys: int, after_s: float) -> None:
    polls: Polls[int] = Polls()
    found = [polls.after_s(key, 5.0) for key in range(keys)][-1]
    assert found == after_s
    assert found is not None
    assert keys / found <= POLLS_PER_S


@pytest.mark.parametrize("requeue_s", [None, 0.0, 0.5, 3600.0])
def test_what_is_due_at_once_never_or_far_away_is_not_put_off(requeue_s: float | None) -> None:
    polls: Polls[int] = Polls()
    for key in range(1000):
        polls.after_s(key, 5.0)
    assert polls.after_s(1000, requeue_s) == requeue_s


def test_a_key_that_is_over_makes_room() -> None:
    polls: Polls[int] = Polls()
    for key in range(1000):
        polls.after_s(key, 5.0)
    for key in range(900):
        polls.after_s(key, None)
    assert polls.after_s(999, 5.0) == 5.0
