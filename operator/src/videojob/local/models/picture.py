"""A graph's picture input: what it is, and how decoded frames are led into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from videojob.errors import ModelSignatureMismatch
from videojob.local.models.graph import constant_weights, frames_input, inputs_of, prepend, reads, shape_of

Layout = Literal["NHWC", "NCHW"]

DTYPES: dict[int, str] = {TensorProto.UINT8: "UINT8", TensorProto.FLOAT: "FP32", TensorProto.FLOAT16: "FP16"}
"""ONNX's type -> Triton's word, for inputs that frames can be turned into."""

_OLDEST_OPSET = 7
"""Older operators do not broadcast as the nodes added here need it."""
_TO_NCHW = [0, 3, 1, 2]


@dataclass(frozen=True, slots=True)
class PictureInput:
    """The only input of a vision model.

    Attributes:
        name, dtype, layout: of the tensor; dtype is Triton's word.
        batch: fixed number of frames; None when it is free.
        width, height: in pixels; 0 when free.
    """

    name: str
    dtype: str
    layout: Layout
    batch: int | None
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Normalisation:
    """`(pixel / scale - mean) / std`, per channel."""

    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @property
    def changes_nothing(self) -> bool:
        """Whether pixels stay as they are."""
        return self == Normalisation()


def picture_input(graph: GraphProto, layout: Layout | None = None) -> PictureInput:
    """Finds out how a graph takes pictures.

    Args:
        graph: of the model.
        layout: what to believe when the axes do not tell.

    Raises:
        ModelSignatureMismatch: it does not take one batch of colour pictures; says what it takes instead.
    """
    inputs = inputs_of(graph)
    if len(inputs) != 1:
        names = ", ".join(f"{value.name} {shape_of(value)}" for value in inputs) or "none"
        raise ModelSignatureMismatch(
            f"the graph has {len(inputs)} inputs ({names})",
            hint="A model for video takes one: the frames. Export it without further inputs.",
        )
    value = inputs[0]
    dtype = DTYPES.get(value.type.tensor_type.elem_type)
    if dtype is None:
        found = TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        raise ModelSignatureMismatch(
            f"the input {value.name!r} has type {found}", hint="It must be UINT8, FLOAT or FLOAT16."
        )
    shape = shape_of(value)
    found_layout = _layout(value, shape, layout)
    batch, height, width = (shape[axis] for axis in ((0, 1, 2) if found_layout == "NHWC" else (0, 2, 3)))
    if isinstance(height, int) != isinstance(width, int):
        raise ModelSignatureMismatch(
            f"the input {value.name!r} has axes {shape}: one side is fixed, the other free",
            hint="Export it with height and width both fixed or both free.",
        )
    return PictureInput(
        name=value.name,
        dtype=dtype,
        layout=found_layout,
        batch=batch if isinstance(batch, int) else None,
        width=width if isinstance(width, int) else 0,
        height=height if isinstance(height, int) else 0,
    )


def _layout(value: ValueInfoProto, shape: list[int | str], layout: Layout | None) -> Layout:
    if len(shape) != 4:
        raise ModelSignatureMismatch(
            f"the input {value.name!r} has {len(shape)} axes {shape}",
            hint="It must have four: batch, channels, height and width, or batch, height, width and channels.",
        )
    channels = {"NCHW": shape[1], "NHWC": shape[3]}
    if layout is not None:
        fits = [layout] if channels[layout] == 3 or isinstance(channels[layout], str) else []
    else:
        fits = [name for name in ("NCHW", "NHWC") if channels[name] == 3]
    if len(fits) != 1:
        raise ModelSignatureMismatch(
            f"the input {value.name!r} has axes {shape}: "
            + ("both the second and the last may be the colours" if fits else "none of them holds the 3 colours"),
            hint="Say which with --layout NCHW or NHWC." if fits or layout is None else "Check --layout.",
        )
    return "NCHW" if fits[0] == "NCHW" else "NHWC"


def lead_frames_in(model: ModelProto, picture: PictureInput, normalisation: Normalisation) -> str:
    """Makes a graph take decoded frames, (batch, height, width, 3) uint8, and normalise them itself.

    One byte per channel then crosses the wire, a quarter of what floats need, and no client has to know how the
    model was trained.

    Args:
        model: changed in place.
        picture: its input now.
        normalisation: what it expects.

    Returns:
        The name of the new input; the old one's when nothing had to be added.
    """
    constant_weights(model)
    if picture.dtype == "UINT8" and picture.layout == "NHWC":
        return picture.name
    version = max((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), default=0)
    if version < _OLDEST_OPSET:
        raise ModelSignatureMismatch(
            f"the graph uses operators of version {version}", hint=f"Export it with opset {_OLDEST_OPSET} or newer."
        )
    name = _free_name(model.graph)
    if picture.dtype == "UINT8":
        casts = _only_casts(model.graph, picture.name)
        if casts:
            _cast_first(model.graph, casts, picture, name)
            return name
    nodes, weights = _steps(name, picture, normalisation)
    model.graph.initializer.extend(weights)
    prepend(
        model.graph,
        nodes,
        frames_input(name, picture.batch or "batch", picture.height or "height", picture.width or "width"),
    )
    return name


def _steps(name: str, picture: PictureInput, normalisation: Normalisation) -> tuple[list[NodeProto], list[TensorProto]]:
    """Nodes from `name` to the picture's old name, and the numbers that they need."""
    steps: list[tuple[str, list[str], dict[str, Any]]] = []
    weights: list[TensorProto] = []
    if picture.dtype != "UINT8":
        steps.append(("Cast", [], {"to": TensorProto.FLOAT}))
        if not normalisation.changes_nothing:
            std = np.array(normalisation.std)
            factor, shift = 1 / (normalisation.scale * std), -np.array(normalisation.mean) / std
            weights = [
                numpy_helper.from_array(factor.astype(np.float32), f"{name}/factor"),
                numpy_helper.from_array(shift.astype(np.float32), f"{name}/shift"),
            ]
            steps += [("Mul", [weights[0].name], {}), ("Add", [weights[1].name], {})]
    if picture.layout == "NCHW":
        steps.append(("Transpose", [], {"perm": _TO_NCHW}))
    if picture.dtype == "FP16":
        steps.append(("Cast", [], {"to": TensorProto.FLOAT16}))
    ends = [f"{name}/{index}" for index in range(1, len(steps))] + [picture.name]
    starts = [name, *ends[:-1]]
    nodes = [
        helper.make_node(kind, [start, *others], [end], name=f"{name}/{kind}_{end}", **attributes)
        for (kind, others, attributes), start, end in zip(steps, starts, ends, strict=True)
    ]
    return nodes, weights


def _only_casts(graph: GraphProto, name: str) -> list[NodeProto]:
    """The nodes that read a tensor, when all of them are casts; else none."""
    readers = [node for node in graph.node if name in reads(node)]
    return readers if all(node.op_type == "Cast" for node in readers) else []


def _cast_first(graph: GraphProto, casts: list[NodeProto], picture: PictureInput, name: str) -> None:
    """Bytes become floats before their axes change places: TensorRT moves no axes of bytes."""
    nodes = []
    for index, cast in enumerate(casts):
        inner = f"{name}/cast_{index}"
        to = next(attribute.i for attribute in cast.attribute if attribute.name == "to")
        nodes.append(helper.make_node("Cast", [name], [inner], name=f"{name}/Cast_{index}", to=to))
        nodes.append(
            helper.make_node("Transpose", [inner], list(cast.output), name=f"{name}/Transpose_{index}", perm=_TO_NCHW)
        )
        graph.node.remove(cast)
    prepend(
        graph, nodes, frames_input(name, picture.batch or "batch", picture.height or "height", picture.width or "width")
    )


def _free_name(graph: GraphProto) -> str:
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    name = "frames"
    while name in taken:
        name += "_"
    return name
