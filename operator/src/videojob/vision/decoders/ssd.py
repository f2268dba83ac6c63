"""Detectors that give decoded boxes with scores, whatever made them: SSD, RetinaNet, UltraFace, EfficientDet."""

from __future__ import annotations

import numpy as np

from videojob.errors import InvalidModelOutput
from videojob.vision.boxes import Floats
from videojob.vision.decoders.base import BoxDecoder, DecoderOptions, Outputs, refuse_not_finite, tensor
from videojob.vision.decoders.candidates import (
    ACTIVATION_HINT,
    ACTIVATIONS,
    BOX_FORMATS,
    COORDINATES,
    Candidates,
    activate,
    by_frame,
    check_labels,
    check_scores,
    every_class,
    reaching,
    to_corners,
)
from videojob.vision.tensors import Detections, ModelContract

_BACKGROUNDS = ("none", "first", "last")


class SsdDecoder(BoxDecoder):
    """Outputs in order: boxes (n, k, 4), scores (n, k, classes); or boxes, scores (n, k), class numbers (n, k).

    Args:
        contract: options boxes (xyxy), coordinates (normalised), activation (none), background (none; which class
            means "nothing here", it is no label), first_class (0; number of the first label in the third output),
            iou (0.45), max_candidates, max_boxes.
    """

    def __init__(self, contract: ModelContract) -> None:
        options = DecoderOptions(contract)
        self._with_classes = len(contract.outputs) == 3
        roles = ("boxes", "scores", "classes") if self._with_classes else ("boxes", "scores")
        self._names = options.outputs(*roles)
        self._format = options.word("boxes", "xyxy", BOX_FORMATS)
        self._coordinates = options.word("coordinates", "normalised", COORDINATES)
        self._activation = options.word("activation", "none", ACTIVATIONS)
        self._background = options.word("background", "none", _BACKGROUNDS)
        self._first_class = options.integer("first_class", 0, 0, 1)
        self._selection = options.selection(iou=0.45)
        options.refuse_others()
        self._contract = contract
        self._model = contract.name

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        boxes = tensor(outputs, self._names[0], (None, None, 4), self._model)
        refuse_not_finite(boxes, self._names[0], self._model)
        count, places, _ = boxes.shape
        find = self._numbered_classes if self._with_classes else self._scored_classes
        found = find(outputs, count, places, threshold)
        size = (input_width, input_height)
        chosen = to_corners(boxes[found.frames, found.places], self._format, self._coordinates, size)
        return by_frame(found, chosen, count, self._selection, size)

    def _scored_classes(self, outputs: Outputs, count: int, places: int, threshold: float) -> Candidates:
        name = self._names[1]
        values = tensor(outputs, name, (count, places, None), self._model)
        refuse_not_finite(values, name, self._model)
        scores = _without_background(activate(values, self._activation), self._background)
        check_labels(self._contract, scores.shape[2])
        check_scores(scores, name, self._model, ACTIVATION_HINT)
        return every_class(scores, threshold)

    def _numbered_classes(self, outputs: Outputs, count: int, places: int, threshold: float) -> Candidates:
        _, scores_name, classes_name = self._names
        scores = tensor(outputs, scores_name, (count, places), self._model)
        numbers = tensor(outputs, classes_name, (count, places), self._model)
        check_scores(scores, scores_name, self._model)
        frames, chosen = reaching(scores, threshold)
        class_ids = numbers[frames, chosen] - self._first_class
        known = len(self._contract.labels) or np.iinfo(np.int32).max
        if not ((class_ids >= 0) & (class_ids < known) & (class_ids == np.floor(class_ids))).all():
            raise InvalidModelOutput(
                f"the output {classes_name!r} has class numbers that are not {self._first_class} to "
                f"{known - 1 + self._first_class}",
                uri=self._model,
                hint="Set the parameter decoder_first_class to 1 when the model counts classes from 1.",
            )
        return Candidates(frames, chosen, class_ids.astype(np.int32), scores[frames, chosen])


def _without_background(scores: Floats, background: str) -> Floats:
    if background == "first":
        return scores[:, :, 1:]
    return scores[:, :, :-1] if background == "last" else scores
