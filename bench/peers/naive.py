"""The script that everybody writes first: cv2.VideoCapture, resize, ONNX Runtime with its own settings, one by one."""

from __future__ import annotations

import cv2
import numpy as np

from bench.agreement import FrameBoxes, save
from bench.child import measured
from bench.peers.model import Boxes, Letterbox, Session, contract_of, video_size
from bench.tasks import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    contract = contract_of(task.weights)
    boxes, session = Boxes(contract, video_size(task.clip)), Session(task.weights)
    letterbox = Letterbox(boxes.geometry, contract.pixels.pad_value)
    session.run(np.zeros((1, boxes.geometry.height, boxes.geometry.width, 3), np.uint8))
    found: list[FrameBoxes] = []
    with measured(task) as measurement:
        capture = cv2.VideoCapture(str(task.clip))
        while len(found) < task.frames:
            there, picture = capture.read()
            if not there:
                break
            found += boxes.read(session.run(letterbox.place(np.asarray(picture, np.uint8))[None]))
        capture.release()
        measurement.frames = len(found)
    if task.boxes is not None:
        save(task.boxes, found)
    return measurement.sample()
