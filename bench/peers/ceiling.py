"""L_cpu, the ceiling when decoding and inference share the cores: cores / (CPU-s of decode + CPU-s of inference).

Both costs are taken from work that does nothing else, in as many processes as there are cores, one thread each: first
all of them decode the clip to the model's pixels, then all of them run the model on such pixels. No queue, no message,
no server, no boxes, and no core ever waits for another. What comes out is a rate that no arrangement of the same
decoder and the same session can exceed; the "sample" is that rate.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import numpy as np

from bench.child import measured
from bench.peers.frames import decode_into
from bench.peers.model import Boxes, Pixels, Session, contract_of, video_size
from bench.tasks import Sample, Task

_KEPT_FRAMES = 64  # pictures that inference goes round; real ones, though to this network all cost the same
_WARM_FRAMES = 3


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(task.cores + 1)
    ours, theirs = context.Pipe(duplex=False)
    processes = [context.Process(target=_worker, args=(task, barrier, theirs)) for _ in range(task.cores)]
    for process in processes:
        process.start()
    barrier.wait()
    with measured(task) as measurement:
        costs = [ours.recv() for _ in processes]
    barrier.wait()
    for process in processes:
        process.join()
    decode_s, inference_s = (sum(cost[part] for cost in costs) / len(costs) for part in (0, 1))
    cost_s = decode_s + inference_s
    return Sample(
        frames=task.frames,
        wall_s=task.frames * cost_s / task.cores,
        cpu_s=task.frames * cost_s,
        others_share=measurement.others_share,
        extra={"decode_cpu_ms": 1000 * decode_s, "inference_cpu_ms": 1000 * inference_s},
    )


def _worker(task: Task, barrier: Barrier, answers: Connection) -> None:
    """One core's share: its costs per frame, (decode, inference), in CPU seconds."""
    session, kept = Session(task.weights, threads=1), list[Pixels]()
    barrier.wait()
    decode_s = _cpu_s(lambda: _decode(task, kept))
    for _ in range(_WARM_FRAMES):
        session.run(kept[0][None])
    inference_s = _cpu_s(lambda: _infer(task, session, kept))
    answers.send((decode_s / task.frames, inference_s / task.frames))
    barrier.wait()  # lives until its CPU time has been read


def _cpu_s(work: Callable[[], None]) -> float:
    from_s = time.process_time()
    work()
    return time.process_time() - from_s


def _decode(task: Task, kept: list[Pixels]) -> None:
    contract = contract_of(task.weights)
    geometry = Boxes(contract, video_size(task.clip)).geometry
    kept += [np.empty((geometry.height, geometry.width, 3), np.uint8) for _ in range(_KEPT_FRAMES)]
    decode_into(kept, task.clip, task.frames, geometry, contract.pixels)


def _infer(task: Task, session: Session, kept: list[Pixels]) -> None:
    for number in range(task.frames):
        session.run(kept[number % len(kept)][None])
