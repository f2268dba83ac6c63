"""Lines of logs for people, and whose logs are a job's."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from support.decisions import INSTALLATION, a_job
from support.job_states import a_state
from videojob.cli.cluster.log_lines import LogLine, line_text, log_line, sort_key
from videojob.cli.cluster.log_reading import LogRequest, Written
from videojob.cli.cluster.logs import missing_text, write_lines
from videojob.kube.names import server_name
from videojob.kube.read.log_sources import LogSource, log_sources, server_of
from videojob.kube.render.jobs import plan_job, work_job
from videojob.planning.state.placement import ServerKey
from videojob.planning.state.pods import PlannerDesired, WorkersDesired
from videojob.worker.process.logs import JsonLines

SOURCE = LogSource("team-a", "entrance-work-0", "u", "videojob", "worker", True, False, False)
EVERYTHING = LogRequest(frozenset({"planner", "worker", "server"}))


def own_line(message: str, level: int = logging.INFO, **facts: object) -> str:
    """A line as a worker writes it."""
    record = logging.LogRecord("videojob.worker", level, "file", 1, message, (), None)
    record.created = 1764064803.25
    record.__dict__.update(facts)
    return JsonLines({"component": "worker", "index": "3", "namespace": "team-a", "job": "entrance"}).format(record)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            own_line("segment committed", segment=12, uri="s3://videos/a b.mp4"),
            '10:00:03 INFO  segment committed index=3 segment=12 uri="s3://videos/a b.mp4"',
        ),
        (own_line("segment failed", logging.WARNING, error="x"), "10:00:03 WARN  segment failed index=3 error=x"),
        (
            "I1125 09:00:07.123456 1 server.cc:676] started",
            "09:00:07 INFO  started (server.cc:676)",
        ),
        ("E1125 09:00:07.1 1 model_lifecycle.cc:654] failed", "09:00:07 ERROR failed (model_lifecycle.cc:654)"),
        ("Traceback (most recent call last):", "--:--:--       Traceback (most recent call last):"),
        ('{"message": "no level"}', '--:--:--       {"message": "no level"}'),
        ('{"cut off', '--:--:--       {"cut off'),
        ("[" * 100_000, f"--:--:--       {'[' * 100_000}"),
        ("", "--:--:--       "),
    ],
)
def test_lines_become_readable_and_others_stay(text: str, expected: str) -> None:
    assert line_text(log_line(text)) == expected


def test_a_fault_keeps_its_traceback_indented() -> None:
    text = json.dumps({"level": "error", "message": "a fault", "exception": "Traceback:\n  File x"})
    assert line_text(log_line(text, "2026-11-25T10:00:03Z")) == "10:00:03 ERROR a fault\n    Traceback:\n      File x"


def test_no_terminal_obeys_a_line() -> None:
    shown = line_text(LogLine("2026-11-25T10:00:03Z", "\x1b[2J", "\x1b]0;title\x07 \u202e"))
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_times_are_ordered_whatever_the_number_of_their_digits() -> None:
    times = ["2026-11-25T10:00:03Z", "2026-11-25T10:00:03.1Z", "2026-11-25T10:00:03.12Z", "2026-11-25T10:00:04.0Z"]
    backwards = times[::-1]
    assert sorted(backwards, key=sort_key) == times


def test_every_line_stands_behind_its_pod(capsys: pytest.CaptureFixture[str]) -> None:
    init = replace(SOURCE, container="sync-model")
    lines = [Written(SOURCE, "2026-11-25T10:00:03Z", own_line("one")), Written(init, "2026-11-25T10:00:04Z", "two")]
    write_lines(Console(file=io.StringIO()), lines, raw=False)
    assert capsys.readouterr().out == (
        "entrance-work-0 10:00:03 INFO  one index=3\nentrance-work-0/sync-model 10:00:04       two\n"
    )


def test_raw_lines_are_as_they_were_written(capsys: pytest.CaptureFixture[str]) -> None:
    text = own_line("one")
    write_lines(Console(file=io.StringIO()), [Written(SOURCE, "2026-11-25T10:00:03Z", text)], raw=True)
    assert capsys.readouterr().out == f"entrance-work-0 {text}\n"


def pod(*statuses: dict[str, Any], phase: str = "Running", **changes: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "p",
            "namespace": "n",
            "uid": "u",
            "labels": {"app.kubernetes.io/component": "server"},
        },
        "spec": {"initContainers": [{"name": "sync"}], "containers": [{"name": "triton"}]},
        "status": {"phase": phase, "containerStatuses": list(statuses)} | changes,
    }


@pytest.mark.parametrize(
    ("value", "begun", "ended", "previous", "waits"),
    [
        (pod({"name": "triton", "state": {"running": {}}}), True, False, False, ""),
        (pod({"name": "triton", "state": {"terminated": {}}}), True, True, False, ""),
        (
            pod({"name": "triton", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no image"}}}),
            False,
            False,
            False,
            "ImagePullBackOff: no image",
        ),
        (
            pod(
                {
                    "name": "triton",
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 1}},
                }
            ),
            True,
            False,
            True,
            "CrashLoopBackOff",
        ),
        (
            pod(
                phase="Pending",
                conditions=[
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
                ],
            ),
            False,
            False,
            False,
            "Unschedulable: 0/3 nodes",
        ),
    ],
)
def test_a_container_tells_whether_it_has_a_log(
    value: dict[str, Any], begun: bool, ended: bool, previous: bool, waits: str
) -> None:
    _, source = log_sources([value])
    assert (source.container, source.component) == ("triton", "server")
    assert (source.has_begun, source.has_ended, source.has_previous, source.waits) == (begun, ended, previous, waits)


def test_the_server_is_the_one_that_the_newest_workers_send_to() -> None:
    job = a_job()
    old, new = (ServerKey("face_detector", 1, one) for one in ("cpu", "gpu"))
    made = [
        work_job(job, WorkersDesired(attempt, 1, 1, key, 4, 2, 3, suspended=False), INSTALLATION)
        for attempt, key in ((2, new), (1, old))
    ]
    planner = plan_job(job, PlannerDesired(1, suspended=False), INSTALLATION)
    assert server_of([planner, *made]) == (INSTALLATION.server_namespace, server_name(new))
    assert server_of([planner]) is None


@pytest.mark.parametrize(
    ("sources", "wanted", "words"),
    [
        ([], EVERYTHING, ["team-a/entrance is Processing and has no pods"]),
        ([SOURCE], EVERYTHING, []),
        ([SOURCE], replace(EVERYTHING, previous=True), ["no container was restarted"]),
        (
            [replace(SOURCE, has_begun=False, waits="Pending")],
            EVERYTHING,
            ["entrance-work-0 waits: Pending"],
        ),
    ],
)
def test_logs_that_are_not_there_are_explained(sources: list[LogSource], wanted: LogRequest, words: list[str]) -> None:
    readable = [one for one in sources if (one.has_previous if wanted.previous else one.has_begun)]
    found = missing_text(a_state(), sources, readable, wanted)
    assert [text[: len(start)] for text, start in zip(found, words, strict=True)] == words


def test_logs_of_an_ended_job_lead_to_the_store_of_logs() -> None:
    (text,) = missing_text(a_state("InputNotFound", "False"), [], [], EVERYTHING)
    assert "see your log store" in text
