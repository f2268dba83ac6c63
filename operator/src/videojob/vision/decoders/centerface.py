"""CenterFace: a heatmap of face centres at a quarter of the input's size, log sizes and centre offsets beside it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from videojob.vision.boxes import corners
from videojob.vision.decoders.base import DecoderOptions, Outputs, refuse_not_finite, tensor
from videojob.vision.values import Detections, ModelContract

_STRIDE = 4


class CenterFaceDecoder:
    """Outputs in order: heatmap (n, 1, h, w) in 0..1, scale (n, 2, h, w) and offset (n, 2, h, w), each (y, x).

    A cell's face has its centre at (cell + offset + 0.5) * 4 and the size exp(scale) * 4, in input pixels.

    Args:
        contract: options iou (0.3), max_candidates, max_boxes.
    """

    def __init__(self, contract: ModelContract) -> None:
        options = DecoderOptions(contract)
        self._names = options.outputs("heatmap", "scale", "offset")
        self._selection = options.selection(iou=0.3)
        options.refuse_others()
        self._model = contract.name

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        """See `BoxDecoder.decode`."""
        heatmap_name, scale_name, offset_name = self._names
        rows, columns = input_height // _STRIDE, input_width // _STRIDE
        heatmap = tensor(outputs, heatmap_name, (None, 1, rows, columns), self._model)
        count = len(heatmap)
        scale = tensor(outputs, scale_name, (count, 2, rows, columns), self._model)
        offset = tensor(outputs, offset_name, (count, 2, rows, columns), self._model)
        # NaN compares as false: unchecked it would pass for "no face".
        refuse_not_finite(heatmap, heatmap_name, self._model)

        frame, row, column = np.nonzero(heatmap[:, 0] >= threshold)
        scores = heatmap[frame, 0, row, column]
        cells = np.stack([column, row], axis=1)
        with np.errstate(over="ignore"):  # an overflow becomes infinity, and that is refused below
            sizes = np.exp(scale[frame, ::-1, row, column]) * _STRIDE
        centres = (cells + offset[frame, ::-1, row, column] + np.float32(0.5)) * _STRIDE
        boxes = corners(centres.astype(np.float32), sizes)
        refuse_not_finite(boxes, f"{scale_name} or {offset_name}", self._model)
        class_ids = np.zeros(len(scores), np.int32)
        # `nonzero` goes frame by frame, so each frame's candidates are one slice.
        ends = np.searchsorted(frame, np.arange(count + 1))
        return [
            self._selection.finish(
                boxes[start:end], scores[start:end], class_ids[start:end], (input_width, input_height)
            )
            for start, end in pairwise(ends)
        ]
