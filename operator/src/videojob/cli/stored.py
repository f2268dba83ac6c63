"""Finds a finished run again: the options that `results` and `report` share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from videojob.errors import ResultsIncomplete, SetupError
from videojob.local.record import DATABASE, OUTPUT_ROOT
from videojob.local.sinks import open_sink
from videojob.local.values import SinkConfig
from videojob.ports import Sink
from videojob.results.values import RunRecord

NameArgument = Annotated[str, typer.Argument(help="Name of the VideoJob.", metavar="NAME")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", help="Folder of the run.", show_default="videojob-output/NAME")
]
SinkOption = Annotated[Literal["sqlite", "dynamodb"], typer.Option("--sink", help="Where the results are.")]
TableOption = Annotated[str | None, typer.Option("--table", help="DynamoDB table.")]
RegionOption = Annotated[str | None, typer.Option("--region", help="AWS region of the table.")]
EndpointOption = Annotated[str | None, typer.Option("--endpoint-url", help="Endpoint of DynamoDB.")]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run's results are to be found."""

    name: str
    output: Path
    sink: SinkConfig


def place(
    name: str,
    output: Path | None,
    sink: Literal["sqlite", "dynamodb"],
    *,
    table: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> Place:
    """The place that the options name.

    Raises:
        SetupError: there is no such database, or no table was named.
    """
    folder = output or OUTPUT_ROOT / name
    if sink == "dynamodb":
        return Place(name, folder, SinkConfig("dynamodb", table=table, region=region, endpoint_url=endpoint_url))
    database = folder / DATABASE
    if not database.is_file():
        raise SetupError(
            f"there are no results at {database}", hint="Run the job first, or give the --output folder of its run."
        )
    return Place(name, folder, SinkConfig("sqlite", path=database))


@contextmanager
def finished_run(where: Place) -> Iterator[tuple[Sink, RunRecord, bytes]]:
    """The open store, the run of that name and its summary.

    Raises:
        SetupError: the store has no job of that name, or several.
        ResultsIncomplete: the job has not finished yet.
    """
    with closing(open_sink(where.sink)) as sink:
        runs = [run for run in sink.runs() if run.name == where.name]
        if len(runs) != 1:
            known = ", ".join(sorted(run.name for run in sink.runs())) or "none"
            what = "no job" if not runs else f"{len(runs)} jobs"
            raise SetupError(f"the store has {what} of the name {where.name!r}", hint=f"Jobs in it: {known}.")
        summary = sink.summary(runs[0].uid)
        if summary is None:
            done = len(sink.committed(runs[0]))
            raise ResultsIncomplete(f"{where.name} has {done} of {runs[0].segments} segments and no summary yet")
        yield sink, runs[0], summary
