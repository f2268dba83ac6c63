"""The work queue: each key once, never twice at a time, delays, and backoff for failures. On virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from support.virtual_time import run_virtually
from videojob.controller.runtime.queue import FIRST_BACKOFF_S, MOST_BACKOFF_S, WorkQueue

Queue = WorkQueue[str]


def at() -> float:
    return asyncio.get_running_loop().time()


async def nothing_within(queue: Queue, seconds: float) -> bool:
    try:
        await asyncio.wait_for(queue.take(), seconds)
    except TimeoutError:
        return True
    return False


def test_many_events_about_a_key_are_one_turn_and_turns_are_in_order() -> None:
    async def main() -> None:
        queue = Queue()
        for key in "abacab":
            queue.add(key)
        assert len(queue) == 3
        assert [await queue.take() for _ in range(3)] == ["a", "b", "c"]
        assert len(queue) == 0
        assert await nothing_within(queue, 3600)

    run_virtually(main())


@pytest.mark.parametrize("events", [1, 2, 5])
def test_a_key_that_comes_in_while_it_is_worked_on_runs_once_more_afterwards(events: int) -> None:
    async def main() -> None:
        queue = Queue()
        queue.add("a")
        assert await queue.take() == "a"
        for _ in range(events):
            queue.add("a")
        assert await nothing_within(queue, 60), "never twice at a time"
        queue.done("a", 300.0)
        began_s = at()
        assert (await queue.take(), at()) == ("a", began_s)
        queue.done("a")
        assert await nothing_within(queue, 3600), "once is enough, and the later turn is off"

    run_virtually(main())


def test_a_key_that_is_worked_on_keeps_no_other_from_its_turn() -> None:
    async def main() -> None:
        queue = Queue()
        for key in "ab":
            queue.add(key)
        assert [await queue.take(), await queue.take()] == ["a", "b"]
        queue.done("b")
        queue.add("b")
        assert await queue.take() == "b"

    run_virtually(main())


Steps = Callable[[Queue], None]


def later_then_sooner(queue: Queue) -> None:
    queue.add_after("a", 100)
    queue.add_after("a", 7)


def sooner_then_later(queue: Queue) -> None:
    queue.add_after("a", 7)
    queue.add_after("a", 100)


def later_then_now(queue: Queue) -> None:
    queue.add_after("a", 100)
    queue.add("a")


def now_then_later(queue: Queue) -> None:
    queue.add("a")
    queue.add_after("a", 100)


def before_now(queue: Queue) -> None:
    queue.add_after("a", -5)


@pytest.mark.parametrize(
    ("steps", "due_s"),
    [(later_then_sooner, 7), (sooner_then_later, 7), (later_then_now, 0), (now_then_later, 0), (before_now, 0)],
)
def test_of_all_times_that_a_key_is_due_the_first_one_counts(steps: Steps, due_s: float) -> None:
    async def main() -> None:
        queue = Queue()
        steps(queue)
        assert await queue.take() == "a"
        assert at() == pytest.approx(due_s)
        queue.done("a")
        assert await nothing_within(queue, 3600)

    run_virtually(main())


def test_keys_come_when_they_are_due_also_while_somebody_waits() -> None:
    async def main() -> None:
        queue = Queue()
        waiting = asyncio.create_task(queue.take())
        await asyncio.sleep(1)
        queue.add_after("late", 20)
        queue.add_after("soon", 10)
        assert await waiting == "soon"
        assert at() == pytest.approx(11)
        assert await queue.take() == "late"
        assert at() == pytest.approx(21)

    run_virtually(main())


def test_two_who_wait_get_two_keys_that_come_at_once() -> None:
    async def main() -> None:
        queue = Queue()
        waiting = [asyncio.create_task(queue.take()) for _ in range(2)]
        await asyncio.sleep(1)
        queue.add("a")
        queue.add("b")
        assert {await one for one in waiting} == {"a", "b"}

    run_virtually(main())


@pytest.mark.parametrize(
    ("least_s", "most_s", "expected"),
    [
        (0.0, MOST_BACKOFF_S, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]),
        (0.0, 15.0, [1, 2, 4, 8, 15, 15]),
        (20.0, 15.0, [20, 20, 20]),
    ],
)
def test_a_key_that_fails_comes_later_each_time_and_a_success_starts_anew(
    least_s: float, most_s: float, expected: list[float]
) -> None:
    async def main() -> None:
        queue = Queue(random.Random(3))
        queue.add("a")
        await queue.take()
        for full_s in expected:
            began_s = at()
            told_s = queue.failed("a", least_s=least_s, most_s=most_s)
            assert await queue.take() == "a"
            waited_s = at() - began_s
            assert waited_s == pytest.approx(told_s)
            assert max(least_s, full_s / 2) <= waited_s <= full_s + 1e-9
        queue.done("a")
        queue.add("a")
        await queue.take()
        assert queue.failed("a") <= FIRST_BACKOFF_S

    run_virtually(main())


def test_an_event_during_a_look_that_failed_does_not_shorten_the_pause_but_one_after_it_does() -> None:
    async def main() -> None:
        queue = Queue()
        queue.add("a")
        await queue.take()
        queue.add("a")
        pause_s = queue.failed("a", least_s=50)
        assert await nothing_within(queue, pause_s - 1)
        queue.add("a")
        assert await queue.take() == "a"

    run_virtually(main())


def test_after_its_end_the_queue_gives_nothing_and_holds_nobody() -> None:
    async def main() -> None:
        queue = Queue()
        waiting = [asyncio.create_task(queue.take()) for _ in range(3)]
        await asyncio.sleep(1)
        queue.close()
        assert [await one for one in waiting] == [None, None, None]
        queue.add("a")
        assert await queue.take() is None

    run_virtually(main())


def test_virtual_time_does_not_wait_for_what_never_comes() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    stuck: Coroutine[Any, Any, None] = main()
    with pytest.raises(AssertionError, match="nothing will ever happen"):
        run_virtually(stuck)


@pytest.mark.parametrize(
    ("heard_s", "taken_s"),
    [
        ([0.0], [0.0]),
        ([0.0, 0.1, 0.2, 1.9], [0.0, 2.0]),
        ([0.0, 0.5, 2.5, 2.6, 4.5], [0.0, 2.0, 4.0, 6.0]),
        ([0.0, 2.0, 10.0], [0.0, 2.0, 10.0]),
    ],
    ids=["after a quiet time", "the rest of a burst", "a stream", "slow ones"],
)
def test_paced_keys_come_at_once_after_a_quiet_time_and_else_no_more_often_than_asked(
    heard_s: list[float], taken_s: list[float]
) -> None:
    async def main() -> None:
        queue = Queue()
        loop = asyncio.get_running_loop()
        began_s = at()
        for one in heard_s:
            loop.call_at(began_s + one, queue.add_paced, "a", 2.0)
        found = []
        for _ in taken_s:
            await queue.take()
            found.append(at() - began_s)
            queue.done("a")
        assert found == pytest.approx(taken_s)
        assert await nothing_within(queue, 3600)

    run_virtually(main())


def test_a_paced_key_does_not_wait_when_something_else_wants_it() -> None:
    async def main() -> None:
        queue = Queue()
        queue.add("a")
        await queue.take()
        queue.done("a")
        queue.add_paced("a", 2.0)
        queue.add("a")
        began_s = at()
        assert (await queue.take(), at()) == ("a", began_s)
        queue.done("a")
        assert await nothing_within(queue, 3600), "one turn for both"

    run_virtually(main())


def test_a_paced_key_that_comes_in_while_it_is_worked_on_waits_for_its_time() -> None:
    async def main() -> None:
        queue = Queue()
        queue.add("a")
        await queue.take()
        began_s = at()
        queue.add_paced("a", 2.0)
        queue.done("a", 300.0)
        await queue.take()
        assert at() - began_s == pytest.approx(2.0)

    run_virtually(main())
