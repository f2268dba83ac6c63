"""Runs segments in concurrent worker processes and survives the death of any of them.

One segment at a time per worker. A worker that dies (out of memory, killed) loses only its segment; it is tried again
in a new process, within the job's backoffLimit.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Self

from videojob.errors import Cancelled, VideoJobError, WorkerLost, error_from_dict
from videojob.local.process import Done, Message, WorkerConfig, worker_main
from videojob.ports.clock import Clock
from videojob.worker.process.control import stop_signals_held
from videojob.worker.segment.task import Progress, SegmentTask
from videojob.worker.steps.dispatch import Dispatcher, Verdict

_TICK_S = 0.25  # how often the parent checks the stop request and refreshes the display
_JOIN_S = 5.0
_DROP_S = 5.0  # a worker checks the stop request at every frame and every half second; then it is killed
_IDLE_RESTARTS = 3  # workers that die without a segment in hand will do so again


@dataclass(slots=True)
class _Worker:
    number: int
    process: SpawnProcess
    connection: Connection
    task: SegmentTask | None = None


@dataclass(slots=True)
class PoolEvents:
    """Who hears what happens. Called in the parent, one at a time."""

    progress: Callable[[Progress], None]
    done: Callable[[Done], None]
    failed: Callable[[VideoJobError, Verdict], None]
    tick: Callable[[], None]


@dataclass(slots=True)
class StopRequest:
    """Set by a signal handler: when the first signal came, and whether a second one did.

    Attributes:
        draining: the pool is running and will look; elsewhere a signal raises `Cancelled` at once.
    """

    asked_at_s: float | None = None
    now: bool = False
    draining: bool = False


class WorkerPool:
    """A fixed number of worker processes; a context manager that always ends them."""

    def __init__(self, config: WorkerConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._context = multiprocessing.get_context("spawn")
        self._stop = self._context.Event()
        self._hurry = False
        self._restarts = 0
        self._workers = [self._start(number) for number in range(config.workers)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.connection.close()
        # What is still running has had its grace: a second signal does not wait for it.
        patience_s = 0.0 if self._hurry else _JOIN_S
        for worker in self._workers:
            worker.process.join(patience_s)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _start(self, number: int) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=worker_main, args=(theirs, self._config, self._stop), name=f"videojob-worker-{number}"
        )
        with stop_signals_held():
            process.start()
        theirs.close()
        return _Worker(number, process, ours)

    def run(self, dispatcher: Dispatcher, events: PoolEvents, stop: StopRequest, grace_s: float) -> None:
        """Runs all that the dispatcher gives out; returns when it says that it is finished.

        Args:
            dispatcher: decides what runs.
            events: gets what happens.
            stop: checked several times per second.
            grace_s: how long running segments may go on after the first stop signal.
        """
        stop.draining = True
        try:
            while not (dispatcher.finished or self._hurry):
                self._give_out(dispatcher)
                self._receive(dispatcher, events)
                self._obey(dispatcher, stop, grace_s)
                events.tick()
        finally:
            stop.draining = False

    def _give_out(self, dispatcher: Dispatcher) -> None:
        for worker in self._workers:
            if worker.task is None and (task := dispatcher.next_task()) is not None:
                worker.task = task
                with contextlib.suppress(OSError):  # a worker that died idle: its pipe tells next
                    worker.connection.send(task)

    def _receive(self, dispatcher: Dispatcher, events: PoolEvents) -> None:
        by_connection = {worker.connection: worker for worker in self._workers}
        for ready in wait(list(by_connection), _TICK_S):
            worker = by_connection[ready]  # type: ignore[index] # wait() is typed for sockets and handles too
            try:
                message: Message = worker.connection.recv()
            except (EOFError, OSError):
                self._replace(worker, dispatcher, events)
            else:
                self._handle(worker, message, dispatcher, events)

    def _handle(self, worker: _Worker, message: Message, dispatcher: Dispatcher, events: PoolEvents) -> None:
        if isinstance(message, Progress):
            events.progress(message)
        elif isinstance(message, Done):
            worker.task = None
            dispatcher.succeeded(message.segment)
            events.done(message)
        elif message.segment is None:
            self._not_started(worker, error_from_dict(message.error), dispatcher, events)
        else:
            worker.task = None
            error = error_from_dict(message.error)
            events.failed(error, dispatcher.failed(message.segment, error))

    def _not_started(self, worker: _Worker, error: VideoJobError, dispatcher: Dispatcher, events: PoolEvents) -> None:
        """A worker could not reach server or store: no segment is to blame, and no other worker will fare better."""
        task, worker.task = worker.task, None
        if task is not None and error.retryable:
            events.failed(error, dispatcher.failed(task.segment.index, error))
            return
        if task is not None:
            dispatcher.failed(task.segment.index, Cancelled("the worker could not start"))
        dispatcher.abort(error)

    def _replace(self, worker: _Worker, dispatcher: Dispatcher, events: PoolEvents) -> None:
        worker.process.join()
        worker.connection.close()
        code = worker.process.exitcode
        task, worker.task = worker.task, None
        if task is not None:
            error = WorkerLost(
                f"worker {worker.number} ended with code {code}", uri=task.info.uri, segment=task.segment.index
            )
            events.failed(error, dispatcher.failed(task.segment.index, error))
        place = self._workers.index(worker)
        if dispatcher.stopping:
            del self._workers[place]
            return
        self._restarts += task is None
        if self._restarts > _IDLE_RESTARTS:
            dispatcher.abort(WorkerLost(f"worker processes end with code {code} before they do anything"))
            return
        self._workers[place] = self._start(worker.number)

    def _obey(self, dispatcher: Dispatcher, stop: StopRequest, grace_s: float) -> None:
        if dispatcher.job_error is not None:
            self._stop.set()  # nothing of what runs will be used
        if stop.asked_at_s is None:
            return
        dispatcher.stop()
        waited_s = self._clock.monotonic_s() - stop.asked_at_s
        if stop.now or waited_s >= grace_s:
            self._stop.set()
        self._hurry = stop.now or waited_s >= grace_s + _DROP_S
