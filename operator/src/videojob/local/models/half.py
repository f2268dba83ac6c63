"""The same network in half precision, for engines that take their precision from the graph.

From release 11 on TensorRT has no switch for it: a graph of 32-bit floats is computed in 32 bits, at half the speed or
less. So the graph itself is cast, by ONNX Runtime's own converter: bytes go in and 32-bit floats come out as before,
and everything between is FP16.

A CPU cannot show what that does to the numbers: ONNX Runtime computes such a graph there in 32 bits, and leaves out the
roundings between its nodes. So `rounded` makes them explicit: the same graph in 32 bits, in which each weight and each
result of a node is rounded to FP16 and back. What leaves FP16's range becomes infinite there, as it would on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from videojob.adapters.triton.model_repository import half_path
from videojob.errors import ModelLoadFailed
from videojob.local.models.graph import inputs_of, reads
from videojob.local.models.runtime import OnnxRun

Outputs = Mapping[str, NDArray[np.generic]]

_MOST_BYTES = 2**31 - 1
"""Larger models cannot be held in one message of protobuf, which the converter works on."""
_TOLERANCE = 0.01
"""Mean difference of an output between both precisions, as a part of the range of its values."""


@dataclass(frozen=True, slots=True)
class Half:
    """What became of the network in half precision.

    Attributes:
        written: it lies beside the weights; without it the model cannot be served by TensorRT.
        note: why it is not there, or what a person should compare before using it; "" when all is well.
    """

    written: bool
    note: str


def write_half(weights: Path, frames: NDArray[np.uint8]) -> Half:
    """Writes the network in half precision beside its weights, where that is possible.

    Args:
        weights: the ONNX file, which takes frames as bytes; what lies beside it belongs to it.
        frames: (batch, height, width, 3), to compare both precisions with.
    """
    path = half_path(weights)
    if sum(other.stat().st_size for other in weights.parent.rglob("*") if other.is_file()) > _MOST_BYTES:
        return Half(False, "the weights take more than 2 GiB")
    model = onnx.load(weights)
    unfit = _unfit(model)
    if unfit:
        return Half(False, unfit)
    name = inputs_of(model.graph)[0].name
    expected = OnnxRun(weights).run({name: frames})
    try:
        path.write_bytes(half_precision(model).SerializeToString(deterministic=True))
        OnnxRun(path).run({name: frames})
        found = OnnxRun(rounded(model).SerializeToString()).run({name: frames})
        _check_range(expected, found)
    except ModelLoadFailed as error:
        path.unlink(missing_ok=True)
        return Half(False, error.message)
    return Half(True, _difference(expected, found))


def half_precision(model: ModelProto) -> ModelProto:
    """The network in half precision, inputs and outputs as they were.

    Args:
        model: with its weights loaded; it is left as it is.

    Raises:
        ModelLoadFailed: the converter does not know what to do with it.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    try:
        half: ModelProto = convert_float_to_float16(copy, keep_io_types=True)
        _sort(half)
        onnx.checker.check_model(half, full_check=True)
    except (ValueError, TypeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        words = " ".join(str(error).split())  # the checker's are several lines
        raise ModelLoadFailed(f"the graph cannot be cast to half precision: {words}") from error
    return half


def _sort(half: ModelProto) -> None:
    """Puts the casts that the converter appends around operators without a half form where their order has them.

    Graphs inside of nodes read values that no list of inputs names: with them the order is left as it is.
    """
    if not any(attribute.HasField("g") for node in half.graph.node for attribute in node.attribute):
        OnnxModel.graph_topological_sort(half.graph)


def rounded(model: ModelProto) -> ModelProto:
    """The network in 32 bits with every weight and every node's result rounded to half precision.

    Args:
        model: with its weights loaded; it is left as it is. Graphs inside of nodes stay in full precision.
    """
    copy: ModelProto = onnx.shape_inference.infer_shapes(model)
    graph = copy.graph
    floats = {
        value.name
        for value in (*graph.value_info, *graph.output)
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    for weights in graph.initializer:
        if weights.data_type == TensorProto.FLOAT:
            with np.errstate(over="ignore"):
                values = numpy_helper.to_array(weights).astype(np.float16).astype(np.float32)
            weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    nodes = []
    for node in graph.node:
        nodes.append(node)
        for at, name in enumerate(node.output):
            if name in floats:
                full, half = f"{name}/full", f"{name}/half"
                node.output[at] = full
                nodes.append(helper.make_node("Cast", [full], [half], to=TensorProto.FLOAT16))
                nodes.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    return copy


def _unfit(model: ModelProto) -> str:
    """Why TensorRT would not take the graph as a whole; "" when nothing speaks against it."""
    (frames,) = inputs_of(model.graph)
    others = sorted({node.op_type for node in model.graph.node if frames.name in reads(node)} - {"Cast"})
    # TensorRT takes bytes as input only to cast them. It would cut the graph behind the node, where the shapes that
    # are rendered for the input mean nothing.
    return f"the graph does not cast its bytes first, but leads them into {', '.join(others)}" if others else ""


def _check_range(expected: Outputs, found: Outputs) -> None:
    for name, values in expected.items():
        if np.isfinite(values).all() and not np.isfinite(found[name]).all():
            raise ModelLoadFailed(f"the output {name!r} leaves the range of half precision")


def _difference(expected: Outputs, found: Outputs) -> str:
    """The first output that differs by more than rounding explains; "" when none does."""
    for name, values in expected.items():
        full, half = values.astype(np.float64), found[name].astype(np.float64)
        if full.shape != half.shape:
            return f"the output {name!r} has {len(half)} rows in half precision, {len(full)} in full"
        span = float(np.ptp(full)) if full.size else 0.0
        part = float(np.abs(full - half).mean()) / span if span else 0.0
        if part > _TOLERANCE:
            return f"the output {name!r} differs by {part:.1%} of its range in half precision"
    return ""
