"""Small ONNX graphs with known answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

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


def answering(outputs: Mapping[str, Floats], picture: GraphInput | None = None) -> ModelProto:
    """A graph that answers the same for every picture.

    Args:
        outputs: by name, without the batch axis; each picture of a batch gets them.
        picture: the input.
    """
    picture = picture or GraphInput()
    nodes = [helper.make_node("Shape", [picture.name], ["n"], start=0, end=1)]
    weights = []
    for name, answer in outputs.items():
        weights += [
            numpy_helper.from_array(answer[None].astype(np.float32), f"{name}_answer"),
            numpy_helper.from_array(np.array(answer.shape, np.int64), f"{name}_shape"),
        ]
        nodes += [
            helper.make_node("Concat", ["n", f"{name}_shape"], [f"{name}_full"], axis=0),
            helper.make_node("Expand", [f"{name}_answer", f"{name}_full"], [name]),
        ]
    return _model(nodes, picture, {name: [picture.batch, *answer.shape] for name, answer in outputs.items()}, weights)


def traced_with_one(batch: int | str = 1, *, shape_as_node: bool = False) -> ModelProto:
    """A classifier whose exporter saw one frame and wrote that into a shape: it reshapes to [1, -1]."""
    shape = numpy_helper.from_array(np.array([1, -1], np.int64), "shape")
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Reshape", ["means", "shape"], ["scores"]),
    ]
    if shape_as_node:
        nodes.insert(0, helper.make_node("Constant", [], ["shape"], value=shape))
    return _model(nodes, GraphInput(batch=batch), {"scores": [batch, 3]}, [] if shape_as_node else [shape])


def one_at_a_time() -> ModelProto:
    """A classifier that cannot take more than one frame: it drops the batch axis on the way."""
    weights = [numpy_helper.from_array(np.array([0], np.int64), "first")]
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Squeeze", ["means", "first"], ["alone"]),
        helper.make_node("Unsqueeze", ["alone", "first"], ["again"]),
        helper.make_node("Flatten", ["again"], ["scores"]),
    ]
    return _model(nodes, GraphInput(batch=1), {"scores": [1, 3]}, weights)


def mixing_frames(batch: int | str = "batch") -> ModelProto:
    """A classifier whose answer for a frame depends on the other frames of its batch."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Softmax", ["means"], ["shares"], axis=0),
        helper.make_node("Flatten", ["shares"], ["scores"]),
    ]
    return _model(nodes, GraphInput(batch=batch), {"scores": [batch, 3]}, [])


def averaging(picture: GraphInput) -> ModelProto:
    """Three scores: the mean of each colour, as the network sees it."""
    nodes = [helper.make_node("Cast", [picture.name], ["values"], to=TensorProto.FLOAT)]
    if picture.layout == "NHWC":
        nodes.append(helper.make_node("Transpose", ["values"], ["planes"], perm=[0, 3, 1, 2]))
    planes = "values" if picture.layout == "NCHW" else "planes"
    nodes += [
        helper.make_node("GlobalAveragePool", [planes], ["means"]),
        helper.make_node("Flatten", ["means"], ["scores"]),
    ]
    return _model(nodes, picture, {"scores": [picture.batch, 3]}, [])


def _model(
    nodes: list[NodeProto], picture: GraphInput, outputs: Mapping[str, list[int | str]], weights: list[TensorProto]
) -> ModelProto:
    inputs = [helper.make_tensor_value_info(picture.name, picture.dtype, picture.shape)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    graph = helper.make_graph(nodes, "test", inputs, values, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    checker.check_model(model)
    return model
