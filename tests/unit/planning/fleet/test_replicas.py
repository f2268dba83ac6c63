"""How many replicas a server has: up at once, down late, to zero without demand."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.decisions import CPU, NOW_S
from videojob.planning.fleet.replicas import REMOVE_S, ServerDesired, replicas_needed, size_server, size_unasked
from videojob.planning.state.desired import ServerDemand
from videojob.planning.state.observed import ServerObserved
from videojob.planning.state.placement import ServerKey

KEY = ServerKey("face_detector", 1, "cpu")
IDLE_S = 60


def demand(speed: float, most: int | None = None, *, busy: bool = True) -> ServerDemand:
    return ServerDemand(KEY, Fraction(speed), 1000, most, busy)


def size(demands: list[ServerDemand], seen: ServerObserved | None, now_s: float = NOW_S) -> ServerDesired:
    return size_server(CPU, demands, seen, idle_s=IDLE_S, now_s=now_s)


@pytest.mark.parametrize(
    ("demands", "replicas"),
    [
        ([], 0),
        ([demand(0.1)], 1),
        ([demand(20)], 1),
        ([demand(20.5)], 2),
        ([demand(5)] * 4, 1),
        ([demand(30), demand(30)], 3),
        ([demand(10_000)], 4),
        ([demand(10_000, 2)], 2),
        ([demand(10_000, 1), demand(5)], 2),
    ],
)
def test_replicas_are_as_many_as_all_jobs_need_each_within_its_limit(
    demands: list[ServerDemand], replicas: int
) -> None:
    assert replicas_needed(CPU, demands) == replicas
    assert size(demands, None) == ServerDesired(replicas, None, busy=bool(demands))


@pytest.mark.parametrize(
    ("needed", "seen", "replicas", "idle_since_s", "requeue_s"),
    [
        (1, ServerObserved(0, 0), 1, None, None),
        (3, ServerObserved(1, 1), 3, None, None),
        (2, ServerObserved(2, 2, idle_since_s=NOW_S - 30), 2, None, None),
        (0, ServerObserved(2, 2), 2, NOW_S, 60),
        (0, ServerObserved(2, 2, idle_since_s=NOW_S - 59), 2, NOW_S - 59, 1),
        (0, ServerObserved(2, 2, idle_since_s=NOW_S - 60), 0, NOW_S, REMOVE_S),
        (1, ServerObserved(3, 3, idle_since_s=NOW_S - 20), 3, NOW_S - 20, 40),
        (1, ServerObserved(3, 3, idle_since_s=NOW_S - 61), 1, None, None),
        # The clock went back: the wait begins again, and does not last for ever.
        (0, ServerObserved(1, 1, idle_since_s=NOW_S + 3600), 1, NOW_S, 60),
        (0, ServerObserved(0, 0), 0, NOW_S, REMOVE_S),
        (0, ServerObserved(0, 0, idle_since_s=NOW_S - 3599), 0, NOW_S - 3599, 1),
        (0, ServerObserved(0, 0, idle_since_s=NOW_S + 9999), 0, NOW_S, REMOVE_S),
        (1, ServerObserved(0, 0, idle_since_s=NOW_S - 9999), 1, None, None),
    ],
)
def test_surplus_goes_when_it_has_lasted(
    needed: int, seen: ServerObserved, replicas: int, idle_since_s: float | None, requeue_s: float | None
) -> None:
    demands = [demand(20 * needed)] if needed else []
    assert size(demands, seen) == ServerDesired(replicas, idle_since_s, bool(demands), requeue_s)


@given(st.lists(st.lists(st.integers(1, 100), max_size=3), min_size=1, max_size=30), st.integers(1, 40))
def test_a_server_is_never_less_than_needed_and_at_zero_soon_after_the_last_job(
    course: list[list[int]], step_s: int
) -> None:
    seen, now_s = ServerObserved(0, 0), NOW_S
    for speeds in course:
        demands = [demand(speed) for speed in speeds]
        wanted = size(demands, seen, now_s)
        assert wanted.replicas >= replicas_needed(CPU, demands)
        assert wanted.replicas <= max(seen.replicas, CPU.max_replicas)
        if demands:
            assert (wanted.requeue_s is not None) == (wanted.replicas > replicas_needed(CPU, demands))
        else:
            assert wanted.requeue_s is not None
        seen, now_s = ServerObserved(wanted.replicas, 0, idle_since_s=wanted.idle_since_s), now_s + step_s
    for _ in range(2):
        wanted = size([], seen, now_s)
        seen, now_s = ServerObserved(wanted.replicas, 0, idle_since_s=wanted.idle_since_s), now_s + IDLE_S
    assert size([], seen, now_s).replicas == 0


def test_a_server_that_nobody_asks_for_goes_in_the_end_and_not_before() -> None:
    unasked = ServerObserved(0, 0, idle_since_s=NOW_S - REMOVE_S)
    assert size([], unasked) == ServerDesired(0, NOW_S - REMOVE_S, busy=False, remove=True)
    assert not size([demand(1)], unasked).remove
    assert not size([], ServerObserved(1, 1, idle_since_s=NOW_S - 9 * REMOVE_S)).remove, "first to zero"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (None, ServerDesired(0, None, busy=False)),
        (ServerObserved(3, 3), ServerDesired(0, NOW_S, busy=False, requeue_s=REMOVE_S)),
        (ServerObserved(3, 3, idle_since_s=NOW_S - 9999), ServerDesired(0, NOW_S, busy=False, requeue_s=REMOVE_S)),
        (ServerObserved(0, 0, idle_since_s=NOW_S - 3000), ServerDesired(0, NOW_S - 3000, busy=False, requeue_s=600)),
        (ServerObserved(0, 0, idle_since_s=NOW_S - 3600), ServerDesired(0, NOW_S - 3600, busy=False, remove=True)),
    ],
)
def test_what_is_not_offered_any_more_is_at_zero_at_once_and_goes_later(
    seen: ServerObserved | None, expected: ServerDesired
) -> None:
    assert size_unasked(seen, NOW_S) == expected
