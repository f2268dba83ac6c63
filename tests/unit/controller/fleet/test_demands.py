"""What is remembered of jobs' demands: who asks a server, what a change concerns, and when all of it is known."""

from __future__ import annotations

from fractions import Fraction

import pytest

from videojob.controller.fleet.demands import BELIEVED_S, Demands
from videojob.planning.state.desired import ServerDemand
from videojob.planning.state.placement import ServerKey

CPU, GPU = ServerKey("face_detector", 1, "cpu"), ServerKey("face_detector", 1, "gpu")


def test_jobs_and_servers_are_remembered_until_the_demand_ends() -> None:
    demands = Demands()
    demands.set(("team", "a"), ServerDemand(CPU, Fraction(5), 100, 1))
    demands.set(("team", "b"), ServerDemand(GPU, Fraction(5), 100, 1))
    assert demands.jobs == [("team", "a"), ("team", "b")]
    assert demands.servers == {CPU, GPU}
    demands.set(("team", "a"), None)
    assert (demands.jobs, demands.servers) == ([("team", "b")], {GPU})


A, B = ("team", "a"), ("team", "b")


def asks(server: ServerKey, speed: int = 5) -> ServerDemand:
    return ServerDemand(server, Fraction(speed), 100)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (None, asks(CPU), {CPU}),
        (asks(CPU), asks(CPU), set()),
        (asks(CPU), asks(CPU, 6), {CPU}),
        (asks(CPU), asks(GPU), {CPU, GPU}),
        (asks(CPU), None, {CPU}),
        (None, None, set()),
    ],
)
def test_a_change_concerns_the_servers_whose_sum_it_changes(
    before: ServerDemand | None, after: ServerDemand | None, changed: set[ServerKey]
) -> None:
    demands = Demands()
    demands.set(A, before)
    assert demands.set(A, after) == changed


def test_a_server_is_asked_by_all_jobs_that_use_it() -> None:
    demands = Demands()
    demands.set(A, asks(CPU, 1))
    demands.set(B, asks(CPU, 2))
    demands.set(("others", "a"), asks(GPU, 4))
    assert [one.frames_per_second for one in demands.of(CPU)] == [1, 2]
    assert (demands.jobs_of(CPU), demands.jobs_of(GPU)) == ([A, B], [("others", "a")])


def test_the_board_is_complete_when_every_listed_job_was_looked_at_or_tried() -> None:
    demands = Demands()
    demands.set(A, asks(CPU))
    assert [demands.complete] == [False], "nothing was listed yet"
    demands.expect([A, B, ("team", "c")])
    demands.set(A, asks(CPU))
    demands.set(B, None)
    assert [demands.complete] == [False]
    assert demands.keep(("team", "c")) == {CPU}, "now servers may be smaller: all get them"
    assert [demands.complete] == [True]
    assert demands.keep(("team", "c")) == set()


def test_what_is_listed_later_is_not_waited_for() -> None:
    demands = Demands()
    demands.expect([])
    demands.expect([A])
    assert demands.complete


def test_a_job_that_cannot_be_looked_at_asks_for_what_it_asked_before() -> None:
    demands = Demands()
    demands.set(A, asks(CPU))
    assert demands.keep(A) == set()
    assert demands.of(CPU) == [asks(CPU)]


class Time:
    """Seconds as they are set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_job_that_cannot_be_looked_at_keeps_its_server_for_half_an_hour() -> None:
    time = Time()
    demands = Demands(time)
    demands.set(A, asks(CPU, 1))
    demands.set(B, asks(CPU, 2))
    time.now_s += BELIEVED_S - 1
    demands.keep(A)  # its look failed: nothing new is known of it
    demands.set(B, asks(CPU, 2))
    assert [one.frames_per_second for one in demands.of(CPU)] == [1, 2]
    time.now_s += 1
    assert [one.frames_per_second for one in demands.of(CPU)] == [2]
    demands.keep(A)
    assert [one.frames_per_second for one in demands.of(CPU)] == [2]
    demands.set(A, asks(CPU, 1))
    assert len(demands.of(CPU)) == 2


@pytest.mark.parametrize("expected", [None, [A]])
def test_servers_do_not_wait_for_ever_for_jobs_that_nobody_can_list_or_look_at(
    expected: list[tuple[str, str]] | None,
) -> None:
    time = Time()
    demands = Demands(time)
    if expected is not None:
        demands.expect(expected)
    time.now_s += BELIEVED_S - 1
    assert not demands.complete
    time.now_s += 1
    assert demands.complete
