"""A worker process of the laptop's pool: runs the segments that its pipe hands it, until the pipe says so or closes.

It ignores Ctrl-C (the terminal sends that to the whole group): the parent alone decides when to stop. It dies with its
parent, also after kill -9.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from videojob.adapters.clock import SystemClock
from videojob.adapters.triton.client import connect
from videojob.errors import VideoJobError
from videojob.local.observers import observer_factory
from videojob.local.outputs import OutputConfig
from videojob.local.run_types import SinkConfig
from videojob.local.server import RunningServer
from videojob.local.sinks import open_sink
from videojob.media.parent.decoder import DecoderProcess
from videojob.memory import peak_rss_bytes
from videojob.ports.results import CommitOutcome
from videojob.results.aggregate.segment_results import SegmentTimings, WriteUsage
from videojob.worker.process.control import die_with_parent, ignore_stop_signals, keep_memory_private
from videojob.worker.segment.runner import SegmentRunner
from videojob.worker.segment.task import Progress, SegmentTask, SegmentTools, fault_in_video

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """All that a worker process needs; picklable.

    Attributes:
        workers: how many of them there are.
        server: where the model is served.
        model, version: what to ask of it; version "" leaves the choice to the server.
        sink: where results go.
        in_flight_frames: most frames of this worker with the server at once.
        outputs: per-frame files, if any.
    """

    workers: int
    server: RunningServer
    model: str
    version: str
    sink: SinkConfig
    in_flight_frames: int
    outputs: OutputConfig


@dataclass(frozen=True, slots=True)
class Done:
    """A segment was committed.

    Attributes:
        usage: what storing it took.
        kept_other: another result was stored before and stays.
        transport: how pixels reached the server.
    """

    segment: int
    frames_selected: int
    frames_inferred: int
    timings: SegmentTimings
    usage: WriteUsage
    kept_other: bool
    transport: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A segment, or the worker itself when `segment` is None, ended in an error, given as `VideoJobError.as_dict`."""

    segment: int | None
    error: dict[str, object]


Message = Progress | Done | Failed


def worker_main(connection: Connection, config: WorkerConfig, stop: Event) -> None:
    """Entry point of the process."""
    die_with_parent()
    keep_memory_private()
    ignore_stop_signals()
    try:
        with _tools(connection, config, stop) as tools:
            _serve(connection, tools)
    except VideoJobError as error:
        connection.send(Failed(None, error.as_dict()))
    finally:
        connection.close()


@contextlib.contextmanager
def _tools(connection: Connection, config: WorkerConfig, stop: Event) -> Iterator[SegmentTools]:
    with contextlib.ExitStack() as stack:
        sink = open_sink(config.sink)
        stack.callback(sink.close)
        inference = connect(config.server.address, config.model, config.version, options=config.server.options())
        stack.callback(inference.close)
        decoder = DecoderProcess()
        stack.callback(decoder.close)
        yield SegmentTools(
            decoder=decoder,
            inference=inference,
            sink=sink,
            clock=SystemClock(),
            in_flight_frames=config.in_flight_frames,
            stopped=stop.is_set,
            progress=connection.send,
            own_peak_rss_bytes=peak_rss_bytes,
            observers=observer_factory(config.outputs, inference.contract),
        )


def _serve(connection: Connection, tools: SegmentTools) -> None:
    runner = SegmentRunner(tools)
    reported = WriteUsage()
    try:
        while (task := _next_task(connection)) is not None:
            message = _run(runner, tools, task)
            if isinstance(message, Done):
                message, reported = replace(message, usage=message.usage - reported), message.usage
            connection.send(message)
    finally:
        runner.close()


def _next_task(connection: Connection) -> SegmentTask | None:
    try:
        task = connection.recv()
    except EOFError:
        return None
    return task if isinstance(task, SegmentTask) else None


def _run(runner: SegmentRunner, tools: SegmentTools, task: SegmentTask) -> Message:
    try:
        outcome = runner.run(task)
    except VideoJobError as error:
        return Failed(task.segment.index, error.as_dict())
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this segment, and must be named
        _LOG.exception("segment %d", task.segment.index)
        fault = fault_in_video(error, task.info.uri, task.segment.index)
        return Failed(task.segment.index, fault.as_dict())
    result = outcome.commit.result
    return Done(
        segment=result.segment,
        frames_selected=result.frames_selected,
        frames_inferred=result.frames_selected - result.frames_gated,
        timings=outcome.commit.timings,
        usage=tools.sink.usage(),
        kept_other=outcome.outcome is CommitOutcome.OTHER_KEPT,
        transport=tools.inference.transport,
    )
