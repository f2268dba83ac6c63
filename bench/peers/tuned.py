"""The bar to fear: one process, a PyAV thread that decodes ahead, one ONNX Runtime session per core, no server at all.

Batches of `batch` frames (option, 1 by default): on CPUs one is the fastest for this network, as it is for ours.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bench.agreement import FrameBoxes, save
from bench.child import measured
from bench.peers.frames import DecodeThread
from bench.peers.model import Boxes, Session, contract_of, video_size
from bench.tasks import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    batch = int(task.options.get("batch", "1"))
    contract = contract_of(task.weights)
    size = video_size(task.clip)
    geometry = Boxes(contract, size).geometry
    sessions = [Session(task.weights, threads=1) for _ in range(task.cores)]
    for session in sessions:
        session.run(np.zeros((batch, geometry.height, geometry.width, 3), np.uint8))
    found: dict[int, FrameBoxes] = {}

    def work(session: Session) -> None:
        boxes, source = Boxes(contract, size), iter(frames)
        while taken := list(itertools.islice(source, batch)):
            outputs = session.run(np.stack([pixels for _, pixels in taken]))
            found.update(zip((number for number, _ in taken), boxes.read(outputs), strict=True))

    with ThreadPoolExecutor(task.cores) as pool, measured(task) as measurement:
        frames = DecodeThread(task.clip, task.frames, geometry, contract.pixels)
        list(pool.map(work, sessions))
        measurement.frames = len(found)
    if task.boxes is not None:
        save(task.boxes, [found[number] for number in sorted(found)])
    return measurement.sample()
