"""YOLOX as its exporter writes it: (n, cells, 5 + classes), boxes still relative to their grid cells."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from videojob.errors import InvalidModelOutput
from videojob.vision.boxes import Floats, corners
from videojob.vision.decoders.base import BoxDecoder, DecoderOptions, Outputs, refuse_not_finite, tensor
from videojob.vision.decoders.candidates import Candidates, by_frame, check_labels, check_scores, reaching
from videojob.vision.tensors import Detections, ModelContract


class YoloxDecoder(BoxDecoder):
    """Reads one output: per cell (x, y) offset, log (width, height), objectness, class scores; scores are 0..1.

    A cell's box has its centre at (cell + offset) * stride and the size exp(log size) * stride. Cells come row by row,
    the finest grid first.

    Args:
        contract: options strides ("8,16,32"), iou (0.45), max_candidates, max_boxes.
    """

    def __init__(self, contract: ModelContract) -> None:
        options = DecoderOptions(contract)
        (self._name,) = options.outputs("predictions")
        self._strides = options.integers("strides", (8, 16, 32), 1, 1024)
        self._selection = options.selection(iou=0.45)
        options.refuse_others()
        self._contract = contract
        self._model = contract.name

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        values = tensor(outputs, self._name, (None, None, None), self._model)
        refuse_not_finite(values, self._name, self._model)
        cells, strides = _grid(input_width, input_height, self._strides)
        if values.shape[1] != len(cells) or values.shape[2] < 6:
            raise InvalidModelOutput(
                f"the output {self._name!r} has shape {values.shape}; an input of {input_width} x {input_height} with "
                f"strides {', '.join(map(str, self._strides))} has {len(cells)} cells, each with 5 + classes numbers",
                uri=self._model,
            )
        check_labels(self._contract, values.shape[2] - 5)
        check_scores(values[:, :, 4:], self._name, self._model)

        frames, places = reaching(values[:, :, 4], threshold)
        chosen = values[frames, places]
        products = chosen[:, 5:] * chosen[:, 4, None]
        class_ids = products.argmax(axis=1).astype(np.int32)
        scores = products[np.arange(len(products)), class_ids]
        centres = (chosen[:, :2] + cells[places]) * strides[places]
        with np.errstate(over="ignore"):  # an overflow becomes infinity, and that is refused below
            sizes = np.exp(chosen[:, 2:4]) * strides[places]
        boxes = corners(centres, sizes)
        refuse_not_finite(boxes, self._name, self._model)
        enough = scores >= threshold
        found = Candidates(frames[enough], places[enough], class_ids[enough], scores[enough])
        return by_frame(found, boxes[enough], len(values), self._selection, (input_width, input_height))


@lru_cache(maxsize=16)  # a job has one input size, seldom a few
def _grid(width: int, height: int, strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """(cells, 2) column and row of every cell, and (cells, 1) its stride."""
    cells: list[Floats] = []
    sizes: list[Floats] = []
    for stride in strides:
        rows, columns = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32))
        sizes.append(np.full((rows.size, 1), stride, np.float32))
    return np.concatenate(cells), np.concatenate(sizes)
