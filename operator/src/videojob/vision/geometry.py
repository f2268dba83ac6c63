"""Where a source picture lies in the model's input, and the way back for boxes."""

from __future__ import annotations

import math

import numpy as np

from videojob.vision.tensors import Detections, Geometry, PixelInput


def fit(source_width: int, source_height: int, pixels: PixelInput) -> Geometry:
    """Places an upright picture with square pixels in the model's input.

    The picture always fills a whole number of input pixels, and the scales are those of that whole number, so that
    `to_source` undoes exactly what the resizer does.

    Args:
        source_width: of the upright picture, in pixels.
        source_height: likewise.
        pixels: the model's input. One of any size gets its longer side scaled to `long_side`, and both sides
            rounded to the nearest multiple of `stride`.

    Raises:
        ValueError: a side of the source is not positive.
    """
    if source_width < 1 or source_height < 1:
        raise ValueError(f"a picture of {source_width} x {source_height} has no pixels")
    width, height = (pixels.width, pixels.height) if pixels.width else _free_size(source_width, source_height, pixels)
    if pixels.resize == "stretch":
        inner_width, inner_height = width, height
    else:
        scale = min(width / source_width, height / source_height)
        inner_width = min(width, max(1, _round_half_up(source_width * scale)))
        inner_height = min(height, max(1, _round_half_up(source_height * scale)))
    return Geometry(
        source_width=source_width,
        source_height=source_height,
        width=width,
        height=height,
        scale_x=inner_width / source_width,
        scale_y=inner_height / source_height,
        pad_x=(width - inner_width) // 2,
        pad_y=(height - inner_height) // 2,
    )


def to_source(detections: Detections, geometry: Geometry) -> Detections:
    """Boxes in input pixels -> the same boxes in upright source pixels, clipped to the picture.

    A box that lies in the padding alone is dropped: nothing of the picture is in it.
    """
    if not len(detections):
        return detections
    scale = np.array([geometry.scale_x, geometry.scale_y] * 2)
    pad = np.array([geometry.pad_x, geometry.pad_y] * 2, dtype=np.float64)
    limit = np.array([geometry.source_width, geometry.source_height] * 2, dtype=np.float64)
    boxes = np.clip((detections.boxes - pad) / scale, 0.0, limit).astype(np.float32)
    inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    tracks = detections.track_ids
    return Detections(
        boxes=boxes[inside],
        scores=detections.scores[inside],
        class_ids=detections.class_ids[inside],
        track_ids=None if tracks is None else tracks[inside],
    )


def to_input(detections: Detections, geometry: Geometry) -> Detections:
    """Boxes in upright source pixels -> the same boxes in input pixels; `to_source` undone."""
    scale = np.array([geometry.scale_x, geometry.scale_y] * 2)
    pad = np.array([geometry.pad_x, geometry.pad_y] * 2, dtype=np.float64)
    boxes = (detections.boxes * scale + pad).astype(np.float32)
    return Detections(boxes, detections.scores, detections.class_ids, detections.track_ids)


def _free_size(source_width: int, source_height: int, pixels: PixelInput) -> tuple[int, int]:
    scale = pixels.long_side / max(source_width, source_height)
    return (
        pixels.stride * max(1, _round_half_up(source_width * scale / pixels.stride)),
        pixels.stride * max(1, _round_half_up(source_height * scale / pixels.stride)),
    )


def _round_half_up(value: float) -> int:
    """Nearest whole number; the built-in `round` would take 8.5 down and 9.5 up."""
    return math.floor(value + 0.5)
