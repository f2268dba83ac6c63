"""`videojob results` and `videojob report` over stores whose runs did not go straight: given up videos, epochs begun
again, records of other runs.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.command import videojob
from support.page import read_page
from support.reports import run_facts
from support.results import job_description, planned, run_record, segment_commit, segment_result
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.errors import InputCorrupt
from videojob.local.record import DATABASE, RUN_FILE, write_facts
from videojob.results.aggregate.segment_results import RunRecord, SegmentResult
from videojob.results.aggregate.summary import FailedInput, summarise
from videojob.results.run_facts import VideoFacts
from videojob.results.stored.summary_codec import encode_summary
from videojob.video.info import Segment

FIRST_PPM, SECOND_PPM = 900_000, 612_345


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output folder with a finished run of one video in two segments."""
    store(tmp_path, planned(2), finished(planned(2), FIRST_PPM))
    return tmp_path


def finished(segments: tuple[Segment, ...], score_ppm: int) -> list[SegmentResult]:
    return [segment_result(segment, score_ppm=score_ppm) for segment in segments]


def store(
    output: Path,
    segments: tuple[Segment, ...],
    results: Sequence[SegmentResult],
    *,
    plan: str = "plan-a",
    failed: tuple[FailedInput, ...] = (),
    finish: bool = True,
) -> RunRecord:
    """Stores what a run found, and finishes it."""
    with closing(SqliteSink(output / DATABASE)) as sink:
        run = sink.begin(run_record(plan=plan, segments=len(segments)))
        for result in results:
            sink.commit(run, segment_commit(result))
        if finish:
            videos = 1 + max(segment.video for segment in segments)
            description = replace(job_description(segments, videos=videos), failed=failed)
            sink.finalise(run, encode_summary(summarise(description, results)), None)
    return run


def rows(output: Path, warning: str = "") -> list[dict[str, str]]:
    """What `videojob results --format csv` prints; it warns of nothing else."""
    done = videojob("results", "faces", "--output", output, "--format", "csv")
    assert done.code == 0, done.err
    assert done.err == warning
    return list(csv.DictReader(io.StringIO(done.out)))


def report(output: Path) -> tuple[str, str]:
    """The page's text and what the command said beside it."""
    done = videojob("report", "faces", "--output", output)
    assert done.code == 0, done.err
    return read_page((output / "report.html").read_text(encoding="utf-8")).text, done.err


def test_results_of_a_video_that_was_given_up_are_in_no_table(tmp_path: Path) -> None:
    good, bad = planned(2), planned(2, video=1, first_index=2)
    error = InputCorrupt("broken", uri="file:///videos/1.mp4").as_dict()
    results = finished((*good, bad[0]), FIRST_PPM)
    store(tmp_path, (*good, *bad), results, failed=(FailedInput(1, "file:///videos/1.mp4", error),))
    assert {row["video"] for row in rows(tmp_path)} == {"0"}
    text, _ = report(tmp_path)
    assert "Partially completed" in text


def test_a_run_begun_anew_leaves_the_finished_one_to_be_shown(output: Path) -> None:
    before = rows(output)
    store(output, planned(5), finished(planned(5)[:1], SECOND_PPM), plan="plan-b", finish=False)
    warning = "A newer run of faces has 1 of 5 segments; this is the finished one before it.\n"
    assert rows(output, warning) == before
    assert {row["max_score"] for row in before} == {"0.900000", "0.700000"}
    text, said = report(output)
    assert said == warning
    assert "0.61" not in text


def test_the_newest_finished_run_takes_the_older_ones_place(output: Path) -> None:
    store(output, planned(3), finished(planned(3), SECOND_PPM), plan="plan-b")
    assert {row["max_score"] for row in rows(output)} == {"0.612345", "0.700000"}


def test_a_run_that_was_stopped_says_how_far_it_is(tmp_path: Path) -> None:
    store(tmp_path, planned(4), finished(planned(4)[:1], FIRST_PPM), finish=False)
    done = videojob("results", "faces", "--output", tmp_path)
    assert done.code != 0
    assert "faces has 1 of 4 segments and no summary yet" in done.err


def test_the_record_of_the_run_names_its_videos(output: Path) -> None:
    facts = run_facts(40, uid="uid-1", epoch=1, plan_digest="plan-a", videos=(VideoFacts(0, "0.mp4", "lobby"),))
    write_facts(output, facts)
    done = videojob("results", "faces", "--output", output)
    assert "lobby" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("uid", "epoch", "plan_digest"),
    [("uid-2", 1, "plan-a"), ("uid-1", 2, "plan-a"), ("uid-1", 1, "plan-b")],
    ids=["another job", "another epoch", "another store"],
)
def test_the_record_of_another_run_is_not_taken_for_this_ones(
    output: Path, uid: str, epoch: int, plan_digest: str
) -> None:
    videos = (VideoFacts(0, "other.mp4", "lobby"),)
    write_facts(output, run_facts(40, uid=uid, epoch=epoch, plan_digest=plan_digest, videos=videos))
    why = f"the record at {output / RUN_FILE} is that of another run.\n"
    done = videojob("results", "faces", "--output", output)
    assert "lobby" not in done.out
    assert done.err == f"Names of videos are left out: {why}"
    text, said = report(output)
    assert "lobby" not in text
    assert said == f"Pictures and timings are left out: {why}"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"schema": "other"}', b"\xff"])
def test_a_record_that_cannot_be_read_costs_pictures_and_timings_only(output: Path, content: bytes) -> None:
    (output / RUN_FILE).write_bytes(content)
    text, said = report(output)
    assert "face" in text
    assert said.startswith(f"Pictures and timings are left out: the record of the run at {output / RUN_FILE} cannot")


def test_deleted_results_are_gone_and_a_second_time_there_are_none(output: Path) -> None:
    asked = videojob("results", "faces", "--output", str(output), "--delete")
    assert asked.code != 0, "nobody said yes"
    assert videojob("results", "faces", "--output", str(output)).code == 0
    first = videojob("results", "faces", "--output", str(output), "--delete", "--yes")
    assert (first.code, "items deleted of default/faces" in first.out) == (0, True), first
    again = videojob("results", "faces", "--output", str(output), "--delete", "--yes")
    assert (again.code, "0 items deleted" in again.out) == (0, True), again


def test_results_of_a_run_that_may_be_at_work_are_not_deleted(tmp_path: Path) -> None:
    store(tmp_path, planned(2), finished(planned(2), FIRST_PPM), finish=False)
    refused = videojob("results", "faces", "--output", str(tmp_path), "--delete", "--yes")
    assert (refused.code != 0, "--unfinished" in refused.err) == (True, True), refused
    sure = videojob("results", "faces", "--output", str(tmp_path), "--delete", "--yes", "--unfinished")
    assert sure.code == 0, sure
