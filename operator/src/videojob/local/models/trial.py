"""Tries a model out: one batch of noise through ONNX Runtime and its decoder, every promise of its config checked."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videojob.adapters.triton.model_repository import RepositoryModel, onnx_files
from videojob.errors import InvalidModelOutput, ModelLoadFailed, ModelSignatureMismatch
from videojob.local.models.runtime import OnnxRun
from videojob.vision.decoders import create_decoder
from videojob.vision.geometry import fit
from videojob.vision.prepare import prepare
from videojob.vision.tensors import ModelContract

_THRESHOLD = 0.01
"""Low, so that noise gets as far as the last step."""

_TRIAL_BATCH = 2
_EXAMPLE_SIZE = (1280, 720)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came out.

    Attributes:
        width, height: of the frames that went in.
        boxes: found in noise, at a very low threshold; says only that the decoder can read the tensors.
        frame_ms: milliseconds per frame on one core of this machine.
    """

    width: int
    height: int
    boxes: int
    frame_ms: float


def try_out(model: RepositoryModel) -> Trial:
    """Runs the newest version of a model once.

    Raises:
        ModelLoadFailed: ONNX Runtime refuses it.
        ModelSignatureMismatch: outputs are not as config.pbtxt or the labels say.
        InvalidModelOutput: outputs hold NaN, or the decoder cannot read them.
    """
    contract = model.contract()
    decoder = create_decoder(contract)
    network = OnnxRun(weights_path(model))
    frames = noise(contract, min(_TRIAL_BATCH, contract.max_batch) or 1)
    network.run({contract.pixels.name: prepare(frames, contract.pixels)})  # the first run also plans memory
    start_s = time.perf_counter()
    outputs = network.run({contract.pixels.name: prepare(frames, contract.pixels)})
    frame_ms = (time.perf_counter() - start_s) * 1000 / len(frames)
    check_outputs(model, outputs, len(frames))
    height, width = frames.shape[1:3]
    found = decoder.decode({name: outputs[name] for name in contract.outputs}, width, height, _THRESHOLD)
    if len(found) != len(frames):
        raise InvalidModelOutput(f"{len(frames)} frames gave results for {len(found)}", uri=contract.name)
    return Trial(width, height, sum(map(len, found)), frame_ms)


def weights_path(model: RepositoryModel) -> Path:
    """The ONNX file of a model's newest version.

    Raises:
        ModelLoadFailed: there is none.
    """
    files = onnx_files(model)
    return files[max(files)]


def noise(contract: ModelContract, count: int) -> NDArray[np.uint8]:
    """(count, height, width, 3) random frames in the size that a 720p video would get, always the same ones."""
    geometry = fit(*_EXAMPLE_SIZE, contract.pixels)
    return np.random.default_rng(0).integers(0, 256, (count, geometry.height, geometry.width, 3), dtype=np.uint8)


def check_outputs(model: RepositoryModel, outputs: dict[str, NDArray[np.generic]], count: int) -> None:
    """Compares what a run of `count` frames gave with the config's outputs.

    Raises:
        ModelSignatureMismatch: a name, type or axis differs.
    """
    for declared in model.config.get("output", ()):
        name = str(declared["name"])
        if name not in outputs:
            raise ModelSignatureMismatch(
                f"config.pbtxt declares the output {name!r}, the graph gives {', '.join(outputs)}", uri=model.name
            )
        dims = [int(dim) for dim in declared["dims"]]
        expected = dims if int(model.config.get("max_batch_size", 0)) == 0 else [count, *dims]
        _check_shape(model.name, name, expected, outputs[name].shape)
        dtype = str(declared["data_type"]).removeprefix("TYPE_")
        if triton_type(outputs[name].dtype) != dtype:
            raise ModelSignatureMismatch(
                f"the output {name!r} has type {triton_type(outputs[name].dtype)}, config.pbtxt says {dtype}",
                uri=model.name,
            )


def _check_shape(model: str, name: str, expected: Sequence[int], shape: tuple[int, ...]) -> None:
    fits = len(shape) == len(expected) and all(want in {-1, got} for want, got in zip(expected, shape, strict=True))
    if not fits:
        raise ModelSignatureMismatch(
            f"the output {name!r} has shape {list(shape)}, config.pbtxt says {list(expected)}",
            uri=model,
            hint="-1 stands for any length.",
        )


def triton_type(dtype: np.dtype[Any]) -> str:
    """Triton's word for a numpy type.

    Raises:
        ModelLoadFailed: a type that no decoder reads.
    """
    words = {
        "float32": "FP32",
        "float16": "FP16",
        "float64": "FP64",
        "uint8": "UINT8",
        "int32": "INT32",
        "int64": "INT64",
    }
    if dtype.name not in words:
        raise ModelLoadFailed(f"outputs of type {dtype.name} cannot be decoded")
    return words[dtype.name]
