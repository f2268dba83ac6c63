"""Runs one function in several processes at once and measures the stretch that they share."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from bench.child import measured
from bench.tasks import Sample, Task

Work = Callable[[Task], int]
"""Does the work and says how many frames it was."""


def run_side_by_side(work: Work, task: Task, processes: int) -> Sample:
    """`processes` of them, each doing the whole work once.

    Args:
        work: a function of a module, which the new processes import.
        task: handed to it.
        processes: how many.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    ours, theirs = context.Pipe(duplex=False)
    workers = [context.Process(target=_worker, args=(work, task, barrier, theirs)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    barrier.wait()
    with measured(task) as measurement:
        measurement.frames = sum(ours.recv() for _ in workers)
    barrier.wait()
    for worker in workers:
        worker.join()
    return measurement.sample()


def _worker(work: Work, task: Task, barrier: Barrier, answers: Connection) -> None:
    barrier.wait()
    answers.send(work(task))
    barrier.wait()  # lives until its CPU time and memory have been read
