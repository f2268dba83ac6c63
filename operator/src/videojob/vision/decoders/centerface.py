"""CenterFace: a heatmap of face centres at a quarter of the input's size, log sizes and centre offsets beside it."""

from __future__ import annotations

import numpy as np

from videojob.vision.boxes import corners
from videojob.vision.decoders.base import BoxDecoder, DecoderOptions, Outputs, refuse_not_finite, tensor
from videojob.vision.decoders.candidates import Candidates, by_frame, check_labels, check_scores, reaching
from videojob.vision.tensors import Detections, ModelContract

_STRIDE = 4


class CenterFaceDecoder(BoxDecoder):
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
        check_labels(contract, 1)
        self._model = contract.name

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        heatmap_name, scale_name, offset_name = self._names
        height, width = input_height // _STRIDE, input_width // _STRIDE
        heatmap = tensor(outputs, heatmap_name, (None, 1, height, width), self._model)
        count = len(heatmap)
        scale = tensor(outputs, scale_name, (count, 2, height, width), self._model)
        offset = tensor(outputs, offset_name, (count, 2, height, width), self._model)
        check_scores(heatmap, heatmap_name, self._model)
        refuse_not_finite(scale, scale_name, self._model)
        refuse_not_finite(offset, offset_name, self._model)

        frames, places = reaching(heatmap.reshape(count, height * width), threshold)
        rows, columns = np.divmod(places, width)
        with np.errstate(over="ignore"):  # an overflow becomes infinity, and that is refused below
            sizes = np.exp(scale[frames, ::-1, rows, columns]) * _STRIDE
        cells = np.stack([columns, rows], axis=1).astype(np.float32)
        centres = (cells + offset[frames, ::-1, rows, columns] + np.float32(0.5)) * _STRIDE
        boxes = corners(centres, sizes)
        refuse_not_finite(boxes, scale_name, self._model)
        class_ids = np.zeros(len(frames), np.int32)
        found = Candidates(frames, places, class_ids, heatmap[frames, 0, rows, columns])
        return by_frame(found, boxes, count, self._selection, (input_width, input_height))
