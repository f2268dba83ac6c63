"""Users' texts are those of the committed files here: `pytest tests/unit/golden --write-golden` writes them again.

Each text comes from the real code with fixed values. A difference is a change of what users read: look at it in review.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from support.decisions import (
    ERROR,
    NOW_S,
    READY,
    a_catalogue,
    a_head,
    a_job,
    a_plan_job,
    a_status,
    a_work_job,
    decide,
    ended_status,
    observed_jobs,
    problem,
    results,
    running,
)
from videojob import errors
from videojob.cli.app import app
from videojob.controller.runtime.metrics import MEASURES
from videojob.error_base import VideoJobError
from videojob.planning.state.observed import NODE_PROVISIONING, Observed, ServerObserved
from videojob.reasons import Where, settle_on

HERE = Path(__file__).parent
INSTALLATION = a_catalogue()
QUEUE = {"kueue.x-k8s.io/queue-name": "gpus"}


def server(kind: str, message: str = "words", **changes: Any) -> Observed:
    """A job at work whose server's pod does not run."""
    return running(a_work_job(suspended=True), server=ServerObserved(1, 0, problem(kind, message, **changes)))


STATES: dict[str, tuple[Observed, dict[str, Any]]] = {
    "new": (observed_jobs(), {}),
    "in a queue": (observed_jobs(), {"labels": QUEUE}),
    "suspended": (observed_jobs(), {"spec": {"suspend": True}}),
    "the planner runs": (observed_jobs([a_plan_job(ready=1)]), {}),
    "the planner failed": (observed_jobs([a_plan_job(finished="Failed", message="no")]), {}),
    "planned": (observed_jobs([a_plan_job(finished="Complete")], head=a_head()), {}),
    "planned, no input is good": (observed_jobs([a_plan_job(finished="Complete")], head=a_head(error=ERROR)), {}),
    "the table does not answer": (observed_jobs([a_plan_job()], store_error="no answer"), {}),
    "no server yet": (running(), {}),
    "server: rejected": (server("refused", "exceeded quota: small"), {}),
    "server: no node fits": (server("unschedulable", "0/3 nodes are available", age_s=600), {}),
    "server: a node comes": (server("unschedulable", "claim-1", source=NODE_PROVISIONING), {}),
    "server: Karpenter says no": (server("unschedulable", "no instance type", source="karpenter"), {}),
    "server: starting": (server("starting"), {}),
    "server: no image": (server("image", "ErrImagePull"), {}),
    "server: crashed": (server("crashed", "CUDA error", restarts=1), {}),
    "server: crashed for good": (server("crashed", "CUDA error", restarts=3, exit_code=1), {}),
    "segments run": (running(a_work_job(active=2, ready=2), server=READY, results=results(4)), {}),
    "pods were disrupted": (running(a_work_job(active=2, ready=2, disrupted=2), server=READY, results=results(4)), {}),
    "pods failed": (running(a_work_job(active=2, ready=2, failed=1, error=ERROR), server=READY), {}),
    "all segments are done": (running(a_work_job(finished="Complete"), server=READY, results=results(10)), {}),
    "segments are missing": (running(a_work_job(finished="Complete"), server=READY, results=results(4, open=True)), {}),
    "segments are still missing": (
        running(a_work_job(3, finished="Complete"), server=READY, results=results(4, open=True)),
        {},
    ),
    "a segment failed": (
        running(
            a_work_job(3, finished="Failed", reason="MaxFailedIndexesExceeded", error=ERROR),
            server=READY,
            results=results(4, open=True),
        ),
        {},
    ),
    "out of time": (running(server=READY), {"spec": {"activeDeadlineSeconds": 10}, "status": a_status()}),
    "finished": (running(a_work_job(finished="Complete"), results=results(10, finished="Completed")), {}),
    "finished with gaps": (running(results=results(10, finished="PartiallyCompleted", message="1 gap")), {}),
    "resumed": (running(results=results(4)), {"spec": {"resumes": 1}, "status": ended_status("DeadlineExceeded")}),
}


def decisions() -> Iterator[str]:
    """Reason, message, conditions and Events of a job in many states."""
    for state, (observed, given) in STATES.items():
        values = dict(given)
        job = a_job(values.pop("spec", None), **values)
        desired = decide(job, observed, INSTALLATION, NOW_S)
        yield f"{state}: {desired.reason}: {desired.message}"
        for one in desired.conditions:
            yield f"    {one.type} {one.status} {one.reason}: {one.message}"
        for event in desired.events:
            yield f"    Event {event.type} {event.reason}: {event.message}"


def raised() -> Iterator[str]:
    """An error of each class, on one machine and on a cluster."""
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, VideoJobError)]
    for where in Where:
        settle_on(where)
        yield f"# {where.value}"
        for one in sorted(classes, key=lambda one: one.__name__):
            yield str(one("what happened", uri="s3://clips/a.mp4", segment=3, time_ms=61_500))


def helps() -> Iterator[str]:
    """Each command's first line and its options."""
    yield from _help("videojob", typer.main.get_command(app))


def _help(name: str, command: Any) -> Iterator[str]:
    yield f"{name}: {(command.help or '').strip().partition(chr(10))[0]}"
    for option in command.params:
        yield f"    {max(option.opts, key=len)}: {getattr(option, 'help', None) or ''}"
    if isinstance(command, TyperGroup):
        context = typer.Context(command)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            yield from _help(f"{name} {child}", found)


def metrics() -> Iterator[str]:
    """The controller's metrics."""
    for one in MEASURES:
        yield f"{one.name}: {one.meaning}"


@pytest.mark.parametrize(
    ("name", "texts"),
    [("decisions.txt", decisions), ("errors.txt", raised), ("help.txt", helps), ("metrics.txt", metrics)],
)
def test_users_texts_are_the_committed_ones(
    name: str, texts: Callable[[], Iterator[str]], request: pytest.FixtureRequest
) -> None:
    text = "".join(f"{line.rstrip()}\n" for line in texts())
    if request.config.getoption("--write-golden"):
        (HERE / name).write_text(text, encoding="utf-8")
    assert text == (HERE / name).read_text(encoding="utf-8")
