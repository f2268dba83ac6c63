"""The first Triton client that everybody writes: cv2, `infer()`, one frame at a time, waiting for each answer."""

from __future__ import annotations

import cv2
import numpy as np
from tritonclient import grpc as triton

from bench.agreement import FrameBoxes, save
from bench.child import measured
from bench.peers.model import Boxes, Letterbox, contract_of, video_size
from bench.peers.stock import outputs_of, request_of, requested_outputs
from bench.tasks import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    if task.server is None:
        raise ValueError("this peer needs a server")
    contract = contract_of(task.weights)
    boxes = Boxes(contract, video_size(task.clip))
    letterbox = Letterbox(boxes.geometry, contract.pixels.pad_value)
    client = triton.InferenceServerClient(task.server.address)
    outputs = requested_outputs(contract)
    blank = np.zeros((1, boxes.geometry.height, boxes.geometry.width, 3), np.uint8)
    client.infer(task.model, [request_of(contract, blank)], outputs=outputs)
    found: list[FrameBoxes] = []
    with measured(task) as measurement:
        capture = cv2.VideoCapture(str(task.clip))
        while len(found) < task.frames:
            there, picture = capture.read()
            if not there:
                break
            pixels = letterbox.place(np.asarray(picture, np.uint8))[None]
            reply = client.infer(task.model, [request_of(contract, pixels)], outputs=outputs)
            found += boxes.read(outputs_of(contract, reply))
        capture.release()
        measurement.frames = len(found)
    client.close()
    if task.boxes is not None:
        save(task.boxes, found)
    return measurement.sample()
