"""YOLO heads as the common exporters write them: one tensor, boxes and class scores of every cell.

    v5   (n, boxes, 5 + classes)   centre, size, objectness, class scores       v5, v6.0, v7
    v8   (n, 4 + classes, boxes)   centre, size, class scores                   v6.1 on, v8, v9, v11, v12
    v10  (n, boxes, 6)             corners, score, class: suppressed already    v10, "end to end" exports

The labels tell which one it is. v5 and v8 with their axes swapped are read as well, but only when `decoder_head` names
the head: with one label too many or too few, one of them would otherwise pass for the other.
"""

from __future__ import annotations

import numpy as np

from videojob.errors import InvalidModelOutput, ModelSignatureMismatch
from videojob.vision.boxes import Floats
from videojob.vision.decoders.base import BoxDecoder, DecoderOptions, Outputs, refuse_not_finite, tensor
from videojob.vision.decoders.candidates import (
    BOX_FORMATS,
    COORDINATES,
    Candidates,
    best_class,
    by_frame,
    check_scores,
    reaching,
    to_corners,
)
from videojob.vision.tensors import Detections, ModelContract

_HEADS = ("auto", "v5", "v8", "v10")
_USUAL_AXES = {"v5": 2, "v8": 1, "v10": 2}
"""Where each head's exporters put the attributes of a box."""
_END_TO_END_ATTRIBUTES = 6


class YoloDecoder(BoxDecoder):
    """Reads one output in any of the layouts above.

    Args:
        contract: needs labels, they tell how many classes there are. Options: head (auto), boxes (cxcywh; xyxy for
            v10), coordinates (pixels), iou (0.45; 1 for v10, which is suppressed already), max_candidates, max_boxes.
    """

    def __init__(self, contract: ModelContract) -> None:
        options = DecoderOptions(contract)
        (self._name,) = options.outputs("predictions")
        self._head = options.word("head", "auto", _HEADS)
        self._coordinates = options.word("coordinates", "pixels", COORDINATES)
        self._raw_boxes = options.word("boxes", "cxcywh", BOX_FORMATS)
        self._final_boxes = options.word("boxes", "xyxy", BOX_FORMATS)
        self._raw_selection = options.selection(iou=0.45)
        self._final_selection = options.selection(iou=1.0)
        options.refuse_others()
        if not contract.labels:
            raise options.mismatch("a YOLO model needs labels: they tell its layout", "Add the parameter 'labels'.")
        self._model = contract.name
        self._classes = len(contract.labels)

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        values = tensor(outputs, self._name, (None, None, None), self._model)
        refuse_not_finite(values, self._name, self._model)
        size = (input_width, input_height)
        head, attributes_axis = self._layout(values.shape)
        if head == "v10":
            return self._decode_final(values, size, threshold)
        # Moving the axis is a view; whole rows are only read for boxes over the threshold.
        rows = values if attributes_axis == 2 else values.transpose(0, 2, 1)
        found = (
            self._with_objectness(rows, threshold)
            if head == "v5"
            else self._without(values, attributes_axis, threshold)
        )
        chosen = np.ascontiguousarray(rows[found.frames, found.places, :4])
        boxes = to_corners(chosen, self._raw_boxes, self._coordinates, size)
        return by_frame(found, boxes, len(values), self._raw_selection, size)

    def _layout(self, shape: tuple[int, ...]) -> tuple[str, int]:
        """(head, axis of the attributes) of a tensor of this shape."""
        lengths = {"v5": 5 + self._classes, "v8": 4 + self._classes, "v10": _END_TO_END_ATTRIBUTES}
        fits = {head: axis for head, axis in _USUAL_AXES.items() if shape[axis] == lengths[head]}
        if self._head != "auto":
            swapped = 3 - _USUAL_AXES[self._head]
            if self._head not in fits and self._head != "v10" and shape[swapped] == lengths[self._head]:
                return self._head, swapped
            fits = {head: axis for head, axis in fits.items() if head == self._head}
        if len(fits) == 1:
            return next(iter(fits.items()))
        raise self._unclear(shape, sorted(fits)) if fits else self._misfit(shape, lengths)

    def _unclear(self, shape: tuple[int, ...], heads: list[str]) -> ModelSignatureMismatch:
        return ModelSignatureMismatch(
            f"the output {self._name!r} has shape {shape}; "
            f"with {self._classes} labels that may be {' or '.join(heads)}",
            uri=self._model,
            hint=f"Set the parameter decoder_head to {' or '.join(heads)}.",
        )

    def _misfit(self, shape: tuple[int, ...], lengths: dict[str, int]) -> ModelSignatureMismatch:
        return ModelSignatureMismatch(
            f"the output {self._name!r} has shape {shape}; with {self._classes} labels it must be "
            f"(n, {lengths['v8']}, boxes) for v8, (n, boxes, {lengths['v5']}) for v5, or (n, boxes, 6) for v10",
            uri=self._model,
            hint="Give one label for each class. If the axes are swapped, set decoder_head to v5 or v8.",
        )

    def _with_objectness(self, rows: Floats, threshold: float) -> Candidates:
        check_scores(rows[:, :, 4:], self._name, self._model)
        # A product of two scores is no larger than either: most boxes drop out by their objectness alone.
        frames, places = reaching(rows[:, :, 4], threshold)
        chosen = rows[frames, places, 5:] * rows[frames, places, 4, None]
        class_ids = chosen.argmax(axis=1).astype(np.int32)
        scores = chosen[np.arange(len(chosen)), class_ids]
        enough = scores >= threshold
        return Candidates(frames[enough], places[enough], class_ids[enough], scores[enough])

    def _without(self, values: Floats, attributes_axis: int, threshold: float) -> Candidates:
        scores = values[:, 4:] if attributes_axis == 1 else values[:, :, 4:]
        check_scores(scores, self._name, self._model)
        return best_class(scores, threshold, attributes_axis)

    def _decode_final(self, values: Floats, size: tuple[int, int], threshold: float) -> list[Detections]:
        check_scores(values[:, :, 4], self._name, self._model)
        frames, places = reaching(values[:, :, 4], threshold)
        chosen = values[frames, places]
        class_ids = chosen[:, 5].astype(np.int32)
        if (class_ids != chosen[:, 5]).any() or (class_ids < 0).any() or (class_ids >= self._classes).any():
            raise InvalidModelOutput(
                f"the output {self._name!r} has class numbers that are not 0 to {self._classes - 1}", uri=self._model
            )
        found = Candidates(frames, places, class_ids, chosen[:, 4])
        boxes = to_corners(chosen[:, :4], self._final_boxes, self._coordinates, size)
        return by_frame(found, boxes, len(values), self._final_selection, size)
