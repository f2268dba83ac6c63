from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from videojob.vision.prepare import prepare
from videojob.vision.tensors import PixelInput

RAW = PixelInput(name="frames", dtype="UINT8", layout="NHWC", colour="RGB")
IMAGENET = replace(RAW, dtype="FP32", layout="NCHW", scale=255.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)


def test_raw_frames_go_on_the_wire_without_a_copy(frames: NDArray[np.uint8]) -> None:
    assert prepare(frames, RAW) is frames


def test_planar_bytes_are_contiguous(frames: NDArray[np.uint8]) -> None:
    wire = prepare(frames, replace(RAW, layout="NCHW"))
    assert wire.dtype == np.uint8
    assert wire.flags.c_contiguous
    assert np.array_equal(wire, frames.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(("dtype", "tolerance"), [("FP32", 1e-6), ("FP16", 2e-3)])
def test_floats_are_normalised_per_channel(
    frames: NDArray[np.uint8], layout: str, dtype: str, tolerance: float
) -> None:
    pixels = replace(IMAGENET, layout="NCHW" if layout == "NCHW" else "NHWC", dtype=dtype)
    wire = prepare(frames, pixels)
    expected = (frames / 255.0 - np.array(pixels.mean)) / np.array(pixels.std)
    if layout == "NCHW":
        expected = expected.transpose(0, 3, 1, 2)
    assert wire.dtype == (np.float32 if dtype == "FP32" else np.float16)
    assert wire.flags.c_contiguous
    assert wire.shape == expected.shape
    assert wire == pytest.approx(expected, abs=tolerance)
