"""Decoding to the model's pixels by OpenCV, tuned: a process per core, one thread each, each over the whole clip.

Option `threads`: decoder threads of each capture; with `processes` ("1") that is OpenCV as people use it.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import cv2
import numpy as np

from bench.child import measured
from bench.peers.model import Boxes, Letterbox, contract_of, video_size
from bench.values import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    processes = int(task.options.get("processes", str(task.cores)))
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes + 1)
    ours, theirs = context.Pipe(duplex=False)
    workers = [context.Process(target=_worker, args=(task, barrier, theirs)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    barrier.wait()
    with measured(task) as measurement:
        measurement.frames = sum(ours.recv() for _ in workers)
    barrier.wait()
    for worker in workers:
        worker.join()
    return measurement.sample()


def _worker(task: Task, barrier: Barrier, answers: Connection) -> None:
    threads = int(task.options.get("threads", "1"))
    cv2.setNumThreads(threads)
    contract = contract_of(task.weights)
    letterbox = Letterbox(Boxes(contract, video_size(task.clip)).geometry, contract.pixels.pad_value)
    barrier.wait()
    capture = cv2.VideoCapture(str(task.clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    count = 0
    while count < task.frames:
        there, picture = capture.read()
        if not there:
            break
        letterbox.place(np.asarray(picture, np.uint8))
        count += 1
    capture.release()
    answers.send(count)
    barrier.wait()  # lives until its CPU time has been read
