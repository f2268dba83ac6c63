"""ONNX files with weights beside them: large models keep tensors in files of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto

from videojob.errors import ModelLoadFailed, ModelNotFound
from videojob.local.models.graph import free_unknown_axes, subgraphs


def load_graph(path: Path) -> ModelProto:
    """The graph, with weights that lie in other files left there.

    Raises:
        ModelNotFound: no such file.
        ModelLoadFailed: it is no ONNX file.
    """
    if not path.is_file():
        raise ModelNotFound("there is no such file", uri=str(path), hint="Give the path of an .onnx file.")
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ModelLoadFailed(
            "this is not an ONNX file", uri=str(path), hint="Export the model to ONNX first."
        ) from error
    if not model.graph.node:
        raise ModelLoadFailed(
            "the ONNX file has no nodes", uri=str(path), hint="It is empty or cut off: export the model again."
        )
    free_unknown_axes(model.graph)
    return model


def copy_weights(model: ModelProto, source: Path, target: Path) -> None:
    """Copies the files that hold the model's weights, if there are any.

    Args:
        model: as `load_graph` gives it.
        source: folder of the model's file; weights lie in it or below.
        target: folder that the model will lie in.

    Raises:
        ModelLoadFailed: a file is missing, or lies outside of `source`.
    """
    locations = {
        entry.value
        for tensor in _tensors(model.graph)
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for location in sorted(locations):
        relative = PurePosixPath(location)
        if relative.is_absolute() or ".." in relative.parts:
            raise ModelLoadFailed(
                f"the model wants weights from {location!r}, outside of its own folder", uri=str(source)
            )
        if not (source / relative).is_file():
            raise ModelLoadFailed(
                f"the model's weights {location!r} are missing",
                uri=str(source),
                hint="They belong beside the .onnx file: copy both.",
            )
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / relative, target / relative)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
        for inner in subgraphs(node):
            yield from _tensors(inner)
