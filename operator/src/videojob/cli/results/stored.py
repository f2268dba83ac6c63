"""Finds a finished run again, by the options that `results` and `report` share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from videojob.cli.cluster.connection import ContextOption, KubeconfigOption, command_line
from videojob.cli.program import is_plugin
from videojob.cli.terminal import console, tell
from videojob.errors import ResultsIncomplete, SetupError, UsageError
from videojob.kube.read.job_state import JobState
from videojob.local.record import DATABASE, OUTPUT_ROOT
from videojob.local.run_types import SinkConfig
from videojob.local.sinks import open_sink
from videojob.ports.results import Sink
from videojob.reasons import Phase
from videojob.results.aggregate.segment_results import RunRecord

NameArgument = Annotated[str, typer.Argument(help="Name of the VideoJob.", metavar="NAME")]
SinkKind = Literal["sqlite", "dynamodb"]
_JOBS_LISTED = 20


@dataclass(frozen=True, slots=True)
class Which:
    """Which job of a store is meant; None leaves open."""

    name: str
    namespace: str | None = None
    uid: str | None = None

    def matches(self, run: RunRecord) -> bool:
        """Whether this may be the job."""
        return (
            run.name == self.name
            and (self.namespace is None or run.namespace == self.namespace)
            and (self.uid is None or run.uid == self.uid)
        )

    def __str__(self) -> str:
        text = self.name if self.namespace is None else f"{self.namespace}/{self.name}"
        return text if self.uid is None else f"{text} with the uid {self.uid}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run's results are to be found.

    Attributes:
        which: job of the store. output: folder of the run, or for what is written now.
        sink: the store.
        job: of a cluster, which names its own identity in the store; None when the store is searched for `which`.
    """

    which: Which
    output: Path
    sink: SinkConfig
    job: JobState | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Options of where results are; None for what was not given."""

    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace",
            "-n",
            help="Namespace of the VideoJob, when several have the name.",
            show_default="of a cluster: that of the context",
        ),
    ] = None
    uid: Annotated[
        str | None, typer.Option("--uid", help="UID of the job, when several have the name; messages list them.")
    ] = None
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder of the run.", show_default="videojob-output/NAME")
    ] = None
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help="Results of a VideoJob on a cluster; implied by --kubeconfig, --context and `kubectl videojob`.",
        ),
    ] = False
    kubeconfig: KubeconfigOption = None
    context: ContextOption = None
    sink: Annotated[
        SinkKind | None,
        typer.Option("--sink", help="Where the results are.", show_default="sqlite, without --cluster"),
    ] = None
    table: Annotated[str | None, typer.Option("--table", help="DynamoDB table.")] = None
    region: Annotated[str | None, typer.Option("--region", help="AWS region of the table.")] = None
    endpoint_url: Annotated[str | None, typer.Option("--endpoint-url", help="Endpoint of DynamoDB.")] = None

    @property
    def is_cluster(self) -> bool:
        """Whether a VideoJob on a cluster is meant."""
        asked = self.cluster or self.kubeconfig is not None or self.context is not None
        return asked or (is_plugin() and self.sink is None)


def place(name: str, origin: Origin) -> Place:
    """Where the results of a run are that no cluster knows.

    Raises:
        UsageError: no table was named.
        SetupError: there is no such database.
    """
    which = Which(name, origin.namespace, origin.uid)
    folder = origin.output or OUTPUT_ROOT / name
    if origin.sink == "dynamodb":
        config = dynamodb_config(origin.table, origin.region, origin.endpoint_url, hint="Give --table.")
        return Place(which, folder, config)
    database = folder / DATABASE
    if not database.is_file():
        raise SetupError(
            f"no results found at {database}",
            hint="Run the job first, or give the --output folder of its run, or --cluster for a VideoJob on a cluster.",
        )
    return Place(which, folder, SinkConfig("sqlite", path=database))


def dynamodb_config(table: str | None, region: str | None, endpoint_url: str | None, *, hint: str) -> SinkConfig:
    """A table to write to or read from; `hint` says how to name one.

    Raises:
        UsageError: no table was named.
    """
    if table is None:
        raise UsageError("--sink dynamodb needs a table", hint=hint)
    return SinkConfig("dynamodb", table=table, region=region, endpoint_url=endpoint_url)


def choose(runs: Sequence[RunRecord], which: Which) -> RunRecord:
    """The one run that is meant.

    Raises:
        SetupError: there is none; the hint names those there are.
        UsageError: there are several; the hint tells them apart.
    """
    found = [run for run in runs if which.matches(run)]
    if len(found) == 1:
        return found[0]
    if not found:
        known = _listed(sorted({f"{run.namespace}/{run.name}" for run in runs})) or "none"
        raise SetupError(f"the store has no job named {which}", hint=f"Jobs in it: {known}.")
    uids = _listed(sorted(f"{run.uid} ({run.namespace}, {run.segments} segments)" for run in found))
    raise UsageError(f"{len(found)} jobs in the store have the name {which}", hint=f"Give --uid, one of: {uids}.")


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _JOBS_LISTED
    return ", ".join(words[:_JOBS_LISTED]) + (f" and {more} more" if more > 0 else "")


@contextmanager
def finished_run(where: Place) -> Iterator[tuple[Sink, RunRecord, bytes]]:
    """The open store, the newest finished run of the job that is meant, and that run's summary.

    Raises:
        SetupError: the store has no such job.
        UsageError: it has several.
        ResultsIncomplete: the job has not finished yet.
    """
    with closing(open_sink(where.sink, read_only=True)) as sink:
        if where.job is not None:
            yield (sink, *_of_cluster(sink, where.which, where.job))
            return
        newest = choose(sink.runs(), where.which)
        run = sink.finished_run(newest.uid)
        summary = None if run is None else sink.finished(run)
        if run is None or summary is None:
            raise ResultsIncomplete(f"{newest.name} has {_progress(sink, newest)} and no summary yet")
        if run.epoch != newest.epoch:
            text = f"A newer run of {newest.name} has {_progress(sink, newest)}; this is the finished one before it."
            tell(console(stderr=True), text, "yellow")
        yield sink, run, summary


def _of_cluster(sink: Sink, which: Which, job: JobState) -> tuple[RunRecord, bytes]:
    """By the key alone: a tenant may read its own items, and search no table."""
    run = sink.finished_run(str(which.uid))
    summary = None if run is None else sink.finished(run)
    if run is not None and summary is not None:
        return run, summary
    name = f"{job.namespace}/{job.name}"
    state = job.reason or "not yet picked up by the controller"
    if job.phase is Phase.FAILED:
        raise ResultsIncomplete(f"{name} has failed ({state}) and has no summary", hint=job.message, retryable=False)
    hint = f"`{command_line('watch', job)}` waits until it ends."
    raise ResultsIncomplete(f"{name} is {state} and has no summary yet", hint=hint)


def _progress(sink: Sink, run: RunRecord) -> str:
    return f"{len(sink.committed(run))} of {run.segments} segments"
