"""Image classifiers: the whole frame is the box."""

from __future__ import annotations

import numpy as np

from videojob.vision.decoders.base import BoxDecoder, DecoderOptions, Outputs, as_scores, refuse_not_finite, tensor
from videojob.vision.decoders.candidates import ACTIVATION_HINT, ACTIVATIONS, activate, check_labels, check_scores
from videojob.vision.tensors import Detections, ModelContract


class ClassificationDecoder(BoxDecoder):
    """Reads one output (n, classes).

    Args:
        contract: options activation (softmax), top (1; how many best classes a frame may show).
    """

    def __init__(self, contract: ModelContract) -> None:
        options = DecoderOptions(contract)
        (self._name,) = options.outputs("scores")
        self._activation = options.word("activation", "softmax", ACTIVATIONS)
        self._top = options.integer("top", 1, 1, 1000)
        options.refuse_others()
        self._contract = contract
        self._model = contract.name

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        logits = tensor(outputs, self._name, (None, None), self._model)
        refuse_not_finite(logits, self._name, self._model)
        check_labels(self._contract, logits.shape[1])
        scores = activate(logits, self._activation)
        check_scores(scores, self._name, self._model, ACTIVATION_HINT)
        # A stable sort: of equal scores the lower class id comes first, everywhere.
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self._top].astype(np.int32)
        frame = np.array([[0, 0, input_width, input_height]], np.float32)
        found = []
        for row, class_ids in zip(scores, best, strict=True):
            enough = class_ids[row[class_ids] >= threshold]
            found.append(Detections(np.repeat(frame, len(enough), axis=0), as_scores(row[enough]), enough))
        return found
