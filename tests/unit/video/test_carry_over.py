"""Which finished segments another plan takes over, and that it does so only where the store bears the plans out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.results import segment_commit, segment_result
from support.segments import run_settings
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.local.earlier import FOLDER, EarlierPlans
from videojob.local.run_types import SinkConfig
from videojob.results.aggregate.segment_results import RunRecord, SegmentCommit
from videojob.results.stored.codec import digest
from videojob.video.carry_over import NewPlace, carried
from videojob.video.identity import PlannedInput, RunSettings, digest_of, plan_text
from videojob.video.info import Segment

Bounds = tuple[int | None, int | None]
HALVES: tuple[Bounds, ...] = ((None, 30_000), (30_000, None))


def text(
    *videos: str, model: str = "m", settings: RunSettings | None = None, halves: tuple[Bounds, ...] = HALVES
) -> str:
    """The plan of such videos, two segments each; one in brackets is away."""
    inputs = [PlannedInput(f"{name.strip('()')}.mp4", "" if "(" in name else "v1", name) for name in videos]
    good = [at for at, name in enumerate(videos) if "(" not in name]
    segments = [
        Segment(len(halves) * number + half, video, *bounds)
        for number, video in enumerate(good)
        for half, bounds in enumerate(halves)
    ]
    return plan_text(inputs, segments, model, settings or run_settings())


def test_all_videos_but_the_new_one_are_taken_over_under_their_new_numbers() -> None:
    assert carried(text("a", "(b)", "c"), text("a", "b", "c")) == {
        0: NewPlace(0, 0),
        1: NewPlace(1, 0),
        2: NewPlace(4, 2),
        3: NewPlace(5, 2),
    }


def test_a_video_that_went_away_takes_nothing_from_the_others() -> None:
    assert carried(text("a", "b"), text("(a)", "b")) == {2: NewPlace(0, 1), 3: NewPlace(1, 1)}


@pytest.mark.parametrize(
    "now",
    [
        text("a", model="other"),
        text("a", settings=run_settings(window_ms=5_000)),
        text("a").replace('"v1"', '"v2"'),
        text("a", halves=((None, 20_000), (20_000, None))),
        text("b"),
    ],
    ids=["model", "settings", "version", "cuts", "video"],
)
def test_what_may_differ_is_not_taken_over(now: str) -> None:
    assert carried(text("a"), now) == {}


def test_a_plan_that_another_release_described_otherwise_gives_nothing() -> None:
    assert carried(json.dumps({"model": "m", "settings": {}}), text("a")) == {}


class Desk:
    """One job in one store, with the plans of its output folder."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.folder = folder
        self.sink = SqliteSink(folder / "results.sqlite3")
        self.plans = EarlierPlans(folder, SinkConfig("sqlite", folder / "results.sqlite3"), self.said.append)

    def begin(self, plan: str, *, taking: bool = True) -> RunRecord:
        newest = self.sink.newest("uid")
        run = self.sink.begin(RunRecord("uid", "default", "job", digest_of(plan), len(json.loads(plan)["segments"])))
        self.plans.keep(run, plan)
        if taking:
            self.plans.take_over(self.sink, run, plan, newest)
        return run

    def commit(self, run: RunRecord, plan: str, *indexes: int) -> None:
        for one in json.loads(plan)["segments"]:
            if one["index"] in indexes:
                self.sink.commit(run, segment_commit(segment_result(Segment(**one))))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    with closing(desk.sink):
        yield desk


def test_results_are_committed_under_their_new_numbers_and_are_otherwise_the_same(desk: Desk) -> None:
    first = desk.begin(text("a", "(b)", "c"))
    desk.commit(first, text("a", "(b)", "c"), 0, 3)
    before = {commit.result.segment: commit for commit in desk.sink.commits(first)}
    second = desk.begin(text("a", "b", "c"))
    now = {commit.result.segment: commit for commit in desk.sink.commits(second)}
    assert second.epoch == 2
    moved = replace(before[3].result, segment=5, video=2)
    assert now == {0: before[0], 5: SegmentCommit(moved, digest(moved), before[3].timings)}
    assert desk.said == ["2 finished segments of an earlier plan are reused"]


def test_a_run_that_was_killed_while_it_took_over_goes_on_with_that(desk: Desk) -> None:
    desk.commit(desk.begin(text("a", "(b)")), text("a", "(b)"), 0, 1)
    second = desk.begin(text("a", "b"), taking=False)
    assert desk.begin(text("a", "b")) == second
    assert desk.sink.committed(second) == {0, 1}


def test_videos_that_are_away_in_turn_lose_nothing(desk: Desk) -> None:
    desk.commit(desk.begin(text("a", "(b)")), text("a", "(b)"), 0, 1)
    desk.commit(desk.begin(text("(a)", "b")), text("(a)", "b"), 0, 1)
    assert desk.sink.committed(desk.begin(text("a", "b"))) == {0, 1, 2, 3}


def test_plans_of_a_store_that_is_gone_are_not_believed(desk: Desk) -> None:
    desk.commit(desk.begin(text("a", "(b)")), text("a", "(b)"), 0, 1)
    desk.begin(text("a", "b", "c"))
    desk.sink.delete("uid")
    other = text("c", model="other")
    desk.commit(desk.begin(other), other, 0, 1)
    assert desk.sink.committed(desk.begin(text("a", "b"))) == frozenset()


def test_a_plan_that_cannot_be_read_is_told_and_costs_only_its_segments(desk: Desk) -> None:
    desk.commit(desk.begin(text("a", "(b)")), text("a", "(b)"), 0, 1)
    (kept,) = (desk.folder / FOLDER).glob("*.json")
    kept.write_text("{")
    assert desk.sink.committed(desk.begin(text("a", "b"))) == frozenset()
    assert "cannot be read and is not used" in desk.said[0]


def test_only_the_last_plans_are_kept(desk: Desk) -> None:
    for number in range(20):
        desk.begin(text(f"a{number}"))
    assert len(list((desk.folder / FOLDER).iterdir())) == 8
