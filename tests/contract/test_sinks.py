"""What every Sink does, whatever store stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.results import job_description, planned, run_record, segment_commit, segment_result
from videojob.adapters.sqlite import SqliteSink
from videojob.errors import SinkError, StaleEpoch
from videojob.ports import CommitOutcome, Sink
from videojob.results.summary import summarise
from videojob.results.summary_codec import encode_summary
from videojob.results.values import RunRecord, SegmentCommit

OpenSink = Callable[[], Sink]


@pytest.fixture(params=["sqlite"])
def open_sink(tmp_path: Path) -> Iterator[OpenSink]:
    """Opens one more sink on the same, initially empty store."""
    opened: list[Sink] = []

    def open_one() -> Sink:
        opened.append(SqliteSink(tmp_path / "results.db"))
        return opened[-1]

    yield open_one
    for sink in opened:
        sink.close()


@pytest.fixture
def sink(open_sink: OpenSink) -> Sink:
    return open_sink()


@pytest.fixture
def run(sink: Sink) -> RunRecord:
    return sink.begin(run_record())


def _commits(count: int = 3) -> list[SegmentCommit]:
    return [segment_commit(segment_result(segment)) for segment in planned(count)]


def test_first_run_of_a_job_is_epoch_one(sink: Sink) -> None:
    assert sink.begin(run_record()).epoch == 1


def test_same_plan_continues_the_epoch_and_another_starts_the_next(sink: Sink) -> None:
    sink.begin(run_record(plan="plan-a"))
    assert sink.begin(run_record(plan="plan-a")).epoch == 1
    assert sink.begin(run_record(plan="plan-b")).epoch == 2


def test_commit_comes_back_as_it_was_stored(sink: Sink, run: RunRecord) -> None:
    commits = _commits()
    outcomes = [sink.commit(run, commit) for commit in reversed(commits)]
    assert outcomes == [CommitOutcome.STORED] * 3
    assert list(sink.commits(run)) == commits
    assert sink.committed(run) == {0, 1, 2}


def test_commit_again_is_recognised_by_its_digest(sink: Sink, run: RunRecord) -> None:
    first, *_ = _commits()
    sink.commit(run, first)
    assert sink.commit(run, first) is CommitOutcome.ALREADY_STORED


def test_a_second_different_result_leaves_the_first(sink: Sink, run: RunRecord) -> None:
    first, *_ = _commits()
    other = segment_commit(segment_result(planned()[0], score_ppm=123))
    sink.commit(run, first)
    assert sink.commit(run, other) is CommitOutcome.OTHER_KEPT
    assert list(sink.commits(run)) == [first]


def test_older_epoch_is_fenced_off(sink: Sink, run: RunRecord) -> None:
    sink.begin(run_record(plan="plan-b"))
    with pytest.raises(StaleEpoch):
        sink.commit(run, _commits()[0])
    with pytest.raises(StaleEpoch):
        sink.finalise(run, b'{"a":1}', None)


def test_finalise_stores_once_and_byte_for_byte(sink: Sink, run: RunRecord) -> None:
    data = encode_summary(summarise(job_description(), [commit.result for commit in _commits()]))
    assert sink.summary(run.uid) is None
    assert sink.finalise(run, data, '{"state":"Completed"}')
    assert not sink.finalise(run, data, '{"state":"Completed"}')
    assert sink.summary(run.uid) == data


def test_another_summary_of_a_finished_epoch_is_refused(sink: Sink, run: RunRecord) -> None:
    sink.finalise(run, b'{"a":1}', None)
    with pytest.raises(SinkError, match="another summary"):
        sink.finalise(run, b'{"a":2}', None)
