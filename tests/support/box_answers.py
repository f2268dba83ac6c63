"""Box decoders on ONNX graphs whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from support.onnx_graphs import answering
from videojob.local.models.runtime import OnnxRun
from videojob.vision.boxes import Floats
from videojob.vision.decoders import create_decoder
from videojob.vision.tensors import Detections, ModelContract, PixelInput

SIZE = 64
LABELS = ("person", "car", "dog")
Row = tuple[list[float], float, int]


def contract(decoder: str, outputs: tuple[str, ...], **options: Any) -> ModelContract:
    labels = options.pop("labels", LABELS)
    return ModelContract(
        name="model",
        version="",
        pixels=PixelInput(name="images", dtype="FP32", layout="NCHW", colour="RGB", width=SIZE, height=SIZE),
        outputs=outputs,
        decoder=decoder,
        decoder_options={key: str(value) for key, value in options.items()},
        labels=labels,
    )


def answers(outputs: Mapping[str, Floats], frames: int = 1) -> dict[str, Floats]:
    """What ONNX Runtime gives for a graph that answers so, for a batch of black pictures."""
    found = OnnxRun(answering(outputs).SerializeToString()).run(
        {"images": np.zeros((frames, 3, SIZE, SIZE), np.float32)}
    )
    return {name: values.astype(np.float32) for name, values in found.items()}


def decode(
    decoder: str, outputs: Mapping[str, Floats], threshold: float = 0.5, frames: int = 1, **options: Any
) -> list[Detections]:
    return create_decoder(contract(decoder, tuple(outputs), **options)).decode(
        answers(outputs, frames), SIZE, SIZE, threshold
    )


def rows(found: Detections) -> list[Row]:
    return [
        ([round(float(value), 3) for value in box], round(float(score), 3), int(class_id))
        for box, score, class_id in zip(found.boxes, found.scores, found.class_ids, strict=True)
    ]


def filled(shape: tuple[int, ...], values: Mapping[int, list[float]]) -> Floats:
    """Zeros, with some rows given."""
    table = np.zeros(shape, np.float32)
    for place, row in values.items():
        table[place] = row
    return table


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


V8 = filled(
    (84, 7),
    {
        3: [32, 32, 20, 10, 0.1, 0.9, 0.2],
        4: [33, 32, 20, 10, 0.1, 0.8, 0.2],  # the same car again
        9: [33, 32, 20, 10, 0.1, 0.2, 0.7],  # a dog in the same place
        80: [10, 10, 40, 8, 0.5, 0, 0],  # sticks out on the left
        81: [10, 50, 4, 4, 0.49, 0, 0],  # below the threshold
    },
)
DETR_BOXES = filled((5, 4), {0: [0.5, 0.5, 0.25, 0.5], 1: [0.25, 0.25, 0.125, 0.125], 2: [0.5, 0.5, 1, 1]})
SSD_BOXES = filled((4, 4), {0: [0.25, 0.5, 0.5, 1], 1: [0.25, 0.5, 0.5, 0.9375], 2: [0, 0, 0.5, 0.25]})
SSD_SCORES = filled((4, 3), {0: [0.1, 0.9, 0], 1: [0, 0.8, 0], 2: [0, 0, 0.6]})


def face_heads() -> dict[str, Floats]:
    heatmap = np.zeros((1, 16, 16), np.float32)
    scale, offset = np.zeros((2, 16, 16), np.float32), np.zeros((2, 16, 16), np.float32)
    heatmap[0, 5, 8], scale[:, 5, 8], offset[:, 5, 8] = 0.9, [np.log(4), np.log(2)], [0.25, 0]
    heatmap[0, 5, 9], scale[:, 5, 9] = 0.6, [np.log(4), np.log(2)]  # the same face, seen from the cell beside
    heatmap[0, 15, 15] = 0.5
    return {"heatmap": heatmap, "scale": scale, "offset": offset}
