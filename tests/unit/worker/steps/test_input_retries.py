"""Inputs that are away are asked for again with growing pauses, for a bounded time, and then given up by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.fakes import FakeClock
from support.inputs import inputs
from videojob.adapters.inputs.local_files import LocalFiles
from videojob.api.spec import Input
from videojob.errors import InputNotFound, InputUnavailable, VideoJobError
from videojob.worker.steps.input_retries import Rounds
from videojob.worker.steps.inputs import FailedInput, InputResolver, Item, RequestedInput

PREFIX = {"s3": {"bucket": "films", "prefix": "day/"}}


class Listing(InputResolver):
    """A prefix that can be listed from the `at`-th look on; by then it holds two videos."""

    def __init__(self, at: int) -> None:
        super().__init__(Path(), Path())
        self.left = at

    def expand(self, inputs: Sequence[Input]) -> Iterator[Item]:
        for one in inputs:
            if self.left:
                self.left -= 1
                yield FailedInput("s3://films/day/", "", InputUnavailable("no listing"), one)
            else:
                yield from (wanted("s3://films/day/1.mp4"), wanted("s3://films/day/2.mp4"))


def wanted(uri: str) -> RequestedInput:
    return RequestedInput(uri, uri, "", None, LocalFiles(Path()))


@dataclass
class Web:
    """What is away, and for how many looks more; the videos that were looked at in each round."""

    away: dict[str, int] = field(default_factory=dict)
    seen: list[list[str]] = field(default_factory=list)
    paused_s: list[float] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)

    def look(self, items: Sequence[Item]) -> Iterable[tuple[str, VideoJobError | None]]:
        self.seen.append([item.uri for item in items])
        for item in items:
            error: VideoJobError | None = item.error if isinstance(item, FailedInput) else None
            if item.uri == "gone":
                error = InputNotFound("no such file")
            elif self.away.get(item.uri, 0) > 0:
                self.away[item.uri] -= 1
                error = InputUnavailable("no answer")
            yield item.uri, error

    def pause(self, seconds: float) -> None:
        self.paused_s.append(seconds)
        self.clock.seconds += seconds

    def found(
        self,
        items: Sequence[Item],
        limit: int = 5,
        *,
        resolver: InputResolver | None = None,
        until_s: float | None = None,
    ) -> list[tuple[str, str]]:
        rounds: Rounds[tuple[str, VideoJobError | None]] = Rounds(
            resolver or InputResolver(Path(), Path()),
            self.look,
            lambda found: found[1],
            limit,
            self.pause,
            self.clock,
            lambda errors, _pause_s: self.told.append(len(errors)),
            until_s=until_s,
        )
        return [(uri, "" if error is None else error.message) for uri, error in rounds.run(items)]


def test_only_what_is_away_is_asked_for_again_in_its_place() -> None:
    web = Web({"b": 2})
    assert web.found([wanted("a"), wanted("b"), wanted("gone")]) == [("a", ""), ("b", ""), ("gone", "no such file")]
    assert web.seen == [["a", "b", "gone"], ["b"], ["b"]]
    assert (web.paused_s, web.told) == ([10, 20], [1, 1])


@pytest.mark.parametrize(("limit", "paused_s"), [(0, []), (3, [10, 20, 40]), (8, [10, 20, 40, 80, 160, 320, 600, 600])])
def test_what_stays_away_is_given_up_after_a_bounded_time(limit: int, paused_s: list[float]) -> None:
    web = Web({"b": 100})
    (_, found) = web.found([wanted("a"), wanted("b")], limit)
    minutes = max(1, round(web.clock.seconds / 60))
    assert found == ("b", f"no answer; it was retried for {minutes} min")
    assert web.paused_s == paused_s


def test_no_wait_reaches_past_the_deadline() -> None:
    web = Web({"b": 100})
    web.found([wanted("b")], until_s=web.clock.seconds + 35)
    assert web.paused_s == [10, 20]


def test_a_prefix_that_could_not_be_listed_is_listed_again_and_its_videos_take_its_place() -> None:
    web, resolver = Web(), Listing(2)
    items = [wanted("a"), *resolver.expand(inputs(PREFIX)), wanted("z")]
    assert [uri for uri, _ in web.found(items, resolver=resolver)] == [
        "a",
        "s3://films/day/1.mp4",
        "s3://films/day/2.mp4",
        "z",
    ]
    assert web.paused_s == [10, 20]


def test_a_prefix_that_cannot_be_listed_to_the_end_fails_as_one_input() -> None:
    web, resolver = Web(), Listing(100)
    items = [wanted("a"), *resolver.expand(inputs(PREFIX))]
    found = web.found(items, 2, resolver=resolver)
    assert found[0] == ("a", "")
    assert found[1][0] == "s3://films/day/"
    assert found[1][1].startswith("no listing; it was retried")
