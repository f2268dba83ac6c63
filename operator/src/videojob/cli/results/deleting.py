"""`videojob results NAME --delete`: removes all that a store has of a job."""

from __future__ import annotations

from contextlib import closing

import typer

from videojob.cli.results.stored import Place, choose
from videojob.cli.terminal import console, tell
from videojob.errors import UsageError
from videojob.local.sinks import open_sink
from videojob.ports.results import Sink
from videojob.reasons import Phase
from videojob.results.aggregate.segment_results import RunRecord


def delete_results(where: Place, *, sure: bool, unfinished: bool) -> None:
    """Removes a job's items and says how many they were; none when nothing is there.

    Args:
        where: the job's place.
        sure: nobody needs to be asked.
        unfinished: also of a job that has no summary; of one on a cluster its status says whether it is over.

    Raises:
        UsageError: the job may still be running, or several have the name.
        SinkError: the store does not answer: what is left is removed by the same command.
    """
    if where.job is not None and where.job.phase in {None, Phase.WAITING, Phase.WORKING}:
        hint = "Wait until it ends, or delete the VideoJob first and name the table with --sink dynamodb."
        raise UsageError(f"{where.job.namespace}/{where.job.name} has not ended", hint=hint)
    with closing(open_sink(where.sink)) as sink:
        run = _meant(sink, where)
        if run is None:
            tell(console(), f"no results of {where.which} are stored: 0 items deleted")
            return
        if where.job is None and not unfinished and sink.finished(run) is None:
            hint = "If it is not running, add --unfinished."
            raise UsageError(f"{run.name} has no summary: it may still be running", hint=hint)
        if not sure:
            typer.confirm(f"Delete all results of {run.namespace}/{run.name} ({run.uid})?", abort=True)
        tell(console(), f"{sink.delete(run.uid)} items deleted of {run.namespace}/{run.name}")


def _meant(sink: Sink, where: Place) -> RunRecord | None:
    if where.job is not None:
        return sink.newest(str(where.which.uid))
    runs = sink.runs()
    return choose(runs, where.which) if any(map(where.which.matches, runs)) else None
