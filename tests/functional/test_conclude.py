"""The end of a run that found everything done: the record of the run that did the work stays, or is repaired."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from support.command import manifest
from support.fakes import FakeClock
from support.reports import run_facts
from support.results import segment_commit, segment_result
from support.segments import job_plan, segment_task, video_plan
from videojob.adapters.sqlite.sink import SqliteSink
from videojob.api.loading.load import load_manifests
from videojob.errors import InputUnavailable, ProcessingFault, VideoJobError
from videojob.local.conclude import Conclusion, description
from videojob.local.outputs import OutputConfig
from videojob.local.record import RUN_FILE, read_facts, write_facts
from videojob.local.run_types import JobPlan, RunOptions, RunOutcome, SinkConfig
from videojob.local.work import WorkDone
from videojob.ports.results import Sink
from videojob.results.aggregate.segment_results import Gap
from videojob.results.aggregate.summary import summarise
from videojob.results.run_facts import RunFacts
from videojob.results.stored.summary_codec import encode_summary
from videojob.worker.steps.dispatch import Dispatcher


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


def conclusion_of(options: RunOptions, plan: JobPlan, work: WorkDone, said: list[str]) -> Conclusion:
    return Conclusion(
        load_manifests(manifest(options.base, "clip-0.mp4"))[0],
        options,
        plan,
        work,
        outputs=OutputConfig(options.output),
        server="a test",
        started_s=1.0,
        clock=FakeClock(),
        notice=said.append,
    )


def concluded(output: Path, work: WorkDone) -> tuple[RunOutcome, list[str]]:
    """Ends such a run; returns what it came to and what was said."""
    said: list[str] = []
    options = RunOptions(output, output, SinkConfig("sqlite", path=output / "results.sqlite3"))
    conclusion = conclusion_of(options, job_plan(), work, said)
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
    assert "is that of another run; it is rewritten" in said[0]
    assert recorded(tmp_path) is not None


def test_results_that_came_out_otherwise_are_counted_in_outcome_and_record(tmp_path: Path) -> None:
    outcome, _ = concluded(tmp_path, WorkDone(segments=2, kept_other=1))
    assert outcome.kept_other == 1
    facts = recorded(tmp_path)
    assert facts is not None
    assert facts.kept_other == 1


@pytest.mark.parametrize(
    ("error", "state"),
    [(ProcessingFault("ZeroDivisionError: by zero"), "PartiallyCompleted"), (InputUnavailable("no answer"), "Failed")],
)
def test_a_fault_of_the_program_in_one_video_leaves_the_results_of_the_others(
    tmp_path: Path, error: VideoJobError, state: str
) -> None:
    options = RunOptions(tmp_path, tmp_path, SinkConfig("sqlite", path=tmp_path / "results.sqlite3"))
    plan = job_plan(videos=(video_plan(0), video_plan(1)))
    tasks = [segment_task(segment.index, video=segment.video) for segment in plan.segments]
    dispatcher = Dispatcher(tasks, 0)
    with closing(SqliteSink(tmp_path / "results.sqlite3")) as sink:
        plan = replace(plan, run=sink.begin(plan.run))
        while (task := dispatcher.next_task()) is not None:
            if task.segment.video == 0:
                dispatcher.failed(task.segment.index, error)
            else:
                sink.commit(plan.run, segment_commit(segment_result(plan.segments[task.segment.index])))
                dispatcher.succeeded(task.segment.index)
        outcome = replace(conclusion_of(options, plan, WorkDone(), []), plan=plan).outcome(dispatcher, sink)
    assert outcome.state == state
    assert [video.error for video in outcome.failed] == [error]


def test_a_video_without_one_intact_picture_is_told_as_an_input_that_failed(tmp_path: Path) -> None:
    options = RunOptions(tmp_path, tmp_path, SinkConfig("sqlite", path=tmp_path / "results.sqlite3"))
    plan = job_plan(videos=(video_plan(0), video_plan(1)))
    tasks = [segment_task(segment.index, video=segment.video) for segment in plan.segments]
    dispatcher = Dispatcher(tasks, 0)
    with closing(SqliteSink(tmp_path / "results.sqlite3")) as sink:
        plan = replace(plan, run=sink.begin(plan.run))
        while (task := dispatcher.next_task()) is not None:
            result = segment_result(plan.segments[task.segment.index])
            if task.segment.video == 0:
                gap = Gap(0, 1000, "a packet is damaged")
                nothing = segment_result(plan.segments[task.segment.index], windows=0, gaps=(gap,))
                result = replace(nothing, frames_gated=0)
            sink.commit(plan.run, segment_commit(result))
            dispatcher.succeeded(task.segment.index)
        conclusion = replace(conclusion_of(options, plan, WorkDone(), []), plan=plan)
        outcome = conclusion.outcome(dispatcher, sink)
    assert outcome.state == "PartiallyCompleted"
    assert [(video.video, video.error.reason) for video in outcome.failed if video.error] == [(0, "InputCorrupt")]
