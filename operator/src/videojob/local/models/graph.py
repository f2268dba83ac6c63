"""Surgery on ONNX graphs: free axes, pixels in as they are decoded. Nothing here computes other numbers than before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

IR_VERSION = 8
"""Old enough for every Triton release of this decade, new enough for initializers that are no inputs."""


def inputs_of(graph: GraphProto) -> list[ValueInfoProto]:
    """The real inputs: older files list their weights among them."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def shape_of(value: ValueInfoProto) -> list[int | str]:
    """Axis lengths; a free axis has its name, or "?"."""
    return [
        dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in value.type.tensor_type.shape.dim
    ]


def free_unknown_axes(graph: GraphProto) -> None:
    """Takes away lengths that are none: some exporters write -1 or 0 for a free axis."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value < 1:
                dim.ClearField("dim_value")


def constant_weights(model: ModelProto) -> None:
    """Takes the weights off the list of inputs: as inputs they could be overridden, so nothing could be fused."""
    keep = inputs_of(model.graph)
    del model.graph.input[:]
    model.graph.input.extend(keep)
    model.ir_version = max(model.ir_version, IR_VERSION)


def declare(values: Sequence[ValueInfoProto], shapes: Mapping[str, Sequence[int | str]]) -> None:
    """Gives the named values new shapes; a string is the name of a free axis."""
    for value in values:
        if value.name in shapes:
            axes = value.type.tensor_type.shape
            axes.SetInParent()
            axes.ClearField("dim")
            for length in shapes[value.name]:
                axis = axes.dim.add()
                if isinstance(length, int):
                    axis.dim_value = length
                else:
                    axis.dim_param = length


def rename_outputs(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Renames tensors and reduces the graph's outputs to them, in this order."""
    for node in graph.node:
        for slots in (node.input, node.output):
            for index, name in enumerate(slots):
                if name in names:
                    slots[index] = names[name]
    outputs = {value.name: value for value in graph.output}
    del graph.output[:]
    for old, new in names.items():
        value = outputs[old]
        value.name = new
        graph.output.append(value)


def drop_unused(graph: GraphProto) -> None:
    """Removes nodes and weights that no output depends on, and shapes noted in between, which may no longer hold."""
    needed = {value.name for value in graph.output}
    kept: list[NodeProto] = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed |= reads(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)


def free_reshapes(graph: GraphProto) -> None:
    """Lets Reshape nodes that write a batch of 1 take the batch as it comes: 0 stands for "as in the input".

    Exporters that trace one frame leave such ones behind. Whether the first axis is the batch at all cannot be seen
    from here: whoever calls this must compare what the graph gives before and after.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer} | {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    for node in graph.node:
        if node.op_type == "Reshape" and node.input[1] in constants:
            shape = constants[node.input[1]]
            lengths = numpy_helper.to_array(shape).copy()
            if lengths.ndim == 1 and len(lengths) > 1 and lengths[0] == 1:
                lengths[0] = 0
                shape.CopyFrom(numpy_helper.from_array(lengths, shape.name))


def subgraphs(node: NodeProto) -> list[GraphProto]:
    """The graphs inside a node, as an If or Loop has them."""
    return [
        graph
        for attribute in node.attribute
        for graph in ([attribute.g] if attribute.HasField("g") else list(attribute.graphs))
    ]


def reads(node: NodeProto) -> set[str]:
    """Names of the tensors that a node may read; a subgraph reads from around it by name only."""
    names = set(node.input)
    for graph in subgraphs(node):
        names.update(value.name for value in graph.output)
        for inner in graph.node:
            names |= reads(inner)
    return names


def prepend(graph: GraphProto, nodes: Sequence[NodeProto], frames: ValueInfoProto) -> None:
    """Puts nodes before all others and makes `frames` the graph's only input."""
    rest = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *rest])
    graph.input.append(frames)


def frames_input(name: str, batch: int | str, height: int | str, width: int | str) -> ValueInfoProto:
    """A (batch, height, width, 3) uint8 input."""
    return helper.make_tensor_value_info(name, TensorProto.UINT8, [batch, height, width, 3])
