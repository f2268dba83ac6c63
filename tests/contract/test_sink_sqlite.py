"""What only the SQLite sink promises: it survives kill -9, many processes, and people with a shell."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.results import job_description, planned, run_record, segment_commit, segment_result
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.errors import SinkError, SinkUnavailable
from videojob.results.aggregate.segment_results import Gap, RunRecord
from videojob.results.aggregate.summary import summarise
from videojob.results.stored.summary_codec import encode_summary

WRITER = Path(__file__).parents[1] / "support" / "sqlite_writer.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "output" / "results.db"


@pytest.fixture
def sink(path: Path) -> Iterator[SqliteSink]:
    with closing(SqliteSink(path)) as sink:
        yield sink


def writer(path: Path, segments: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, WRITER, path, str(segments)], stdout=subprocess.PIPE, text=True)


def query(path: Path, statement: str) -> list[dict[str, object]]:
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(statement)]


def test_acknowledged_commits_survive_kill_9_and_a_rerun_finishes(path: Path) -> None:
    with writer(path, 5000) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(40)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout]
    with closing(SqliteSink(path)) as sink:
        run = sink.begin(run_record())
        stored = sink.committed(run)
        assert set(acknowledged) <= stored
        assert len(stored - set(acknowledged)) <= 1
        commits = {commit.result.segment: commit for commit in sink.commits(run)}
    expected = {segment.index: segment_commit(segment_result(segment)) for segment in planned(5000)}
    assert commits == {index: expected[index] for index in stored}


def test_many_processes_open_a_new_file_and_write_at_once(path: Path) -> None:
    processes = [writer(path, 25) for _ in range(4)]
    for process in processes:
        with process:
            assert process.stdout is not None
            assert len(process.stdout.readlines()) == 25
        assert process.returncode == 0
    with closing(SqliteSink(path)) as sink:
        run = sink.begin(run_record())
        assert run.epoch == 1
        assert [commit.result.segment for commit in sink.commits(run)] == list(range(25))


def test_writer_waits_no_longer_than_told_for_another(path: Path, sink: SqliteSink) -> None:
    with closing(SqliteSink(path, busy_s=0.05)) as impatient, closing(sqlite3.connect(path)) as other:
        other.execute("begin immediate")
        with pytest.raises(SinkUnavailable, match="other writers"):
            impatient.begin(run_record())
        other.rollback()
        assert impatient.begin(run_record()).epoch == 1
    assert sink.begin(run_record()).epoch == 1


@pytest.mark.parametrize("content", [b"hello, I am no database, and longer than a header of one" * 4])
def test_file_that_is_something_else_is_refused(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(SinkError, match="cannot be used") as caught:
        SqliteSink(path)
    assert caught.value.uri == str(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("layout", [1, 99])
def test_file_of_an_earlier_or_later_layout_is_refused(path: Path, sink: SqliteSink, layout: int) -> None:
    sink.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"pragma user_version = {layout}")
    with pytest.raises(SinkError, match=f"has layout {layout}, this version writes") as caught:
        SqliteSink(path)
    assert "--output" in caught.value.hint


def test_place_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(SinkError, match="cannot be read or written"):
        SqliteSink(tmp_path / "taken")


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(SinkError, match="folder"):
        SqliteSink(tmp_path / "taken" / "results.db")


def finished_job(path: Path) -> RunRecord:
    with closing(SqliteSink(path)) as sink:
        run = sink.begin(run_record())
        for segment in planned():
            sink.commit(run, segment_commit(segment_result(segment)))
        sink.finalise(run, b'{"a":1}', None)
    return run


@pytest.mark.parametrize("folder", ["output", "a b?c#d%20"])
def test_reading_makes_no_file_and_leaves_the_results_as_they_are(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "results.db"
    run = finished_job(path)
    before = path.read_bytes()
    with closing(SqliteSink(path, read_only=True)) as reader:
        assert reader.runs() == [run]
        assert reader.summary(run.uid) == b'{"a":1}'
        assert len(list(reader.commits(run))) == 3
        assert [entry.name for entry in path.parent.iterdir()] == ["results.db"]
    assert [entry.name for entry in path.parent.iterdir()] == ["results.db"]
    assert path.read_bytes() == before


def test_reader_sees_what_a_writer_at_work_has_committed(path: Path, sink: SqliteSink) -> None:
    run = sink.begin(run_record())
    one, other, _ = (segment_commit(segment_result(segment)) for segment in planned())
    sink.commit(run, one)
    with closing(SqliteSink(path, read_only=True)) as reader:
        assert list(reader.commits(run)) == [one]
        sink.commit(run, other)
        assert list(reader.commits(run)) == [one, other]


def test_reader_says_that_a_writer_began_instead_of_mixing_old_and_new(path: Path) -> None:
    run = finished_job(path)
    with closing(SqliteSink(path, read_only=True)) as reader:
        with closing(SqliteSink(path)) as writer:
            writer.begin(run_record(plan="plan-b"))
        with pytest.raises(SinkUnavailable, match="began to write") as caught:
            reader.summary(run.uid)
    assert caught.value.retryable


def test_reader_cannot_write(path: Path) -> None:
    run = finished_job(path)
    with closing(SqliteSink(path, read_only=True)) as reader, pytest.raises(SinkError, match="readonly"):
        reader.begin(replace(run, plan_digest="plan-b"))


def test_reader_makes_no_store(path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be read"):
        SqliteSink(path, read_only=True)
    assert not path.parent.exists()


def test_reader_refuses_a_file_without_results(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(SinkError, match="layout 0"):
        SqliteSink(tmp_path / "empty.db", read_only=True)


def test_use_after_close_is_an_error_of_ours(sink: SqliteSink) -> None:
    sink.close()
    with pytest.raises(SinkError):
        sink.begin(run_record())


def test_people_can_query_windows_presence_and_progress(path: Path, sink: SqliteSink) -> None:
    run = sink.begin(run_record())
    left, *others = planned()
    results = [segment_result(left, windows=1), *(segment_result(segment, windows=2) for segment in others)]
    spanning = replace(results[1], windows=(replace(results[1].windows[0], index=0), results[1].windows[1]))
    results[1] = replace(spanning, gaps=(Gap(10, 20, "InputCorrupt"),))
    for result in results:
        sink.commit(run, segment_commit(result))
    assert query(path, "select job, state, segments_done, segments_planned, frames from progress_view") == [
        {"job": "faces", "state": "Running", "segments_done": 3, "segments_planned": 3, "frames": 50}
    ]
    sink.finalise(run, encode_summary(summarise(job_description(), results)), None)
    assert query(path, "select * from windows_view where class_id = 0")[0] == {
        "job": "faces",
        "epoch": 1,
        "video": 0,
        "uri": "file:///videos/0.mp4",
        "window": 0,
        "start_s": 0.0,
        "class_id": 0,
        "label": "face",
        "detections": 24,
        "frames": 16,
        "max_at_once": 2,
        "mean_score": 0.9,
        "max_score": 0.9,
    }
    assert query(path, "select uri, label, first_s, last_s, peak_s, peak_score from presence_view")[0] == {
        "uri": "file:///videos/0.mp4",
        "label": "face",
        "first_s": 1.0,
        "last_s": 5.0,
        "peak_s": 1.5,
        "peak_score": 0.9,
    }
    assert query(path, "select reason from gaps") == [{"reason": "InputCorrupt"}]
    assert query(path, "select state from progress_view") == [{"state": "Finished"}]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("update segments set frames_selected = 11 where segment = 1", "segment 1 of run 'faces', epoch 1"),
        ("update presence set y_max = 7 where segment = 1", "segment 1 of run 'faces', epoch 1"),
        ("update summaries set summary = '{\"a\":2}'", "the summary of run 'faces', epoch 1"),
    ],
)
def test_what_somebody_changed_is_named(path: Path, sink: SqliteSink, change: str, named: str) -> None:
    run = sink.begin(run_record())
    for segment in planned():
        sink.commit(run, segment_commit(segment_result(segment)))
    sink.finalise(run, b'{"a":1}', None)
    with closing(sqlite3.connect(path)) as db:
        db.execute(change)
        db.commit()
    with pytest.raises(SinkError, match=f"{named}, does not match its digest"):
        sink.summary(run.uid) if "summaries" in change else list(sink.commits(run))


def test_a_file_without_a_table_of_conflicts_has_none_and_gets_it_when_it_is_needed(
    path: Path, sink: SqliteSink
) -> None:
    tables = "select name from sqlite_master where name = 'conflicts'"
    run = sink.begin(run_record())
    sink.commit(run, segment_commit(segment_result(planned()[0])))
    assert (sink.conflicts(run), query(path, tables)) == ((), [])
    sink.commit(run, segment_commit(segment_result(planned()[0], score_ppm=123)))
    assert [one.segment for one in sink.conflicts(run)] == [0]
    with closing(SqliteSink(path, read_only=True)) as reader:
        assert reader.conflicts(run) == sink.conflicts(run)
