"""What every Sink does, whatever store stands behind it.

That a summary is only made of complete results is no sink's business: `aggregate.summary` refuses, see its unit tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import fields, replace
from pathlib import Path

import pytest

from support.dynamodb import settings_for
from support.results import job_description, planned, run_record, segment_commit, segment_result
from videojob.adapters.aws.dynamodb.sink import DynamoDbSink
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.errors import SinkError, StaleEpoch
from videojob.ports.results import CommitOutcome, Sink
from videojob.results.aggregate.segment_results import (
    Gap,
    Presence,
    RunRecord,
    SegmentCommit,
    SegmentConflict,
    SegmentTimings,
    ServerWork,
    TrackSpan,
)
from videojob.results.aggregate.summary import summarise
from videojob.results.stored.codec import bytes_digest, canonical, digest
from videojob.results.stored.summary_codec import encode_summary

OpenSink = Callable[[], Sink]

_LARGE = 12_000
"""Presence intervals that make an item of about 400 KB."""


@pytest.fixture(params=["sqlite", "dynamodb"])
def open_sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenSink]:
    """Opens one more sink on the same, initially empty store."""
    with ExitStack() as opened:
        if request.param == "sqlite":
            yield lambda: opened.enter_context(closing(SqliteSink(tmp_path / "results.db")))
            return
        request.getfixturevalue("aws")
        settings = settings_for(request.getfixturevalue("dynamodb_url"))
        with closing(DynamoDbSink(settings)) as sink:
            sink.create_table()
        yield lambda: opened.enter_context(closing(DynamoDbSink(settings)))


@pytest.fixture
def sink(open_sink: OpenSink) -> Sink:
    return open_sink()


@pytest.fixture
def run(sink: Sink) -> RunRecord:
    return sink.begin(run_record())


def _commits(count: int = 3) -> list[SegmentCommit]:
    return [segment_commit(segment_result(segment)) for segment in planned(count)]


def _large_commit(segment: int, intervals: int) -> SegmentCommit:
    result = replace(
        segment_result(planned(100)[segment]),
        presence=tuple(
            Presence(0, at * 5000, at * 5000 + 123, at * 5000 + 7, 912_345, (101, 203, 1507, 999))
            for at in range(intervals)
        ),
    )
    return SegmentCommit(result, digest(result))


def test_first_run_of_a_job_is_epoch_one(sink: Sink) -> None:
    assert sink.begin(run_record()) == replace(run_record(), epoch=1)


def test_same_plan_continues_the_epoch_and_another_starts_the_next(open_sink: OpenSink) -> None:
    open_sink().begin(run_record(plan="plan-a"))
    assert open_sink().begin(run_record(plan="plan-a")).epoch == 1
    assert open_sink().begin(run_record(plan="plan-b")) == replace(run_record(plan="plan-b"), epoch=2)
    assert open_sink().begin(run_record(plan="plan-a")).epoch == 3


def test_racing_begins_of_one_plan_share_an_epoch(open_sink: OpenSink) -> None:
    sinks = [open_sink() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        epochs = list(pool.map(lambda sink: sink.begin(run_record()).epoch, sinks))
    assert epochs == [1] * 6


def test_racing_begins_of_different_plans_get_different_epochs(open_sink: OpenSink) -> None:
    sinks = [open_sink() for _ in range(5)]
    with ThreadPoolExecutor(5) as pool:
        begun = [pool.submit(sink.begin, run_record(plan=f"plan-{at}")) for at, sink in enumerate(sinks)]
    assert sorted(future.result().epoch for future in begun) == [1, 2, 3, 4, 5]


def test_commits_come_back_as_they_were_stored_by_ascending_index(open_sink: OpenSink) -> None:
    sink = open_sink()
    run = sink.begin(run_record())
    commits = _commits(11)
    assert [sink.commit(run, commit) for commit in reversed(commits)] == [CommitOutcome.STORED] * 11
    assert list(open_sink().commits(run)) == commits
    assert open_sink().committed(run) == set(range(11))


def test_every_field_of_a_result_survives(sink: Sink, run: RunRecord) -> None:
    first, *_ = planned(1)
    result = replace(
        segment_result(replace(first, start_pts=-900, end_pts=2**40)),
        tracks=(
            TrackSpan(1, 0, 5, 900, (-1, 0, 20, 30), (4, 5, 6, 7)),
            TrackSpan(2, 3, 7, 7, (1, 1, 2, 2), (0, 0, 1, 1)),
        ),
        gaps=(Gap(40, 80, "InputCorrupt: „Bild“ fehlt"), Gap(90, 95, "")),
    )
    commit = segment_commit(result)
    sink.commit(run, commit)
    assert list(sink.commits(run)) == [commit]


def test_every_timing_survives(sink: Sink, run: RunRecord) -> None:
    numbers = {item.name: at for at, item in enumerate(fields(SegmentTimings), start=1) if item.name != "server"}
    server = ServerWork(9.5, 40, 600, 9_600, 1.44, 23.04, 16, 2, 184_320, "c7i.xlarge")
    commit = replace(_commits()[0], timings=SegmentTimings(**numbers, server=server))
    sink.commit(run, commit)
    assert list(sink.commits(run)) == [commit]


def test_segment_without_any_frame_survives(sink: Sink, run: RunRecord) -> None:
    commit = segment_commit(replace(segment_result(planned()[0], windows=0), frames_selected=0))
    sink.commit(run, commit)
    assert list(sink.commits(run)) == [commit]


def test_commit_again_is_recognised_by_its_digest(sink: Sink, run: RunRecord) -> None:
    first, *_ = _commits()
    sink.commit(run, first)
    again = replace(first, timings=replace(first.timings, wall_s=99.0))
    assert sink.commit(run, again) is CommitOutcome.ALREADY_STORED


def test_a_second_different_result_leaves_the_first(sink: Sink, run: RunRecord) -> None:
    first, *_ = _commits()
    other = segment_commit(segment_result(planned()[0], score_ppm=123))
    sink.commit(run, first)
    assert sink.commit(run, other) is CommitOutcome.OTHER_KEPT
    assert list(sink.commits(run)) == [first]


def test_segments_with_two_results_are_told_of_for_good(open_sink: OpenSink) -> None:
    sink = open_sink()
    run = sink.begin(run_record())
    commits = _commits()
    others = [segment_commit(segment_result(segment, score_ppm=123)) for segment in planned()]
    for commit in commits:
        sink.commit(run, commit)
        sink.commit(run, commit)
    assert sink.conflicts(run) == ()
    third = segment_commit(segment_result(planned()[2], score_ppm=456))
    for commit in (others[2], others[0], others[2], third):
        assert sink.commit(run, commit) is CommitOutcome.OTHER_KEPT
    wanted = tuple(SegmentConflict(at, commits[at].digest, others[at].digest) for at in (0, 2))
    assert open_sink().conflicts(run) == wanted
    assert list(open_sink().commits(run)) == commits
    newer = sink.begin(run_record(plan="plan-b"))
    assert (sink.conflicts(newer), sink.conflicts(run)) == ((), wanted)


def test_racing_committers_store_every_segment_once(open_sink: OpenSink) -> None:
    sinks = [open_sink() for _ in range(4)]
    run = sinks[0].begin(run_record())
    commits = _commits(12)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda sink: [sink.commit(run, commit) for commit in commits], sinks))
    flat = [outcome for one in outcomes for outcome in one]
    assert flat.count(CommitOutcome.STORED) == 12
    assert flat.count(CommitOutcome.ALREADY_STORED) == 36
    assert list(sinks[0].commits(run)) == commits


def test_threads_may_share_a_sink(sink: Sink, run: RunRecord) -> None:
    commits = _commits(12)
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda commit: sink.commit(run, commit), commits))
    assert outcomes == [CommitOutcome.STORED] * 12


def test_older_epoch_is_fenced_off(sink: Sink, run: RunRecord) -> None:
    sink.commit(run, _commits()[0])
    newer = sink.begin(run_record(plan="plan-b"))
    with pytest.raises(StaleEpoch):
        sink.commit(run, _commits()[1])
    with pytest.raises(StaleEpoch):
        sink.finalise(run, b'{"a":1}', None)
    assert sink.committed(newer) == frozenset()
    assert sink.summary(run.uid) is None


def test_run_that_was_never_begun_cannot_write(sink: Sink) -> None:
    stranger = replace(run_record(), epoch=1)
    with pytest.raises(SinkError, match="is not in this store"):
        sink.commit(stranger, _commits()[0])
    with pytest.raises(SinkError, match="is not in this store"):
        sink.finalise(stranger, b'{"a":1}', None)


def test_jobs_do_not_see_each_other(sink: Sink) -> None:
    one, other = sink.begin(run_record("uid-1")), sink.begin(run_record("uid-2"))
    sink.commit(one, _commits()[0])
    assert sink.committed(other) == frozenset()
    assert list(sink.commits(other)) == []


def test_commits_beyond_one_page_are_all_read(open_sink: OpenSink) -> None:
    sink = open_sink()
    run = sink.begin(run_record(segments=20))
    commits = [_large_commit(at, 7500) for at in range(0, 20, 4)]
    for commit in commits:
        sink.commit(run, commit)
    assert sink.usage().payload_bytes > 1_200_000
    assert sink.committed(run) == set(range(0, 20, 4))
    assert list(open_sink().commits(run)) == commits


def test_result_too_large_for_one_item_survives(open_sink: OpenSink) -> None:
    sink = open_sink()
    run = sink.begin(run_record())
    commits = [_large_commit(0, _LARGE), _commits()[1], segment_commit(segment_result(planned(9)[4]))]
    assert [sink.commit(run, commit) for commit in commits] == [CommitOutcome.STORED] * 3
    assert sink.commit(run, commits[0]) is CommitOutcome.ALREADY_STORED
    assert sink.commit(run, _large_commit(0, _LARGE + 1)) is CommitOutcome.OTHER_KEPT
    assert open_sink().committed(run) == {0, 1, 4}
    assert list(open_sink().commits(run)) == commits


def test_finalise_stores_once_and_byte_for_byte(open_sink: OpenSink) -> None:
    sink = open_sink()
    run = sink.begin(run_record())
    data = encode_summary(summarise(job_description(), [commit.result for commit in _commits()]))
    assert sink.summary(run.uid) is None
    assert sink.finalise(run, data, '{"state":"Completed"}')
    assert not open_sink().finalise(run, data, '{"state":"Completed"}')
    assert not open_sink().finalise(run, data, None)
    assert open_sink().summary(run.uid) == data


def test_racing_finalisers_store_one_summary(open_sink: OpenSink) -> None:
    sinks = [open_sink() for _ in range(5)]
    run = sinks[0].begin(run_record())
    with ThreadPoolExecutor(5) as pool:
        stored = list(pool.map(lambda sink: sink.finalise(run, b'{"a":[1,2]}', "{}"), sinks))
    assert sorted(stored) == [False] * 4 + [True]


def test_large_summary_comes_back_byte_for_byte(open_sink: OpenSink) -> None:
    sink = open_sink()
    run = sink.begin(run_record(segments=1))
    whole = replace(planned(100)[0], end_pts=None)
    result = replace(_large_commit(0, _LARGE).result, end_pts=None)
    data = encode_summary(summarise(job_description((whole,)), [result]))
    assert len(data) > 500_000
    assert sink.finalise(run, data, None)
    assert not sink.finalise(run, data, None)
    assert open_sink().summary(run.uid) == data


def test_summary_of_very_many_videos_comes_back_byte_for_byte(open_sink: OpenSink) -> None:
    sink = open_sink()
    run = sink.begin(run_record())
    segments = tuple(planned(1, video=at, first_index=at)[0] for at in range(1500))
    description = job_description(segments, videos=1500)
    data = encode_summary(summarise(description, [segment_result(segment) for segment in segments]))
    assert sink.finalise(run, data, None)
    assert bytes_digest(open_sink().summary(run.uid) or b"") == bytes_digest(data)


def test_another_summary_of_a_finished_epoch_is_refused(sink: Sink, run: RunRecord) -> None:
    sink.finalise(run, b'{"a":1}', None)
    with pytest.raises(SinkError, match="another summary"):
        sink.finalise(run, b'{"a":2}', None)
    assert sink.summary(run.uid) == b'{"a":1}'


def test_summary_stays_until_the_next_epoch_is_finished(sink: Sink, run: RunRecord) -> None:
    sink.finalise(run, b'{"a":1}', "{}")
    newer = sink.begin(run_record(plan="plan-b"))
    assert sink.summary(run.uid) == b'{"a":1}'
    sink.finalise(newer, b'{"a":2}', "{}")
    assert sink.summary(run.uid) == b'{"a":2}'


def test_the_finished_run_is_the_one_of_the_summary_whatever_began_after_it(open_sink: OpenSink) -> None:
    sink = open_sink()
    assert sink.finished_run(run_record().uid) is None
    first = sink.begin(run_record(plan="plan-a", segments=2))
    assert sink.finished_run(first.uid) is None
    commits = _commits(2)
    for commit in commits:
        sink.commit(first, commit)
    sink.finalise(first, b'{"a":1}', None)
    newer = sink.begin(run_record(plan="plan-b", segments=5))
    sink.commit(newer, segment_commit(segment_result(planned(5)[0], score_ppm=123)))
    reader = open_sink()
    assert reader.finished_run(first.uid) == first
    assert list(reader.commits(first)) == commits
    sink.finalise(newer, b'{"a":2}', None)
    assert reader.finished_run(first.uid) == newer
    assert reader.finished(first) == b'{"a":1}'


def test_the_newest_run_owns_the_job(sink: Sink) -> None:
    assert sink.newest(run_record().uid) is None
    first = sink.begin(run_record(plan="plan-a"))
    assert sink.newest(first.uid) == first
    newer = sink.begin(run_record(plan="plan-b", segments=5))
    assert sink.newest(first.uid) == newer


def test_finished_run_continues_under_the_same_plan_and_knows_its_results_again(sink: Sink, run: RunRecord) -> None:
    first, *_ = _commits()
    sink.commit(run, first)
    sink.finalise(run, b'{"a":1}', None)
    again = sink.begin(run_record())
    assert again == run
    assert sink.commit(again, first) is CommitOutcome.ALREADY_STORED


@pytest.mark.parametrize("summary", [canonical({"nested": {"b": [True, None, "ä", ""], "a": -1}, "empty": {}})])
def test_any_canonical_document_survives(sink: Sink, run: RunRecord, summary: bytes) -> None:
    sink.finalise(run, summary, None)
    assert sink.summary(run.uid) == summary


def test_summary_that_is_not_canonical_is_refused(sink: Sink, run: RunRecord) -> None:
    with pytest.raises(ValueError, match="canonical"):
        sink.finalise(run, b'{"a": 1}', None)


def test_runs_lists_the_newest_epoch_of_every_job_by_name(sink: Sink) -> None:
    sink.begin(run_record("uid-2", name="plates"))
    first = sink.begin(run_record("uid-1", name="faces"))
    newer = sink.begin(run_record("uid-1", name="faces", plan="plan-b"))
    assert first.epoch == 1
    assert [(run.name, run.epoch) for run in sink.runs()] == [("faces", 2), ("plates", 1)]
    assert sink.runs()[0] == newer


def test_what_is_deleted_is_gone_and_other_jobs_stay(open_sink: OpenSink) -> None:
    sink = open_sink()
    gone, kept = sink.begin(run_record("uid-1")), sink.begin(run_record("uid-2"))
    for run in (gone, kept):
        for commit in [_large_commit(0, _LARGE), *_commits()[1:]]:
            sink.commit(run, commit)
        sink.commit(run, segment_commit(segment_result(planned()[1], score_ppm=1)))
        sink.finalise(run, b'{"a":1}', "{}")
    newer = sink.begin(run_record("uid-1", plan="plan-b"))
    sink.commit(newer, _commits()[0])
    assert sink.delete("uid-1") >= 9
    reader = open_sink()
    assert (reader.newest("uid-1"), reader.summary("uid-1"), reader.runs()) == (None, None, [kept])
    assert [reader.committed(run) for run in (gone, newer)] == [frozenset(), frozenset()]
    assert (len(list(reader.commits(kept))), reader.summary("uid-2"), len(reader.conflicts(kept))) == (3, b'{"a":1}', 1)
    assert sink.delete("uid-1") == 0, "a second time there is nothing"
    assert sink.begin(run_record("uid-1")).epoch == 1


def test_usage_counts_what_was_written(sink: Sink, run: RunRecord) -> None:
    before = sink.usage()
    commit = _commits()[0]
    sink.commit(run, commit)
    after = sink.usage()
    assert (before.items, after.items) == (1, 2)
    assert (before.write_units, after.write_units) == (1.0, 2.0)
    assert 600 < after.payload_bytes - before.payload_bytes < 1024
    sink.commit(run, commit)
    assert sink.usage().items == 2


def test_closing_twice_is_harmless(sink: Sink) -> None:
    sink.close()
    sink.close()
