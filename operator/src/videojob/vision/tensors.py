"""Frozen values of the picture side: how pixels go into a model, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Detections:
    """The boxes of one frame.

    Attributes:
        boxes: (N, 4) float32, (x_min, y_min, x_max, y_max) in pixels.
        scores: (N,) float32 in 0..1, descending.
        class_ids: (N,) int32.
        track_ids: (N,) int32, or None when no tracker ran.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int32]
    track_ids: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes.shape != (count, 4) or self.class_ids.shape != (count,):
            raise ValueError(f"boxes {self.boxes.shape} and class_ids {self.class_ids.shape} do not fit {count} scores")

    def __len__(self) -> int:
        return len(self.scores)

    @staticmethod
    def empty() -> Detections:
        """No box."""
        return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a source picture lies in the model's input.

    Attributes:
        source_width, source_height: upright picture with square pixels: the video's display size.
        width, height: the model's input.
        scale_x, scale_y: source pixels to input pixels.
        pad_x, pad_y: input pixels left of and above the picture.
    """

    source_width: int
    source_height: int
    width: int
    height: int
    scale_x: float
    scale_y: float
    pad_x: int
    pad_y: int

    @property
    def inner_size(self) -> tuple[int, int]:
        """(width, height) of the picture itself inside the input, without padding."""
        return (
            min(self.width, max(1, round(self.source_width * self.scale_x))),
            min(self.height, max(1, round(self.source_height * self.scale_y))),
        )

    def place(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(x, y, width, height) in the input of an upright picture with square pixels that may have another size.

        It lies in the middle of where the source picture lies, as large as it fits without a change of its shape.
        """
        inner_width, inner_height = self.inner_size
        if (width, height) == (self.source_width, self.source_height):
            return self.pad_x, self.pad_y, inner_width, inner_height
        scale = min(self.source_width / width, self.source_height / height)
        across = min(inner_width, max(1, round(width * scale * self.scale_x)))
        down = min(inner_height, max(1, round(height * scale * self.scale_y)))
        return self.pad_x + (inner_width - across) // 2, self.pad_y + (inner_height - down) // 2, across, down


@dataclass(frozen=True, slots=True)
class PixelInput:
    """How pixels go into the model: what `parameters` in its config.pbtxt say.

    The wire always carries uint8 RGB or BGR frames when `dtype` is UINT8; a model that wants floats gets
    `(pixel / scale - mean) / std` in float32 from `vision.prepare`.

    Attributes:
        name: the input tensor's name.
        dtype: Triton's word, "UINT8", "FP32" or "FP16".
        layout: order of the axes behind the batch.
        colour: order of the channels.
        width, height: fixed input size in pixels; 0 when the model takes any size.
        long_side: for a model that takes any size, the longer side to aim at.
        stride: for a model that takes any size, both sides are multiples of this.
        resize: "letterbox" keeps the aspect ratio and pads, "stretch" does not.
        pad_value: 0..255, what padding is filled with.
        scale, mean, std: per channel, see above.
    """

    name: str
    dtype: str
    layout: Literal["NHWC", "NCHW"]
    colour: Literal["RGB", "BGR"]
    width: int = 0
    height: int = 0
    long_side: int = 640
    stride: int = 32
    resize: Literal["letterbox", "stretch"] = "letterbox"
    pad_value: int = 114
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ModelContract:
    """All a worker must know of a model; read from the server that serves it (`vision.contract.contract_from_config`).

    Attributes:
        name, version: as Triton names them; version is "" when the server chooses.
        pixels: how frames go in.
        outputs: names of the output tensors to ask for, in the decoder's order.
        decoder: name of the box decoder (entry-point group `videojob.box_decoders`).
        decoder_options: the decoder's own settings, as strings.
        labels: class names by class id; empty when the model has none.
        max_batch: frames that one execution may hold; 0 when the model takes no batch axis.
        instances: how many executions the server runs at once.
        digest: sha256 over the model's description, for the plan's identity.
    """

    name: str
    version: str
    pixels: PixelInput
    outputs: tuple[str, ...]
    decoder: str
    decoder_options: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    max_batch: int = 1
    instances: int = 1
    digest: str = ""
