"""The end of a run that found everything done: the record of the run that did the work stays, or is mended."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.command import manifest
from support.fakes import FakeClock
from support.reports import run_facts
from support.results import segment_commit, segment_result
from support.segments import job_plan
from videojob.adapters.sqlite import SqliteSink
from videojob.api.load import load_manifests
from videojob.local.conclude import Conclusion, description
from videojob.local.outputs import OutputConfig
from videojob.local.record import RUN_FILE, read_facts, write_facts
from videojob.local.values import JobPlan, RunOptions, RunOutcome, SinkConfig
from videojob.local.work import WorkDone
from videojob.ports import Sink
from videojob.results.run_facts import RunFacts
from videojob.results.summary import summarise
from videojob.results.summary_codec import encode_summary
from videojob.worker.dispatch import Dispatcher


def finished_plan(sink: Sink, conclusion: Conclusion) -> JobPlan:
    """The plan of a job that an earlier run finished."""
    plan = conclusion.plan
    run = sink.begin(plan.run)
    results = [segment_result(segment) for segment in plan.segments]
    for result in results:
        sink.commit(run, segment_commit(result))
    summary = encode_summary(summarise(description(conclusion.job, plan, plan.videos), results))
    sink.finalise(run, summary, None)
    return replace(plan, run=run, committed=sink.committed(run), finished=summary)


def concluded(output: Path, work: WorkDone) -> tuple[RunOutcome, list[str]]:
    """Ends such a run; returns what it came to and what was said."""
    said: list[str] = []
    options = RunOptions(manifest(output, "clip-0.mp4"), output, SinkConfig("sqlite", path=output / "results.sqlite3"))
    conclusion = Conclusion(
        load_manifests(options.manifest)[0],
        options,
        job_plan(),
        work,
        outputs=OutputConfig(output),
        server="a test",
        started_s=1.0,
        clock=FakeClock(),
        notice=said.append,
    )
    with closing(SqliteSink(output / "results.sqlite3")) as sink:
        conclusion = replace(conclusion, plan=finished_plan(sink, conclusion))
        return conclusion.outcome(Dispatcher([], 0), sink), said


def own_facts() -> RunFacts:
    return run_facts(50, uid="uid", epoch=1, plan_digest="digest")


def recorded(output: Path) -> RunFacts | None:
    return read_facts(output, job_plan().run, pytest.fail)


def test_the_record_of_the_run_that_did_the_work_stays(tmp_path: Path) -> None:
    write_facts(tmp_path, own_facts())
    outcome, said = concluded(tmp_path, WorkDone())
    assert outcome.state == "Completed"
    assert outcome.report == tmp_path / "report.html"
    assert said == []
    assert recorded(tmp_path) == own_facts()


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b'{"schema": "other"}'])
def test_a_record_that_cannot_be_read_is_written_anew_and_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / RUN_FILE).write_bytes(content)
    outcome, said = concluded(tmp_path, WorkDone())
    assert outcome.state == "Completed"
    assert [text.partition(" cannot be read")[0] for text in said] == [
        f"the record of the run at {tmp_path / RUN_FILE}"
    ]
    facts = recorded(tmp_path)
    assert facts is not None
    assert (facts.segments_run, facts.segments_kept) == (0, 2)


def test_the_record_of_another_job_is_written_over_and_said(tmp_path: Path) -> None:
    write_facts(tmp_path, replace(own_facts(), uid="another"))
    outcome, said = concluded(tmp_path, WorkDone())
    assert outcome.state == "Completed"
    assert len(said) == 1
    assert "is that of another run; it is written anew" in said[0]
    assert recorded(tmp_path) is not None


def test_results_that_came_out_otherwise_are_counted_in_outcome_and_record(tmp_path: Path) -> None:
    outcome, _ = concluded(tmp_path, WorkDone(segments=2, kept_other=1))
    assert outcome.kept_other == 1
    facts = recorded(tmp_path)
    assert facts is not None
    assert facts.kept_other == 1
