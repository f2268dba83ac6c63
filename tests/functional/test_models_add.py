"""`videojob models add`: what fits is served as it should be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from support.onnx_graphs import GraphInput, answering, averaging, one_at_a_time, traced_with_one
from support.workshop import LABELS, YOLO, Workshop
from videojob.adapters.triton.model_repository import find_model
from videojob.errors import ModelSignatureMismatch, SetupError
from videojob.local.models.add import PixelOptions
from videojob.local.models.picture import Normalisation, lead_frames_in, picture_input
from videojob.local.models.runtime import OnnxRun
from videojob.local.models.trial import weights_path
from videojob.vision.decoders import create_decoder
from videojob.vision.prepare import prepare
from videojob.vision.tensors import PixelInput


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_a_model_that_fits_is_ready_to_be_served(workshop: Workshop) -> None:
    done = workshop.add(answering(YOLO))
    model = find_model(workshop.repository, "cars")
    contract = model.contract()
    assert (contract.decoder, contract.labels, contract.max_batch, contract.outputs) == (
        "yolo",
        LABELS,
        16,
        ("predictions",),
    )
    pixels = contract.pixels
    assert (pixels.dtype, pixels.layout, pixels.colour, pixels.width, pixels.height) == ("UINT8", "NHWC", "RGB", 64, 64)
    assert done.notes == ()
    assert (done.trial.width, done.trial.height) == (64, 64)
    assert done.trial.frame_ms > 0
    assert sorted(path.name for path in model.folder.iterdir()) == ["1", "config.pbtxt", "labels.txt"]


def test_what_was_added_finds_its_boxes(workshop: Workshop) -> None:
    workshop.add(answering(YOLO))
    model = find_model(workshop.repository, "cars")
    outputs = OnnxRun(weights_path(model)).run({"frames": np.zeros((2, 64, 64, 3), np.uint8)})
    found = create_decoder(model.contract()).decode(outputs, 64, 64, 0.5)
    assert [boxes.boxes.tolist() for boxes in found] == [[[22, 27, 42, 37]]] * 2
    assert found[0].class_ids.tolist() == [1]


IMAGENET = Normalisation(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    "picture",
    [
        GraphInput(),
        GraphInput(layout="NHWC"),
        GraphInput(dtype=TensorProto.FLOAT16),
        GraphInput(height="height", width="width"),
    ],
    ids=["NCHW", "NHWC", "half precision", "any size"],
)
@pytest.mark.parametrize(
    "normalisation", [Normalisation(), Normalisation(255.0), IMAGENET], ids=["raw", "unit", "imagenet"]
)
def test_frames_led_in_are_normalised_as_a_client_would(picture: GraphInput, normalisation: Normalisation) -> None:
    original = averaging(picture)
    wrapped = ModelProto()
    wrapped.CopyFrom(original)
    found = picture_input(wrapped.graph)
    name = lead_frames_in(wrapped, found, normalisation)
    onnx.checker.check_model(wrapped, full_check=True)

    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    pixels = PixelInput(
        name=found.name,
        dtype=found.dtype,
        layout=found.layout,
        colour="RGB",
        scale=normalisation.scale,
        mean=normalisation.mean,
        std=normalisation.std,
    )
    expected = OnnxRun(original.SerializeToString()).run({found.name: prepare(frames, pixels)})["scores"]
    answer = OnnxRun(wrapped.SerializeToString()).run({name: frames})["scores"]
    assert answer == pytest.approx(expected, rel=1e-3 if found.dtype == "FP16" else 1e-5, abs=1e-5)


def test_byte_inputs_stay_as_they_are() -> None:
    model = averaging(GraphInput(dtype=TensorProto.UINT8, layout="NHWC"))
    before = len(model.graph.node)
    assert lead_frames_in(model, picture_input(model.graph), Normalisation()) == "images"
    assert len(model.graph.node) == before


def test_a_tensor_that_is_called_frames_already_gets_no_double(workshop: Workshop) -> None:
    workshop.add(answering(YOLO, GraphInput(name="frames")))
    assert find_model(workshop.repository, "cars").contract().pixels.name == "frames_"


@pytest.mark.parametrize(("decoder", "colour", "resize"), [("yolo", "RGB", "letterbox"), ("yolox", "BGR", "letterbox")])
def test_pixels_are_what_the_decoders_family_usually_wants(
    workshop: Workshop, decoder: str, colour: str, resize: str
) -> None:
    predictions = np.zeros((84, 8) if decoder == "yolox" else (7, 84), np.float32)
    workshop.add(answering({"predictions": predictions}), decoder=decoder)
    pixels = find_model(workshop.repository, "cars").contract().pixels
    assert (pixels.colour, pixels.resize) == (colour, resize)


def test_options_come_before_what_is_usual(workshop: Workshop) -> None:
    workshop.add(
        answering(YOLO, GraphInput(height="height", width="width")),
        pixels=PixelOptions(colour="BGR", resize="stretch", pad_value=0, long_side=96, stride=32),
        decoder_options={"iou": "0.6"},
        max_batch=4,
    )
    contract = find_model(workshop.repository, "cars").contract()
    pixels = contract.pixels
    assert (pixels.colour, pixels.resize, pixels.pad_value) == ("BGR", "stretch", 0)
    assert (pixels.width, pixels.long_side, pixels.stride) == (0, 96, 32)
    assert (contract.decoder_options, contract.max_batch) == ({"iou": "0.6"}, 4)


def test_outputs_that_nobody_reads_are_cut_off(workshop: Workshop) -> None:
    workshop.add(answering({"features": np.zeros((3, 9), np.float32), **YOLO}), outputs=("predictions",))
    model = find_model(workshop.repository, "cars")
    graph = onnx.load(weights_path(model)).graph
    assert [value.name for value in graph.output] == ["predictions"]
    assert not [tensor for tensor in graph.initializer if "features" in tensor.name]


@pytest.mark.parametrize("labels", ["person, sitting\ncar\ndog\n", "person\nvéhicule\ndog\n", '[x\n"car"\nd\\g\n'])
def test_labels_of_any_spelling_survive(workshop: Workshop, labels: str) -> None:
    workshop.labels.write_text(labels, encoding="utf-8")
    workshop.add(answering(YOLO))
    assert find_model(workshop.repository, "cars").contract().labels == tuple(labels.split("\n")[:3])


def test_a_batch_that_was_fixed_needlessly_is_made_free(workshop: Workshop) -> None:
    done = workshop.add(answering(YOLO, GraphInput(batch=4)))
    assert "fixed at 4" in done.notes[0]
    assert find_model(workshop.repository, "cars").contract().max_batch == 16


@pytest.mark.parametrize("shape_as_node", [False, True], ids=["weight", "node"])
def test_a_batch_that_the_exporter_wrote_into_shapes_is_made_free(workshop: Workshop, shape_as_node: bool) -> None:
    original = traced_with_one(shape_as_node=shape_as_node)
    done = workshop.add(
        original, decoder="classification", pixels=PixelOptions(scale=1.0, mean=(0, 0, 0), std=(1, 1, 1))
    )
    assert "it is free now" in done.notes[0]
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    found = OnnxRun(weights_path(done.model)).run({"frames": frames})["scores"]
    alone = OnnxRun(original.SerializeToString())
    planes = frames.transpose(0, 3, 1, 2).astype(np.float32)
    expected = [alone.run({"images": planes[index : index + 1]})["scores"][0] for index in range(3)]
    assert found == pytest.approx(np.stack(expected), rel=1e-5)


def test_a_model_that_takes_one_frame_only_is_served_one_by_one(workshop: Workshop) -> None:
    done = workshop.add(one_at_a_time(), decoder="classification")
    contract = find_model(workshop.repository, "cars").contract()
    assert contract.max_batch == 0
    assert "stays at 1 frame" in done.notes[0]
    assert (contract.pixels.width, contract.pixels.height) == (64, 64)


def test_weights_in_files_of_their_own_come_along(workshop: Workshop) -> None:
    model = answering({"predictions": np.zeros((7, 84), np.float32)})
    onnx.save(model, workshop.path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    workshop.add()
    served = find_model(workshop.repository, "cars")
    assert (served.folder / "1" / "weights.bin").is_file()
    OnnxRun(weights_path(served)).run({"frames": np.zeros((1, 64, 64, 3), np.uint8)})


def test_a_model_of_that_name_is_replaced_on_demand_only(workshop: Workshop) -> None:
    workshop.add(answering(YOLO))
    with pytest.raises(SetupError, match="already") as caught:
        workshop.add(answering(YOLO), max_batch=2)
    assert "--replace" in caught.value.hint
    workshop.add(answering(YOLO), max_batch=2, replace=True)
    assert find_model(workshop.repository, "cars").contract().max_batch == 2


def test_a_replacement_that_fails_leaves_the_old_model(workshop: Workshop) -> None:
    workshop.add(answering(YOLO))
    with pytest.raises(ModelSignatureMismatch):
        workshop.add(answering({"predictions": np.zeros((9, 84), np.float32)}), replace=True)
    assert find_model(workshop.repository, "cars").versions == (1,)
    assert workshop.left_behind() == ["cars"]


@pytest.mark.parametrize("name", ["", "../cars", ".cars", "my cars", "c" * 64])
def test_names_that_are_no_folder_names_are_refused(workshop: Workshop, name: str) -> None:
    with pytest.raises(SetupError, match="cannot be a model's name"):
        workshop.add(answering(YOLO), name=name)


def test_a_graph_inside_a_graph_keeps_what_it_reads_from_outside(workshop: Workshop) -> None:
    """An If whose branches read a weight by name only: cutting off outputs must not take it away."""
    model = answering({"features": np.zeros((3, 9), np.float32), **YOLO})
    graph = model.graph
    final = next(node for node in graph.node if node.output[0] == "predictions")
    final.output[0] = "plain"
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    branches = {}
    for key in ("then_branch", "else_branch"):
        value = helper.make_tensor_value_info(key, TensorProto.FLOAT, None)
        branches[key] = helper.make_graph([helper.make_node("Add", ["plain", "nothing"], [key])], key, [], [value])
    graph.node.append(helper.make_node("If", ["yes"], ["predictions"], **branches))
    workshop.add(model, outputs=("predictions",))
    assert find_model(workshop.repository, "cars").versions == (1,)


def test_what_the_exporter_wrote_into_the_file_is_taken(workshop: Workshop) -> None:
    model = answering(YOLO, GraphInput(height="height", width="width"))
    names = "{0: 'person', 1: 'traffic light', 2: \"dog's\"}"
    helper.set_model_props(model, {"names": names, "stride": "64", "imgsz": "[480, 1280]", "task": "detect"})
    done = workshop.add(model, labels=None)
    contract = done.model.contract()
    assert contract.labels == ("person", "traffic light", "dog's")
    assert (contract.pixels.long_side, contract.pixels.stride) == (1280, 64)
    assert done.notes[0] == "The labels are those in the ONNX file: person, traffic light, dog's."


def test_options_come_before_what_the_exporter_wrote(workshop: Workshop) -> None:
    model = answering(YOLO, GraphInput(height="height", width="width"))
    helper.set_model_props(model, {"names": "['a', 'b', 'c']", "stride": "64", "imgsz": "1280"})
    done = workshop.add(model, pixels=PixelOptions(long_side=640, stride=32))
    contract = done.model.contract()
    assert contract.labels == LABELS
    assert (contract.pixels.long_side, contract.pixels.stride) == (640, 32)
    assert "those of --labels" in done.notes[0] or "names of --labels are used" in done.notes[0]


@pytest.mark.parametrize("unknown", [-1, 0])
def test_a_length_that_is_none_is_a_free_axis(workshop: Workshop, unknown: int) -> None:
    model = answering(YOLO, GraphInput(height="height", width="width"))
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.dim_value = unknown
    contract = workshop.add(model).model.contract()
    assert (contract.pixels.width, contract.max_batch) == (0, 16)
