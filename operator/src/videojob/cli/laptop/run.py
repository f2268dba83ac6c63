"""`videojob run`: runs one manifest, or videos without one, on this machine and says where the results are."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import typer

from videojob.adapters.clock import SystemClock
from videojob.api.loading.load import load_manifests
from videojob.api.videojob import VideoJob
from videojob.cli.display import run_display
from videojob.cli.exit_codes import ExitCode
from videojob.cli.laptop.quick import (
    ALL_FRAMES,
    DEFAULT_MODEL,
    DEFAULT_RATE,
    DEFAULT_THRESHOLD,
    QuickOptions,
    is_manifest,
    manifest_text,
    quick_job,
    save_manifest,
)
from videojob.cli.results.outcome import outcome_document, show_outcome
from videojob.cli.results.stored import dynamodb_config
from videojob.cli.terminal import console, tell, write_json
from videojob.errors import Cancelled, ManifestError, UsageError
from videojob.local.cluster_price import cluster_price
from videojob.local.pool import StopRequest
from videojob.local.record import DATABASE, OUTPUT_ROOT
from videojob.local.run import LocalRun
from videojob.local.run_types import RunOptions, RunOutcome, SinkConfig
from videojob.ports.clock import Clock
from videojob.printable import printable

_EXIT = {
    "Completed": ExitCode.OK,
    "PartiallyCompleted": ExitCode.PARTIAL,
    "Failed": ExitCode.FAILED,
    "Interrupted": ExitCode.INTERRUPTED,
}


def run(
    what: Annotated[
        list[str],
        typer.Argument(
            help="A manifest (.yaml, .yml, .json), or videos: files, folders, and http, https or s3 addresses.",
            metavar="FILE…",
        ),
    ],
    *,
    model: Annotated[
        str | None, typer.Option(help="Model to run, for videos without a manifest.", show_default=DEFAULT_MODEL)
    ] = None,
    fps: Annotated[
        str | None,
        typer.Option(
            help=f"Frames per second of video time, or {ALL_FRAMES}; for videos without a manifest.",
            show_default=DEFAULT_RATE,
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Lowest score of a detection, from 0 to 1; for videos without a manifest.",
            show_default=DEFAULT_THRESHOLD,
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="File to save the manifest that is generated from the videos.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --save.")] = False,
    name: Annotated[
        str | None,
        typer.Option(help="Which VideoJob, when the file holds several; without a manifest, the job's name."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for results and report.", show_default="videojob-output/NAME")
    ] = None,
    sink: Annotated[Literal["sqlite", "dynamodb"], typer.Option(help="Where results go.")] = "sqlite",
    table: Annotated[str | None, typer.Option(help="DynamoDB table, instead of the manifest's.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of the table, instead of the manifest's.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="Endpoint of DynamoDB, as for DynamoDB Local.")] = None,
    create_table: Annotated[
        bool, typer.Option("--create-table", help="Create the DynamoDB table if it does not exist.")
    ] = False,
    triton_url: Annotated[
        str | None, typer.Option(help="HOST:PORT of a running Triton's gRPC, instead of the embedded one.")
    ] = None,
    model_repository: Annotated[Path | None, typer.Option(help="Folder of models for the embedded Triton.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Concurrent workers, one segment each.", show_default="one per core"),
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that running segments may continue after Ctrl-C.")
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document at the end, nothing else.")] = False,
) -> None:
    """Run a manifest, or videos without one, on this machine; run it again to continue where it stopped."""
    job, base = subject(what, name, QuickOptions(model, fps, threshold, save, force), silent=as_json)
    folder = output or OUTPUT_ROOT / job.metadata.name
    options = RunOptions(
        base=base,
        output=folder,
        sink=sink_config(job, sink, folder, table=table, region=region, endpoint_url=endpoint_url),
        triton_url=triton_url,
        model_repository=model_repository,
        workers=workers,
        create_table=create_table,
        grace_s=grace,
    )
    clock = SystemClock()
    with run_display(console(stderr=True), clock, silent=as_json) as shown, stop_signals(clock) as stop:
        outcome = LocalRun(job, options, shown, stop, clock).run()
    _tell(job, outcome, options, as_json=as_json)
    raise typer.Exit(_EXIT[outcome.state])


def subject(what: Sequence[str], name: str | None, quick: QuickOptions, *, silent: bool) -> tuple[VideoJob, Path]:
    """The job, and the folder where its relative paths start; of videos the manifest is shown, and kept if asked for.

    Raises:
        UsageError: the arguments are neither one manifest nor videos alone, or an option does not go with them.
        ManifestError: the manifest is not valid.
    """
    manifests = [Path(one) for one in what if is_manifest(one)]
    if not manifests:
        return _of_videos(what, name, quick, silent=silent)
    if len(what) > 1:
        raise UsageError(
            "a manifest is run alone, without videos or other manifests",
            hint=f"Give {printable(str(manifests[0]))} alone, or only videos, folders and addresses.",
        )
    if quick.given:
        raise UsageError(
            f"{', '.join(quick.given)}: only for videos without a manifest",
            hint="Change the manifest: `videojob validate` checks it.",
        )
    (manifest,) = manifests
    return pick(load_manifests(manifest), name, manifest), manifest.resolve().parent


def _of_videos(videos: Sequence[str], name: str | None, quick: QuickOptions, *, silent: bool) -> tuple[VideoJob, Path]:
    base = Path.cwd() if quick.save is None else quick.save.resolve().parent
    manifest = quick.manifest(videos, name, base)
    job = quick_job(manifest, videos)
    text = manifest_text(manifest)
    if quick.save is not None:
        save_manifest(text, quick.save, replace=quick.force)
    if not silent:
        kept = "--save job.yaml keeps it" if quick.save is None else f"kept in {quick.save}"
        tell(console(stderr=True), f"# The manifest of these videos; {kept}\n{text}")
    return job, base


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


def _tell(job: VideoJob, outcome: RunOutcome, options: RunOptions, *, as_json: bool) -> None:
    if as_json:
        price = cluster_price(job, outcome, options.model_repository)
        write_json(outcome_document(outcome, options) | {"on_cluster": None if price is None else price.document()})
        return
    show_outcome(console(), outcome, options)
    # The last line, because it takes a second: what the run found is there by then.
    price = cluster_price(job, outcome, options.model_repository)
    if price is not None:
        tell(console(), f"  {printable(price.sentence())}")
