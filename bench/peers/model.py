"""What the peers without a server share: the same graph, the same geometry, the same reading of boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bench.agreement import FrameBoxes
from videojob.adapters.triton.model_repository import read_model
from videojob.vision.decoders import create_decoder
from videojob.vision.geometry import fit, to_source
from videojob.vision.tensors import Geometry, ModelContract

THRESHOLD = 0.5

Outputs = dict[str, NDArray[np.generic]]
Pixels = NDArray[np.uint8]


def contract_of(weights: Path) -> ModelContract:
    """The description beside the weights."""
    return read_model(weights.parents[1]).contract()


class Boxes:
    """Turns the model's outputs into boxes in source pixels.

    Args:
        contract: the model's description.
        source_size: (width, height) of the video.
    """

    def __init__(self, contract: ModelContract, source_size: tuple[int, int]) -> None:
        self._decoder = create_decoder(contract)
        self.geometry: Geometry = fit(*source_size, contract.pixels)

    def read(self, outputs: Outputs) -> list[FrameBoxes]:
        """One array per frame of the batch."""
        geometry = self.geometry
        found = self._decoder.decode(outputs, geometry.width, geometry.height, THRESHOLD)
        inside = [to_source(boxes, geometry) for boxes in found]
        return [np.column_stack([boxes.boxes, boxes.scores]).astype(np.float32) for boxes in inside]


class Session:
    """The graph in ONNX Runtime.

    Args:
        weights: the ONNX file.
        threads: cores that one run uses; None leaves all settings as ONNX Runtime has them.
    """

    def __init__(self, weights: Path, threads: int | None = None) -> None:
        options = onnxruntime.SessionOptions()
        if threads is not None:
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._input = self._session.get_inputs()[0].name

    def run(self, frames: Pixels) -> Outputs:
        """Outputs by name for (n, height, width, 3) pixels."""
        return dict(zip(self._outputs, self._session.run(self._outputs, {self._input: frames}), strict=True))


class Letterbox:
    """Places cv2's pictures in the model's input, as a script would."""

    def __init__(self, geometry: Geometry, pad_value: int) -> None:
        self._geometry = geometry
        self._canvas = np.full((geometry.height, geometry.width, 3), pad_value, np.uint8)

    def place(self, picture: Pixels) -> Pixels:
        """(height, width, 3) BGR -> (model height, model width, 3) RGB; valid until the next call."""
        geometry = self._geometry
        width, height = geometry.inner_size
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        inside = self._canvas[geometry.pad_y : geometry.pad_y + height, geometry.pad_x : geometry.pad_x + width]
        cv2.cvtColor(small, cv2.COLOR_BGR2RGB, dst=small)
        inside[...] = small
        return self._canvas


def video_size(path: Path) -> tuple[int, int]:
    """(width, height)."""
    capture = cv2.VideoCapture(str(path))
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    finally:
        capture.release()
