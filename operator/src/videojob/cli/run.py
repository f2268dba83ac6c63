"""`videojob run FILE`: runs one manifest on this machine and says where the results are."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import typer

from videojob.adapters.clock import SystemClock
from videojob.api.loading.load import load_manifests
from videojob.api.videojob import VideoJob
from videojob.cli.display import display
from videojob.cli.exit_codes import ExitCode
from videojob.cli.outcome import outcome_document, show_outcome
from videojob.cli.stored import dynamodb_config
from videojob.cli.terminal import console, write_json
from videojob.errors import Cancelled, ManifestError
from videojob.local.pool import StopRequest
from videojob.local.record import DATABASE, OUTPUT_ROOT
from videojob.local.run import LocalRun
from videojob.local.run_types import RunOptions, RunOutcome, SinkConfig
from videojob.ports import Clock

_EXIT = {
    "Completed": ExitCode.OK,
    "PartiallyCompleted": ExitCode.PARTIAL,
    "Failed": ExitCode.FAILED,
    "Interrupted": ExitCode.INTERRUPTED,
}


def run(
    manifest: Annotated[Path, typer.Argument(help="The VideoJob manifest.", metavar="FILE")],
    *,
    name: Annotated[str | None, typer.Option(help="Which VideoJob, when the file holds several.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for results and report.", show_default="videojob-output/NAME")
    ] = None,
    sink: Annotated[Literal["sqlite", "dynamodb"], typer.Option(help="Where results go.")] = "sqlite",
    table: Annotated[str | None, typer.Option(help="DynamoDB table, instead of the manifest's.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of the table, instead of the manifest's.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="Endpoint of DynamoDB, as for DynamoDB Local.")] = None,
    create_table: Annotated[
        bool, typer.Option("--create-table", help="Make the DynamoDB table if there is none.")
    ] = False,
    triton_url: Annotated[
        str | None, typer.Option(help="HOST:PORT of a running Triton's gRPC, instead of the embedded one.")
    ] = None,
    model_repository: Annotated[Path | None, typer.Option(help="Folder of models for the embedded Triton.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Segments side by side.", show_default="one per core")
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that running segments may go on after Ctrl-C.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end, nothing else.")] = False,
) -> None:
    """Run a VideoJob on this machine; run it again to go on where it stopped."""
    job = pick(load_manifests(manifest), name, manifest)
    folder = output or OUTPUT_ROOT / job.metadata.name
    options = RunOptions(
        manifest=manifest,
        output=folder,
        sink=sink_config(job, sink, folder, table=table, region=region, endpoint_url=endpoint_url),
        triton_url=triton_url,
        model_repository=model_repository,
        workers=workers,
        create_table=create_table,
        grace_s=grace,
    )
    clock = SystemClock()
    with display(console(stderr=True), clock, silent=as_json) as shown, stop_signals(clock) as stop:
        outcome = LocalRun(job, options, shown, stop, clock).run()
    _tell(outcome, options, as_json=as_json)
    raise typer.Exit(_EXIT[outcome.state])


def pick(jobs: list[VideoJob], name: str | None, manifest: Path) -> VideoJob:
    """The one job to run.

    Raises:
        ManifestError: the file holds none or several of that name.
    """
    found = [job for job in jobs if name is None or job.metadata.name == name]
    if len(found) == 1:
        return found[0]
    names = ", ".join(job.metadata.name for job in jobs)
    if not found:
        raise ManifestError(f"no VideoJob is called {name!r}", uri=str(manifest), hint=f"The file holds: {names}.")
    raise ManifestError(
        f"the file holds {len(found)} VideoJobs", uri=str(manifest), hint=f"Give --name, one of: {names}."
    )


def sink_config(
    job: VideoJob,
    kind: Literal["sqlite", "dynamodb"],
    output: Path,
    *,
    table: str | None,
    region: str | None,
    endpoint_url: str | None,
) -> SinkConfig:
    """Where the job's results go.

    Raises:
        UsageError: neither the options nor the manifest name a table.
    """
    if kind == "sqlite":
        return SinkConfig("sqlite", path=output / DATABASE)
    target = job.spec.results.dynamodb
    return dynamodb_config(
        table or (None if target is None else target.table_name),
        region or (None if target is None else target.region),
        endpoint_url,
        hint="Set results.dynamodb.tableName in the manifest, or give --table.",
    )


@contextmanager
def stop_signals(clock: Clock) -> Iterator[StopRequest]:
    """Turns Ctrl-C and SIGTERM into a stop request while segments run, into `Cancelled` before and after."""
    stop = StopRequest()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        # Sets flags and raises, no more: a handler may run in the middle of anything.
        stop.now = stop.asked_at_s is not None
        if stop.asked_at_s is None:
            stop.asked_at_s = clock.monotonic_s()
        if not stop.draining:
            raise Cancelled("stopped by a signal")

    before: dict[int, Any] = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(outcome: RunOutcome, options: RunOptions, *, as_json: bool) -> None:
    if as_json:
        write_json(outcome_document(outcome, options))
    else:
        show_outcome(console(), outcome, options)
