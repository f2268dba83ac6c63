"""A detector that finds the rectangles exactly: one ONNX graph of thresholds and maxima, without weights to learn."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

LABELS = ("white", "red", "green", "blue")
_COLOURS = ((1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))
_LEAST = 0.62
"""How near each channel of a pixel must come to the colour's: grey is 0.35, and half a pixel of grey does not count."""
_SCORE = 0.9
_OPSET = 17


def finder() -> ModelProto:
    """(n, 3, h, w) RGB from 0 to 1 in; out (n, 4, 6): corners in pixels, score and class of each colour's rectangle.

    The score of a colour that a picture does not show is 0.
    """
    count = len(_COLOURS)
    nodes = [
        # For each channel and colour: the channel where the colour has it, one minus the channel where not.
        helper.make_node("Conv", ["images", "signs", "offsets"], ["nearness"]),
        helper.make_node("Split", ["nearness"], ["red", "green", "blue"], axis=1),
        helper.make_node("Min", ["red", "green", "blue"], ["least"]),
        helper.make_node("Greater", ["least", "threshold"], ["is_colour"]),
        helper.make_node("Cast", ["is_colour"], ["mask"], to=TensorProto.FLOAT),
        *_extent("mask", "x", over_axis=2),
        *_extent("mask", "y", over_axis=3),
        helper.make_node("ReduceMax", ["columns_x"], ["any"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["any", "score"], ["scores"]),
        helper.make_node("Mul", ["any", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "classes"], ["ids"]),
        helper.make_node("Concat", ["x_min", "y_min", "x_max", "y_max", "scores", "ids"], ["output0"], axis=2),
    ]
    bits = np.array(_COLOURS, np.float32).T  # by channel, then by colour
    signs = np.zeros((3 * count, 3), np.float32)
    signs[np.arange(3 * count), np.repeat(np.arange(3), count)] = 2 * bits.ravel() - 1
    weights = {
        "signs": signs[:, :, None, None],
        "offsets": 1 - bits.ravel(),
        "threshold": np.array(_LEAST, np.float32),
        "score": np.array(_SCORE, np.float32),
        "zero": np.array(0, np.float32),
        "one": np.array(1, np.float32),
        "classes": np.arange(count, dtype=np.float32)[None, :, None],
    }
    graph = helper.make_graph(
        nodes,
        "rectangle_finder",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", count, 6])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=8)
    checker.check_model(model)
    return model


def _extent(mask: str, axis: str, *, over_axis: int) -> list[NodeProto]:
    """Nodes for the first marked place along an axis, and the one behind the last: (n, colours, 1) each."""
    places = f"columns_{axis}"
    return [
        helper.make_node("ReduceMax", [mask], [places], axes=[over_axis], keepdims=0),
        helper.make_node("ArgMax", [places], [f"{axis}_first"], axis=2, keepdims=1),
        helper.make_node("ArgMax", [places], [f"{axis}_last"], axis=2, keepdims=1, select_last_index=1),
        helper.make_node("Cast", [f"{axis}_first"], [f"{axis}_min"], to=TensorProto.FLOAT),
        helper.make_node("Cast", [f"{axis}_last"], [f"{axis}_end"], to=TensorProto.FLOAT),
        helper.make_node("Add", [f"{axis}_end", "one"], [f"{axis}_max"]),
    ]
