"""The network in half precision agrees with the one in full: on real frames, box by box, on a CPU that rounds as it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from support.models import built_repository
from support.samples import sample_path
from videojob.adapters.triton.model_repository import find_model, half_path
from videojob.local.models.half import half_precision, rounded, write_half
from videojob.local.models.picture import Normalisation, lead_frames_in, picture_input
from videojob.local.models.runtime import OnnxRun
from videojob.local.models.trial import weights_path
from videojob.vision.decoders import create_decoder

EVERY = 5
WIDTH, HEIGHT = 640, 288


def frames() -> NDArray[np.uint8]:
    capture = cv2.VideoCapture(str(sample_path("bikes.mp4")))
    found = []
    while (answer := capture.read())[0]:
        found.append(
            cv2.copyMakeBorder(answer[1][:HEIGHT], 0, HEIGHT - 272, 0, 0, cv2.BORDER_CONSTANT, value=(114,) * 3)
        )
    capture.release()
    return np.ascontiguousarray(np.stack(found)[::EVERY, :, :, ::-1], dtype=np.uint8)


def test_faces_are_the_same_in_half_precision() -> None:
    model = find_model(built_repository(), "face_detector")
    weights, contract = weights_path(model), model.contract()
    decoder, pictures = create_decoder(contract), frames()
    graphs = (weights.read_bytes(), rounded(onnx.load(weights)).SerializeToString())
    full, half = (decoder.decode(OnnxRun(graph).run({"frames": pictures}), WIDTH, HEIGHT, 0.3) for graph in graphs)
    assert sum(map(len, full)) >= 10, "there is something to compare"
    for one, other in zip(full, half, strict=True):
        assert len(one) == len(other)
        assert np.abs(one.boxes - other.boxes).max(initial=0) < 1.0, "pixels"
        assert np.abs(one.scores - other.scores).max(initial=0) < 0.01


def test_a_half_takes_bytes_gives_32_bit_floats_and_computes_in_16_bits() -> None:
    model = onnx.load(half_path(weights_path(find_model(built_repository(), "face_detector"))))
    assert [value.type.tensor_type.elem_type for value in model.graph.input] == [TensorProto.UINT8]
    assert {value.type.tensor_type.elem_type for value in model.graph.output} == {TensorProto.FLOAT}
    assert {tensor.data_type for tensor in model.graph.initializer} == {TensorProto.FLOAT16}


def bytes_model(*nodes: onnx.NodeProto, output: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """A graph that takes bytes, NCHW, as `pixels`, and gives `sums`."""
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("sums", output, ["n", 3, 1, 1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


CAST_FIRST = (
    helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
    helper.make_node("GlobalAveragePool", ["floats"], ["sums"]),
)
CAST_LATER = (
    helper.make_node("Identity", ["pixels"], ["same"]),
    helper.make_node("Cast", ["same"], ["floats"], to=TensorProto.FLOAT),
    helper.make_node("GlobalAveragePool", ["floats"], ["sums"]),
)
NOISE = np.random.default_rng(7).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)


def led_in(tmp_path: Path, model: onnx.ModelProto) -> tuple[Path, str]:
    name = lead_frames_in(model, picture_input(model.graph), Normalisation())
    onnx.checker.check_model(model, full_check=True)
    path = tmp_path / "1" / "model.onnx"
    path.parent.mkdir()
    path.write_bytes(model.SerializeToString())
    return path, name


def test_bytes_with_channels_first_are_cast_before_their_axes_change_places(tmp_path: Path) -> None:
    """TensorRT takes bytes only to cast them, and what is rendered for it names the graph's own input."""
    path, name = led_in(tmp_path, bytes_model(*CAST_FIRST))
    readers = [node.op_type for node in onnx.load(path).graph.node if name in node.input]
    assert readers == ["Cast"]
    expected = NOISE.astype(np.float64).mean(axis=(1, 2))
    assert np.allclose(OnnxRun(path).run({name: NOISE})["sums"][:, :, 0, 0], expected, rtol=1e-5)
    half = write_half(path, NOISE)
    assert (half.written, half.note) == (True, "")
    assert np.allclose(OnnxRun(half_path(path)).run({name: NOISE})["sums"][:, :, 0, 0], expected, rtol=5e-3)


def test_a_graph_that_does_something_else_with_its_bytes_has_no_half(tmp_path: Path) -> None:
    path, name = led_in(tmp_path, bytes_model(*CAST_LATER))
    assert np.allclose(OnnxRun(path).run({name: NOISE})["sums"][:, :, 0, 0], NOISE.mean(axis=(1, 2)), rtol=1e-5)
    half = write_half(path, NOISE)
    assert (half.written, half.note) == (
        False,
        "the graph does not cast its bytes first, but leads them into Transpose",
    )
    assert not half_path(path).exists()


def test_numbers_that_half_precision_cannot_hold_are_noticed(tmp_path: Path) -> None:
    """Also where they are small again before they come out."""
    scale = [helper.make_tensor("v", TensorProto.FLOAT, [], [factor]) for factor in (1e4, 1e-4)]
    nodes = (
        CAST_FIRST[0],
        *(helper.make_node("Constant", [], [f"scale_{at}"], value=value) for at, value in enumerate(scale)),
        helper.make_node("Mul", ["floats", "scale_0"], ["many"]),
        helper.make_node("Mul", ["many", "scale_1"], ["few"]),
        helper.make_node("GlobalAveragePool", ["few"], ["sums"]),
    )
    path, _ = led_in(tmp_path, bytes_model(*nodes))
    half = write_half(path, NOISE)
    assert (half.written, half.note) == (False, "the output 'sums' leaves the range of half precision")


def test_the_network_in_full_precision_stays_as_it_is() -> None:
    model = bytes_model(*CAST_FIRST)
    before = model.SerializeToString(deterministic=True)
    half_precision(model)
    assert model.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("to", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_each_cast_of_the_bytes_keeps_its_own_type(tmp_path: Path, to: int) -> None:
    nodes = (
        helper.make_node("Cast", ["pixels"], ["a"], to=to),
        helper.make_node("Cast", ["pixels"], ["b"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["a"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["b", "c"], ["twice"]),
        helper.make_node("GlobalAveragePool", ["twice"], ["sums"]),
    )
    path, name = led_in(tmp_path, bytes_model(*nodes))
    assert np.allclose(OnnxRun(path).run({name: NOISE})["sums"][:, :, 0, 0], 2 * NOISE.mean(axis=(1, 2)), rtol=1e-3)


def test_operators_without_a_half_form_are_computed_in_full_in_their_place() -> None:
    halves = (
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["floats"], ["means"]),
        helper.make_node("Min", ["means", "means"], ["least"]),
        helper.make_node("Relu", ["least"], ["sums"]),
    )
    half = half_precision(bytes_model(*halves))
    assert [node.op_type for node in half.graph.node if node.op_type != "Cast"] == ["GlobalAveragePool", "Min", "Relu"]
    pixels = np.ascontiguousarray(NOISE.transpose(0, 3, 1, 2))
    means = pixels.mean(axis=(2, 3), keepdims=True)
    assert np.allclose(OnnxRun(half.SerializeToString()).run({"pixels": pixels})["sums"], means, atol=0.5)
