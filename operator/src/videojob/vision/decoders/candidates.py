"""From scores to boxes: what detectors with one score per box and class have in common."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from videojob.errors import InvalidModelOutput, ModelSignatureMismatch
from videojob.vision.boxes import Floats, Ints, corners
from videojob.vision.decoders.base import Selection
from videojob.vision.tensors import Detections, ModelContract

_ROUNDING = 1e-3
"""A softmax in half precision may come out a little over 1; `as_scores` then makes it 1."""

LOGITS_HINT = "If these are logits, put a sigmoid or softmax behind them in the graph."
ACTIVATION_HINT = "If these are logits, set the parameter decoder_activation to sigmoid or softmax."

ACTIVATIONS = ("none", "sigmoid", "softmax")
BOX_FORMATS = ("xyxy", "yxyx", "cxcywh")
COORDINATES = ("pixels", "normalised")


@dataclass(frozen=True, slots=True)
class Candidates:
    """The boxes over the threshold, of all frames, ascending by frame.

    Attributes:
        frames: (M,) which frame. places: (M,) which box of it.
        class_ids: (M,). scores: (M,).
    """

    frames: NDArray[np.intp]
    places: NDArray[np.intp]
    class_ids: Ints
    scores: Floats


def activate(values: Floats, kind: str) -> Floats:
    """Logits -> scores along the last axis; "none" passes scores through."""
    if kind == "sigmoid":
        # The same function as 1 / (1 + exp(-x)), but it cannot overflow.
        halves: Floats = np.float32(0.5) * (np.float32(1) + np.tanh(values * np.float32(0.5)))
        return halves
    if kind == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
        return shares
    return values


def reaching(scores: Floats, threshold: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(frames, places) of the scores (n, k) that reach the threshold, ascending."""
    # NumPy searches one axis with vector instructions, several of them element by element.
    frames, places = np.divmod(np.flatnonzero(scores.reshape(-1) >= threshold), max(1, scores.shape[1]))
    return frames, places


def best_class(scores: Floats, threshold: float, axis: int = 2) -> Candidates:
    """Each box with its best class, where that reaches the threshold.

    Args:
        scores: (n, boxes, classes), or (n, classes, boxes) with `axis` 1.
        threshold: 0..1.
        axis: of the classes.
    """
    best = scores.max(axis=axis)
    frames, places = reaching(best, threshold)
    chosen = scores[frames, places] if axis == 2 else scores[frames, :, places]
    class_ids = chosen.argmax(axis=1).astype(np.int32)
    return Candidates(frames, places, class_ids, best[frames, places])


def every_class(scores: Floats, threshold: float) -> Candidates:
    """Each pair of box and class that reaches the threshold; `scores` is (n, boxes, classes)."""
    count, places_count, classes = scores.shape
    frames, cells = reaching(scores.reshape(count, places_count * classes), threshold)
    places, class_ids = np.divmod(cells, max(1, classes))
    return Candidates(frames, places, class_ids.astype(np.int32), scores[frames, places, class_ids])


def check_scores(scores: Floats, name: str, model: str, hint: str = LOGITS_HINT) -> None:
    """Raises InvalidModelOutput when something is no score: NaN, below 0 or over 1.

    Args:
        scores: all of them.
        name: of the output they come from.
        model: its name.
        hint: what to do when they are out of range.
    """
    if not scores.size:
        return
    low, high = scores.min(), scores.max()  # NaN survives both
    if not np.isfinite([low, high]).all():
        raise InvalidModelOutput(f"the output {name!r} holds NaN or infinity", uri=model)
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise InvalidModelOutput(
            f"the output {name!r} has scores from {low:.3g} to {high:.3g}, they must be 0 to 1", uri=model, hint=hint
        )


def check_labels(contract: ModelContract, classes: int) -> None:
    """Raises ModelSignatureMismatch when the model scores another number of classes than it has labels."""
    if contract.labels and len(contract.labels) != classes:
        raise ModelSignatureMismatch(
            f"the model scores {classes} classes, but has {len(contract.labels)} labels",
            uri=contract.name,
            hint="Give one label for each class, in the order of the class ids.",
        )


def to_corners(boxes: Floats, kind: str, coordinates: str, size: tuple[int, int]) -> Floats:
    """(M, 4) boxes as a model gives them -> (x_min, y_min, x_max, y_max) in input pixels.

    Args:
        boxes: one of BOX_FORMATS, in one of COORDINATES.
        kind: which format.
        coordinates: whether they count pixels or shares of the input.
        size: (width, height) of the input.
    """
    if kind == "cxcywh":
        boxes = corners(boxes[:, :2], boxes[:, 2:])
    elif kind == "yxyx":
        boxes = boxes[:, [1, 0, 3, 2]]
    return boxes * np.array(size * 2, np.float32) if coordinates == "normalised" else boxes


def by_frame(
    found: Candidates, boxes: Floats, count: int, selection: Selection, size: tuple[int, int]
) -> list[Detections]:
    """Suppression, frame by frame.

    Args:
        found: M candidates.
        boxes: (M, 4) corners in input pixels.
        count: of the frames.
        selection: what of them stays.
        size: (width, height) of the input.
    """
    # Candidates ascend by frame, so each frame's are one slice.
    ends = np.searchsorted(found.frames, np.arange(count + 1))
    return [
        selection.finish(boxes[start:end], found.scores[start:end], found.class_ids[start:end], size)
        for start, end in pairwise(ends)
    ]
