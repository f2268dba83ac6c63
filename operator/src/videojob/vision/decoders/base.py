"""What a box decoder is, and what the built-in ones share: options, shape checks, the last steps to `Detections`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob.errors import InvalidModelOutput, ModelSignatureMismatch
from videojob.vision.boxes import Floats, Ints, best_first, suppress
from videojob.vision.tensors import Detections, ModelContract

Outputs = Mapping[str, NDArray[np.generic]]
"""Tensors by name, each with the frames on its first axis."""


class BoxDecoder(Protocol):
    """Turns one reply's tensors into boxes. Pure: the same tensors give the same boxes, bit by bit."""

    def decode(self, outputs: Outputs, input_width: int, input_height: int, threshold: float) -> list[Detections]:
        """Boxes of each frame.

        Args:
            outputs: the tensors that the contract asks for, each (n, ...).
            input_width: of the frames that went in, in pixels.
            input_height: likewise.
            threshold: 0..1; boxes that score lower are left out.

        Returns:
            n Detections, boxes in input pixels, best first.

        Raises:
            InvalidModelOutput: a tensor has NaN, infinities or a shape that does not fit the input.
        """
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The last steps that detectors share.

    Attributes:
        iou: boxes of one class that overlap a better one by more are dropped; 1 keeps all.
        max_candidates: only so many best boxes of a frame enter the suppression.
        max_boxes: only so many best boxes of a frame leave it.
    """

    iou: float
    max_candidates: int = 1024
    max_boxes: int = 300

    def finish(self, boxes: Floats, scores: Floats, class_ids: Ints, size: tuple[int, int]) -> Detections:
        """One frame's candidates -> its detections: clipped to `size` (width, height), suppressed, best first."""
        if not len(scores):
            return Detections.empty()
        if len(scores) > self.max_candidates:
            best = np.argpartition(-scores, self.max_candidates)[: self.max_candidates]
            boxes, scores, class_ids = boxes[best], scores[best], class_ids[best]
        order = best_first(boxes, scores, class_ids)
        boxes, scores, class_ids = boxes[order], scores[order], class_ids[order]
        if self.iou < 1:
            keep = suppress(boxes, class_ids, self.iou)
            boxes, scores, class_ids = boxes[keep], scores[keep], class_ids[keep]
        limit = np.array([size[0], size[1]] * 2, np.float32)
        return Detections(
            boxes=np.clip(boxes[: self.max_boxes], 0, limit),
            scores=as_scores(scores[: self.max_boxes]),
            class_ids=class_ids[: self.max_boxes],
        )


class DecoderOptions:
    """Reads `contract.decoder_options`; call `refuse_others` after the last one is read.

    Args:
        contract: of the model to decode.
    """

    def __init__(self, contract: ModelContract) -> None:
        self._contract = contract
        self._read: set[str] = set()

    def mismatch(self, message: str, right: str) -> ModelSignatureMismatch:
        """The error to raise when contract and decoder do not fit."""
        return ModelSignatureMismatch(message, uri=self._contract.name, hint=right)

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """The option as a number from `low` to `high`."""
        text = self._text(key)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if not low <= value <= high:
            raise self.mismatch(f"decoder_{key} is {text!r}", f"It must be a number from {low:g} to {high:g}.")
        return value

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """The option as a whole number from `low` to `high`."""
        value = self.number(key, default, low, high)
        if value != int(value):
            raise self.mismatch(f"decoder_{key} is {value:g}", "It must be a whole number.")
        return int(value)

    def integers(self, key: str, default: tuple[int, ...], low: int, high: int) -> tuple[int, ...]:
        """The option as whole numbers from `low` to `high`, with commas between them."""
        text = self._text(key)
        if text is None:
            return default
        parts = [part.strip() for part in text.split(",")]
        if not all(part.isascii() and part.isdigit() and low <= int(part) <= high for part in parts):
            raise self.mismatch(
                f"decoder_{key} is {text!r}", f"It must be whole numbers from {low} to {high}, with commas."
            )
        return tuple(int(part) for part in parts)

    def word(self, key: str, default: str, allowed: tuple[str, ...]) -> str:
        """The option as one of some words."""
        text = self._text(key)
        if text is None:
            return default
        if text not in allowed:
            raise self.mismatch(f"decoder_{key} is {text!r}", f"It must be one of {', '.join(allowed)}.")
        return text

    def selection(self, iou: float) -> Selection:
        """The options `iou`, `max_candidates` and `max_boxes`."""
        return Selection(
            iou=self.number("iou", iou, 0, 1),
            max_candidates=self.integer("max_candidates", 1024, 1, 4096),
            max_boxes=self.integer("max_boxes", 300, 1, 4096),
        )

    def outputs(self, *roles: str) -> tuple[str, ...]:
        """The contract's outputs, one for each role in this order."""
        names = self._contract.outputs
        if len(names) != len(roles):
            raise self.mismatch(
                f"the decoder {self._contract.decoder!r} reads {len(roles)} outputs ({', '.join(roles)}), "
                f"the model gives {len(names)} ({', '.join(names)})",
                "Name them in this order in the parameter 'outputs', with commas.",
            )
        return names

    def refuse_others(self) -> None:
        """Raises when an option was given that nobody read: it would have no effect."""
        others = sorted(set(self._contract.decoder_options) - self._read)
        if others:
            raise self.mismatch(
                f"the decoder {self._contract.decoder!r} has no option decoder_{others[0]}",
                f"Its options are: {', '.join(f'decoder_{key}' for key in sorted(self._read)) or 'none'}.",
            )

    def _text(self, key: str) -> str | None:
        self._read.add(key)
        return self._contract.decoder_options.get(key)


def as_scores(values: Floats) -> Floats:
    """Scores as they leave a decoder: exactly 0..1, where a model's rounding put them a little outside."""
    scores: Floats = np.clip(values, 0, 1)
    return scores


def tensor(outputs: Outputs, name: str, axes: Iterable[int | None], model: str) -> Floats:
    """One output as float32, its shape checked.

    Args:
        outputs: the reply.
        name: of the output.
        axes: expected length of each axis, the frames' included; None for any.
        model: its name, for messages.

    Raises:
        InvalidModelOutput: the output is absent, or its shape differs.
    """
    if name not in outputs:
        raise InvalidModelOutput(f"the model did not answer with the output {name!r}", uri=model)
    values = outputs[name]
    expected = tuple(axes)
    if len(values.shape) != len(expected) or any(
        axis is not None and axis != got for axis, got in zip(expected, values.shape, strict=True)
    ):
        shape_text = ", ".join("any" if axis is None else str(axis) for axis in expected)
        raise InvalidModelOutput(
            f"the output {name!r} has shape {values.shape}, its decoder expects ({shape_text})", uri=model
        )
    return values.astype(np.float32, copy=False)


def refuse_not_finite(values: Floats, name: str, model: str) -> None:
    """Raises InvalidModelOutput when NaN or infinity is among `values`.

    Unchecked, NaN would pass for "nothing found": it compares as false with every threshold.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        # One pass and no mask in memory; NaN and infinity both survive a sum.
        total = values.sum()
    if not np.isfinite(total):
        raise InvalidModelOutput(f"the output {name!r} holds NaN or infinity", uri=model)
