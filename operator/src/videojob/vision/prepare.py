"""Decoded frames -> what goes on the wire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from videojob.vision.tensors import PixelInput


def prepare(frames: NDArray[np.uint8], pixels: PixelInput) -> NDArray[np.generic]:
    """Frames as the model takes them.

    Args:
        frames: (n, height, width, 3) uint8, channels already in `pixels.colour`.
        pixels: the model's input.

    Returns:
        `frames` itself, no copy, for a UINT8 NHWC model; else a new contiguous array,
        (n, height, width, 3) or (n, 3, height, width), of the model's type.
    """
    if pixels.dtype == "UINT8":
        return frames if pixels.layout == "NHWC" else np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
    # (pixel / scale - mean) / std as one multiplication and one addition per value.
    std = np.array(pixels.std, np.float64)
    factor = (1.0 / (pixels.scale * std)).astype(np.float32)
    shift = (-np.array(pixels.mean, np.float64) / std).astype(np.float32)
    source = frames
    if pixels.layout == "NCHW":
        source, factor, shift = frames.transpose(0, 3, 1, 2), factor[:, None, None], shift[:, None, None]
    values = np.empty(source.shape, np.float32)
    np.multiply(source, factor, out=values)
    values += shift
    return values.astype(np.float16) if pixels.dtype == "FP16" else values
