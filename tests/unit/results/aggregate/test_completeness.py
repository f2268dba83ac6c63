"""Results are checked and handed on one by one: a job may have more than fit into memory."""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest

from support.results import job_description, planned, segment_result
from support.unique_counts import unique_counts
from videojob.errors import ResultsIncomplete
from videojob.results.aggregate.columns import PresenceColumns
from videojob.results.aggregate.completeness import checked_in_order
from videojob.results.aggregate.merge import fold
from videojob.results.aggregate.segment_results import Gap, Presence, SegmentResult, TrackSpan
from videojob.results.aggregate.summary import summarise
from videojob.results.aggregate.totals import VideoTotals
from videojob.results.aggregate.tracks import UniqueCounter
from videojob.video.info import Segment

BOX = (100, 100, 200, 200)


def results(segments: tuple[Segment, ...]) -> list[SegmentResult]:
    return [segment_result(segment) for segment in segments]


def test_results_in_order_are_handed_on_before_the_next_is_read() -> None:
    segments = planned(5)
    read: list[int] = []

    def stored() -> Iterator[SegmentResult]:
        for result in results(segments):
            read.append(result.segment)
            yield result

    for result in checked_in_order(segments, stored()):
        assert read[-1] == result.segment
    assert read == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(5))
def test_results_in_any_order_are_handed_on_in_theirs(seed: int) -> None:
    segments = planned(4) + planned(3, video=1, first_index=4)
    shuffled = results(segments)
    random.Random(seed).shuffle(shuffled)
    assert list(checked_in_order(tuple(reversed(segments)), shuffled)) == results(segments)


def test_a_plan_with_a_hole_is_refused_before_anything_is_read() -> None:
    first, _, last = planned(3)

    stored = iter(results(planned(3)))
    with pytest.raises(ResultsIncomplete, match="not covered once"):
        next(checked_in_order((first, last), stored))
    assert len(list(stored)) == 3


def test_a_summary_holds_no_result_longer_than_its_turn() -> None:
    segments = planned(200)
    alive: list[weakref.ref[_Watched]] = []
    most = 0

    def stored() -> Iterator[SegmentResult]:
        nonlocal most
        for segment in segments:
            result = _watched(segment_result(segment))
            alive.append(weakref.ref(result))
            most = max(most, sum(one() is not None for one in alive))
            yield result

    assert summarise(job_description(segments), stored()).frames.selected == 200 * 20
    assert most <= 3


class _Watched(SegmentResult):
    """A result whose end can be seen."""

    __slots__ = ("__weakref__",)


def _watched(result: SegmentResult) -> _Watched:
    return _Watched(**{name: getattr(result, name) for name in SegmentResult.__dataclass_fields__})


@pytest.mark.parametrize("seed", range(20))
def test_totals_are_what_merging_everything_gives(seed: int) -> None:
    chance = random.Random(seed)
    found = [_eventful(segment, chance) for segment in planned(chance.randrange(1, 90))]
    totals = VideoTotals(0, 2000)
    for result in found:
        totals.add(result)
    (video,) = fold(found, 2000).videos
    assert totals.take_presence(PresenceColumns()) == video.presence
    assert totals.gaps == video.gaps
    assert totals.class_totals == video.class_totals()
    counts = (totals.frames_decoded, totals.frames_selected, totals.frames_gated, totals.segments)
    assert counts == (video.frames_decoded, video.frames_selected, video.frames_gated, len(found))


def _eventful(segment: Segment, chance: random.Random) -> SegmentResult:
    """Presence and gaps near and across the borders, in which some join and some do not."""
    start_ms = segment.index * 20_000
    presence = []
    for class_id in range(2):
        first_ms = start_ms + chance.randrange(3000)
        last_ms = start_ms + chance.randrange(16_000, 20_000)
        peak_ms = chance.randrange(first_ms, last_ms)
        presence.append(Presence(class_id, first_ms, last_ms, peak_ms, chance.randrange(1_000_000), BOX))
    gaps = (
        (Gap(start_ms + chance.randrange(2) * 500, start_ms + 20_000, "InputCorrupt"),) if chance.random() < 0.4 else ()
    )
    return replace(segment_result(segment), presence=tuple(presence), gaps=gaps)


def test_things_are_counted_segment_by_segment_as_at_once() -> None:
    spans = [(TrackSpan(1, 0, 1000 * at, 1000 * at + 980, BOX, BOX),) for at in range(6)]
    counter = UniqueCounter(500)
    for at, tracks in enumerate(spans):
        counter.add(tracks)
        assert counter.counts == unique_counts(spans[: at + 1], 500) == {0: 1}
