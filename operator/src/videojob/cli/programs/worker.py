"""`videojob worker`: what runs in the pods of a job on a cluster. The controller writes these command lines."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import Annotated

import typer

from videojob.adapters.aws.dynamodb.calls import RetryPolicy
from videojob.adapters.aws.dynamodb.job_store import DynamoDbJobStore
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings
from videojob.adapters.aws.s3_models import fetch_model
from videojob.adapters.clock import SystemClock
from videojob.adapters.inputs.transfer import TransferPolicy
from videojob.adapters.machine import instance_type
from videojob.adapters.triton.channel import cluster_options
from videojob.adapters.triton.client import connect
from videojob.adapters.triton.engine_cache import EngineCache
from videojob.adapters.triton.ready import answers
from videojob.errors import UsageError, VideoJobError
from videojob.kube.job_file import JobFile
from videojob.kube.pod_interface import (
    DECODER_BYTES_VARIABLE,
    FAILURES_VARIABLE,
    SCRATCH,
    SCRATCH_BYTES_VARIABLE,
    SCRATCH_VARIABLE,
    SERVER_PATIENCE_S,
)
from videojob.kube.render.engines import CACHE_FOLDER, POD_NAME
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.sandbox.restrict import HEAP_LIMIT_BYTES
from videojob.memory import peak_rss_bytes
from videojob.planning.installation import Accelerator, Backend, WorkerSettings
from videojob.planning.state.ending import Ending
from videojob.reasons import Where, settle_on
from videojob.video.identity import run_settings
from videojob.worker.pods.batch import Batch
from videojob.worker.pods.engines import Engines
from videojob.worker.pods.planned_batch import planned_batch
from videojob.worker.pods.planner import Planner
from videojob.worker.pods.program import Drain, ended, read_job_file
from videojob.worker.pods.sync_model import ModelRequest, copy_folder, sync_model
from videojob.worker.pods.turn import Turn
from videojob.worker.pods.video_files import SCRATCH_BYTES, FetchedFiles, most_copied_bytes, paging_for_work
from videojob.worker.process.control import keep_memory_private
from videojob.worker.process.logs import log_json
from videojob.worker.segment.flow import in_flight_frames
from videojob.worker.segment.task import SegmentTools
from videojob.worker.steps.inputs import InputResolver

app = typer.Typer(
    name="worker",
    help="Commands that run in a job's pods on a cluster.",
    no_args_is_help=True,
    hidden=True,
    add_completion=False,
)

_STORE_PATIENCE_S = 300.0  # a pod that ends because the store is away for minutes would only be started again
_INDEX = "JOB_COMPLETION_INDEX"
_POD_BYTES = 8
_GRACE_S = WorkerSettings().grace_s

EnginesOption = Annotated[Path, typer.Option(help="Folder of the TensorRT engines of this pod's server.")]
SharedEnginesOption = Annotated[Path | None, typer.Option(help="Folder of the engines that replicas share.")]
JobOption = Annotated[Path, typer.Option("--job", help="The job's file.")]


@app.command()
def plan(
    job: JobOption,
    *,
    attempt: Annotated[int, typer.Option(min=1, help="Attempt number of the planner.")],
    probes: Annotated[int, typer.Option(min=1, max=64, help="Videos probed concurrently.")] = 4,
) -> None:
    """Expand, pin and probe a job's inputs, and store its plan."""
    bound: dict[str, object] = {"component": "planner", "attempt": attempt}
    settle_on(Where.CLUSTER)
    log_json(bound)
    drain = Drain(0.0, SystemClock())

    def work() -> tuple[Ending, VideoJobError | None]:
        file = _job_file(job, bound)
        keep_memory_private()
        drain.install()
        with contextlib.closing(_store(file, drain)) as store:
            Planner(file, store, _scratch(), probes, drain, _scratch_bytes(), _decoder_bytes()).run(attempt)
        return Ending.SETTLED, None

    raise typer.Exit(ended(work))


@app.command()
def run(
    job: JobOption,
    *,
    plan_attempt: Annotated[int, typer.Option(min=1, help="Attempt number of the planner whose plan is run.")],
    epoch: Annotated[int, typer.Option(min=1, help="The run's epoch in the results table.")],
    batch: Annotated[int, typer.Option(min=1, help="Segments per index.")],
    server: Annotated[str, typer.Option(help="HOST:PORT of the server's gRPC.")],
    workers: Annotated[int, typer.Option(min=1, help="Concurrent workers.")] = 1,
    model_version: Annotated[
        int | None, typer.Option(min=1, help="Version of the model; by default the file's.")
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds between the stop signal and the kill.")] = _GRACE_S,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for the server.")] = SERVER_PATIENCE_S,
    backoff_limit: Annotated[
        int | None, typer.Option(min=0, help="Backoff limit of the index; by default the file's.")
    ] = None,
) -> None:
    """Run the segments of this pod's index."""
    bound: dict[str, object] = {"component": "worker", "index": os.environ.get(_INDEX), "epoch": epoch}
    settle_on(Where.CLUSTER)
    log_json(bound)
    drain = Drain(grace, SystemClock())

    def work() -> tuple[Ending, VideoJobError | None]:
        index = _index()
        file = _job_file(job, bound)
        if model_version is not None:
            file = replace(file, model_version=model_version)
        keep_memory_private()
        drain.install()
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(contextlib.closing(_store(file, drain)))
            scratch = _scratch()
            progress = partial(_received, drain)
            policy = TransferPolicy(max_bytes=most_copied_bytes(_scratch_bytes()))
            resolver = stack.enter_context(InputResolver(scratch, scratch, policy=policy, progress=progress))
            planned = planned_batch(file, store, attempt=plan_attempt, epoch=epoch, index=index, batch=batch)
            own = Batch(
                run=planned.run,
                settings=run_settings(file.job.spec),
                videos=planned.videos,
                segments=planned.segments,
                turn=_turn(file.job.spec.backoff_limit if backoff_limit is None else backoff_limit),
                store=store,
                files=FetchedFiles(scratch, resolver.fetcher_of, paging_for_work(_scratch_bytes())),
                tools=lambda: stack.enter_context(
                    _tools(file, store, drain, server=server, workers=workers, patience_s=patience)
                ),
                stopping=drain.asked,
                clock=drain.clock,
            )
            outcome = own.work()
            drain.working = False
        return outcome.ending, outcome.error

    raise typer.Exit(ended(work))


@app.command("sync-model")
def sync(
    *,
    model: Annotated[str, typer.Option(help="Name of the model.")],
    digest: Annotated[str, typer.Option(help="Digest that the model's folder must have.")],
    target: Annotated[Path, typer.Option(help="The server's model repository.")],
    backend: Annotated[Backend, typer.Option(help="Triton backend to configure.")],
    accelerator: Annotated[Accelerator, typer.Option(help="Accelerator of the server.")] = "cpu",
    instances: Annotated[int, typer.Option(min=1, help="Model instances.")] = 1,
    version: Annotated[int, typer.Option("--model-version", min=1, help="Version to serve.")] = 1,
    s3: Annotated[str | None, typer.Option(help="s3://bucket/prefix of the model's folder.")] = None,
    owner: Annotated[str | None, typer.Option(help="AWS account that must own the bucket.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region of the bucket.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Mounted folder of the model, instead of --s3.")] = None,
    engines: EnginesOption = Path(CACHE_FOLDER),
    shared_engines: SharedEnginesOption = None,
    server_release: Annotated[str, typer.Option(help="What pins the server's software, as its image's tag.")] = "",
    gpu_model: Annotated[str, typer.Option("--gpu-model", help="GPU model of all replicas.")] = "",
) -> None:
    """Fetch a server's model, verify its digest and render its configuration."""
    settle_on(Where.CLUSTER)
    log_json({"component": "sync-model", "model": model})

    def work() -> tuple[Ending, VideoJobError | None]:
        if s3 is not None:
            bring: Callable[[Path], None] = partial(fetch_model, s3, owner=owner, region=region)
        elif folder is not None:
            bring = copy_folder(folder)
        else:
            raise UsageError("the model's source is missing", hint="Give --s3 or --folder.")
        request = ModelRequest(
            model, version, digest, backend, accelerator, instances, str(engines), gpu_model, server_release
        )
        sync_model(request, bring, target)
        if shared_engines is not None:
            Engines(_engine_cache(engines, shared_engines), SystemClock(), time.sleep).bring()
        return Ending.SETTLED, None

    raise typer.Exit(ended(work))


@app.command("share-engines")
def share(
    *,
    ready: Annotated[str, typer.Option(help="URL that answers 200 when the server is ready.")],
    engines: EnginesOption = Path(CACHE_FOLDER),
    shared_engines: SharedEnginesOption = None,
) -> None:
    """Publish the engines that the server beside it has built, then wait for the pod's end."""
    log_json({"component": "share-engines"})

    def work() -> tuple[Ending, VideoJobError | None]:
        if shared_engines is None:
            raise UsageError("the volume for engines is missing", hint="Give --shared-engines.")
        drain = Drain(0.0, SystemClock())
        drain.install()
        cache = _engine_cache(engines, shared_engines)
        Engines(cache, drain.clock, drain.pause, partial(answers, ready)).share()
        return Ending.SETTLED, None

    code = ended(work)
    if code:
        raise typer.Exit(code)
    # Nothing is left to do but to be there: a container that ends would be started again. A shell takes 1 MB for that.
    os.execv("/bin/sh", ["sh", "-c", "trap 'kill $!; exit 0' TERM INT; sleep infinity & wait"])  # noqa: S606 - see above


@contextlib.contextmanager
def _tools(
    file: JobFile, store: DynamoDbJobStore, drain: Drain, *, server: str, workers: int, patience_s: float
) -> Iterator[SegmentTools]:
    with contextlib.ExitStack() as stack:
        options = replace(cluster_options(), connect_timeout_s=patience_s)
        inference = connect(server, file.job.spec.model.name, str(file.model_version), options=options)
        stack.callback(inference.close)
        decoder = DecoderProcess(heap_bytes=_decoder_bytes())
        stack.callback(decoder.close)
        contract = inference.contract
        drain.working = True
        yield SegmentTools(
            decoder=decoder,
            inference=inference,
            sink=store,
            clock=drain.clock,
            in_flight_frames=in_flight_frames(contract.max_batch, contract.instances, workers),
            stopped=drain.over,
            progress=lambda _: None,
            own_peak_rss_bytes=peak_rss_bytes,
            instance_type=instance_type(),
        )


def _engine_cache(engines: Path, shared: Path) -> EngineCache:
    return EngineCache(shared, engines, os.environ.get(POD_NAME) or gethostname())


def _job_file(path: Path, bound: Mapping[str, object]) -> JobFile:
    """The job; from now on every line of the log names it."""
    file = read_job_file(path)
    log_json({**bound, "namespace": file.job.metadata.namespace, "job": file.job.metadata.name})
    return file


def _received(drain: Drain, uri: str, received_bytes: int, total_bytes: int | None) -> None:  # noqa: ARG001 - a Progress
    drain.check()


def _store(file: JobFile, drain: Drain) -> DynamoDbJobStore:
    retry = RetryPolicy(give_up_s=_STORE_PATIENCE_S, sleep=drain.pause)
    return DynamoDbJobStore(DynamoDbSettings(file.table, file.region, retry=retry, retention_s=file.retention_s))


def _scratch() -> Path:
    """The pod's own folder for copies of videos."""
    folder = Path(os.environ.get(SCRATCH_VARIABLE, SCRATCH)) / "inputs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _scratch_bytes() -> int:
    """How large that folder may grow before Kubernetes ends the pod."""
    return _number(SCRATCH_BYTES_VARIABLE, SCRATCH_BYTES, "Give the size limit of the folder.")


def _decoder_bytes() -> int:
    """Memory for the decoders of this pod: less than what the kernel would kill it at."""
    return _number(DECODER_BYTES_VARIABLE, HEAP_LIMIT_BYTES, "Give what the container's memory leaves for decoding.")


def _turn(limit: int) -> Turn:
    """Which of its index's pods this is. Kubernetes starts no container of ours twice, so a process is a pod."""
    failures = _number(FAILURES_VARIABLE, 0, "Kubernetes writes it to the pod's annotations.")
    return Turn(secrets.token_hex(_POD_BYTES), failures, limit)


def _number(variable: str, default: int, hint: str) -> int:
    value = os.environ.get(variable) or str(default)  # of an annotation that is not there Kubernetes makes ""
    if not value.isdigit():
        raise UsageError(f"{variable} is not a number: {value!r}", hint=hint)
    return int(value)


def _index() -> int:
    value = os.environ.get(_INDEX, "")
    if not value.isdigit():
        raise UsageError(f"{_INDEX} is not a number: {value!r}", hint="This command is for the pods of an Indexed Job.")
    return int(value)
