"""DETR and its relatives: a set of queries, each with class logits and one box."""

from __future__ import annotations

from videojob.vision.decoders.base import BoxDecoder, DecoderOptions, Outputs, refuse_not_finite, tensor
from videojob.vision.decoders.candidates import (
    ACTIVATION_HINT,
    ACTIVATIONS,
    BOX_FORMATS,
    COORDINATES,
    activate,
    best_class,
    by_frame,
    check_labels,
    check_scores,
    every_class,
    to_corners,
)
from videojob.vision.tensors import Detections, ModelContract


class DetrDecoder(BoxDecoder):
    """Outputs in order: logits (n, queries, classes) and boxes (n, queries, 4).

    With softmax (DETR) the last class means "nothing here", and a query has its best other class. With sigmoid
    (Deformable DETR, RT-DETR) there is no such class, and a query may show several classes.

    Args:
        contract: options activation (softmax), boxes (cxcywh), coordinates (normalised), iou (1: queries are made to
            be distinct), max_candidates, max_boxes.
    """

    def __init__(self, contract: ModelContract) -> None:
        options = DecoderOptions(contract)
        self._logits_name, self._boxes_name = options.outputs("logits", "boxes")
        self._activation = options.word("activation", "softmax", ACTIVATIONS)
        self._format = options.word("boxes", "cxcywh", BOX_FORMATS)
        self._coordinates = options.word("coordinates", "normalised", COORDINATES)
        self._selection = options.selection(iou=1.0)
        options.refuse_others()
        self._contract = contract
        self._model = contract.name

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        logits = tensor(outputs, self._logits_name, (None, None, None), self._model)
        count, queries, _ = logits.shape
        boxes = tensor(outputs, self._boxes_name, (count, queries, 4), self._model)
        refuse_not_finite(logits, self._logits_name, self._model)
        refuse_not_finite(boxes, self._boxes_name, self._model)
        scores = activate(logits, self._activation)
        if self._activation == "softmax":
            scores = scores[:, :, :-1]
        check_labels(self._contract, scores.shape[2])
        check_scores(scores, self._logits_name, self._model, ACTIVATION_HINT)
        found = best_class(scores, threshold) if self._activation == "softmax" else every_class(scores, threshold)
        size = (input_width, input_height)
        chosen = to_corners(boxes[found.frames, found.places], self._format, self._coordinates, size)
        return by_frame(found, chosen, count, self._selection, size)
