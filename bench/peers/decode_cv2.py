"""Decoding to the model's pixels by OpenCV, tuned: a process per core, one thread each, each over the whole clip.

With the options `processes` 1 and `threads` as many as cores it is OpenCV as people use it.
"""

from __future__ import annotations

import cv2
import numpy as np

from bench.peers.model import Boxes, Letterbox, contract_of, video_size
from bench.peers.side_by_side import run_side_by_side
from bench.tasks import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    return run_side_by_side(decode, task, int(task.options.get("processes", str(task.cores))))


def decode(task: Task) -> int:
    """One process's share: the whole clip."""
    threads = int(task.options.get("threads", "1"))
    cv2.setNumThreads(threads)
    contract = contract_of(task.weights)
    letterbox = Letterbox(Boxes(contract, video_size(task.clip)).geometry, contract.pixels.pad_value)
    capture = cv2.VideoCapture(str(task.clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    count = 0
    while count < task.frames:
        there, picture = capture.read()
        if not there:
            break
        letterbox.place(np.asarray(picture, np.uint8))
        count += 1
    capture.release()
    return count
