"""Small ONNX graphs with known answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

OPSET = 17
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GraphInput:
    """The picture input of a test graph; axes may be names of free axes."""

    name: str = "images"
    dtype: int = TensorProto.FLOAT
    layout: str = "NCHW"
    batch: int | str = "batch"
    height: int | str = 64
    width: int | str = 64
    channels: int = 3

    @property
    def shape(self) -> list[int | str]:
        """Axes in the layout's order."""
        if self.layout == "NCHW":
            return [self.batch, self.channels, self.height, self.width]
        return [self.batch, self.height, self.width, self.channels]


def answering(
    outputs: Mapping[str, Floats], picture: GraphInput | None = None, *, first_pixel: str | None = None
) -> ModelProto:
    """A graph that answers the same for every picture.

    Args:
        outputs: by name, without the batch axis; each picture of a batch gets them.
        picture: the input.
        first_pixel: name of one more output (n, 3): the first pixel's channels, as the network sees them.
    """
    picture = picture or GraphInput()
    nodes = [
        helper.make_node("Shape", [picture.name], ["n"], start=0, end=1),
        # What a constant answer needs of the picture: nothing, times zero.
        helper.make_node("Cast", [picture.name], ["values"], to=TensorProto.FLOAT),
    ]
    weights, values = [], []
    for name, answer in outputs.items():
        weights += [
            numpy_helper.from_array(answer[None].astype(np.float32), f"{name}_answer"),
            numpy_helper.from_array(np.array(answer.shape, np.int64), f"{name}_shape"),
        ]
        nodes += [
            helper.make_node("Concat", ["n", f"{name}_shape"], [f"{name}_full"], axis=0),
            helper.make_node("Expand", [f"{name}_answer", f"{name}_full"], [name]),
        ]
        values.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [picture.batch, *answer.shape]))
    if first_pixel is not None:
        axes, squeezed = ([2, 3], [2, 3]) if picture.layout == "NCHW" else ([1, 2], [1, 2])
        weights += [
            numpy_helper.from_array(np.zeros(2, np.int64), "start"),
            numpy_helper.from_array(np.ones(2, np.int64), "end"),
            numpy_helper.from_array(np.array(axes, np.int64), "axes"),
            numpy_helper.from_array(np.array(squeezed, np.int64), "squeezed"),
        ]
        nodes += [
            helper.make_node("Slice", ["values", "start", "end", "axes"], ["corner"]),
            helper.make_node("Squeeze", ["corner", "squeezed"], [first_pixel]),
        ]
        values.append(helper.make_tensor_value_info(first_pixel, TensorProto.FLOAT, [picture.batch, 3]))
    graph = helper.make_graph(
        nodes, "answering", [helper.make_tensor_value_info(picture.name, picture.dtype, picture.shape)], values, weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    checker.check_model(model, full_check=True)
    return model
