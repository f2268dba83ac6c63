"""`videojob models add`: what does not fit is named with its remedy, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from support.onnx_graphs import GraphInput, answering, averaging, mixing_frames
from support.workshop import YOLO, Workshop
from videojob.errors import (
    InvalidModelOutput,
    ModelError,
    ModelLoadFailed,
    ModelNotFound,
    ModelSignatureMismatch,
    SetupError,
    VideoJobError,
)
from videojob.local.models.add import PixelOptions


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def external(location: str) -> ModelProto:
    """A model with one weight that is said to lie in another file."""
    model = answering(YOLO)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "predictions_answer")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return model


def two_inputs() -> ModelProto:
    model = answering(YOLO)
    model.graph.input.append(helper.make_tensor_value_info("sizes", TensorProto.INT64, [1, 2]))
    return model


def nodes_missing() -> ModelProto:
    model = answering(YOLO)
    del model.graph.node[:]
    return model


def unknown_operator() -> ModelProto:
    model = answering(YOLO)
    model.graph.node[0].op_type = "Shapes"
    return model


def old_operators() -> ModelProto:
    model = answering(YOLO)
    model.opset_import[0].version = 6
    return model


def with_facts(model: ModelProto, **facts: str) -> ModelProto:
    """With what an exporter writes into the file."""
    helper.set_model_props(model, facts)
    return model


def ending_in(operator: str) -> ModelProto:
    model = answering(YOLO)
    model.graph.node.append(helper.make_node(operator, ["predictions"], ["num_dets"], domain="TRT"))
    return model


def one_list() -> ModelProto:
    """As YOLOv7 exports with --end2end: (boxes of all frames, 7)."""
    model = answering(YOLO)
    axes = model.graph.output[0].type.tensor_type.shape
    axes.Clear()
    axes.dim.add().dim_param = "found"
    axes.dim.add().dim_value = 7
    return model


def newer_operators() -> ModelProto:
    model = answering(YOLO)
    model.opset_import[0].version = 99
    return model


def newer_file() -> ModelProto:
    model = answering(YOLO)
    model.ir_version = 99
    return model


def answers(**outputs: Any) -> ModelProto:
    return answering({name: np.asarray(values, np.float32) for name, values in outputs.items()})


ROW = [32, 32, 20, 10, 0.1, 0.9, 0.2]
MISFITS: list[tuple[str, Callable[[], ModelProto], dict[str, Any], type[VideoJobError], str, str]] = [
    (
        "two inputs",
        two_inputs,
        {},
        ModelSignatureMismatch,
        r"2 inputs \(images .*, sizes \[1, 2\]\)",
        "one: the frames",
    ),
    ("no nodes", nodes_missing, {}, ModelLoadFailed, "no nodes", "export"),
    ("unknown operator", unknown_operator, {}, ModelLoadFailed, "ONNX Runtime cannot load it: In Node.*Shapes", ""),
    ("old operators", old_operators, {}, ModelSignatureMismatch, "version 6", "opset 7"),
    (
        "integers",
        lambda: averaging(GraphInput(dtype=TensorProto.INT64)),
        {},
        ModelSignatureMismatch,
        "type INT64",
        "UINT8, FLOAT or FLOAT16",
    ),
    (
        "grey pictures",
        lambda: answering(YOLO, GraphInput(channels=1)),
        {},
        ModelSignatureMismatch,
        "none of them holds the 3 colours",
        "--layout",
    ),
    (
        "three wide",
        lambda: answering(YOLO, GraphInput(width=3)),
        {},
        ModelSignatureMismatch,
        "both the second and the last",
        "--layout NCHW or NHWC",
    ),
    (
        "layout that was not found",
        lambda: answering(YOLO),
        {"pixels": PixelOptions(layout="NHWC")},
        ModelSignatureMismatch,
        "none of them",
        "Check --layout",
    ),
    (
        "one side free",
        lambda: answering(YOLO, GraphInput(width="width")),
        {},
        ModelSignatureMismatch,
        "one side is fixed",
        "both fixed or both free",
    ),
    (
        "unknown output",
        lambda: answering(YOLO),
        {"outputs": ("boxes",)},
        ModelSignatureMismatch,
        "no output 'boxes'",
        "predictions",
    ),
    (
        "too many outputs",
        lambda: answers(a=[ROW], b=[ROW]),
        {},
        ModelSignatureMismatch,
        r"reads 1 outputs \(predictions\), the model gives 2",
        "--output",
    ),
    (
        "another number of labels",
        lambda: answers(predictions=np.zeros((9, 84))),
        {},
        ModelSignatureMismatch,
        r"with 3 labels it must be \(n, 7, boxes\) for v8, \(n, boxes, 8\) for v5",
        "one label for each class",
    ),
    ("no labels", lambda: answering(YOLO), {"labels": None}, ModelSignatureMismatch, "needs labels", "labels"),
    ("NaN", lambda: answers(predictions=[[np.nan]] * 7), {}, InvalidModelOutput, "NaN", ""),
    (
        "logits",
        lambda: answers(predictions=[[value] for value in (*ROW[:4], 3, -2, 5)]),
        {},
        InvalidModelOutput,
        "0 to 1",
        "sigmoid",
    ),
    ("unknown decoder", lambda: answering(YOLO), {"decoder": "yolo99"}, ModelSignatureMismatch, "yolo99", "yolox"),
    (
        "unknown option",
        lambda: answering(YOLO),
        {"decoder_options": {"nms": "0.5"}},
        ModelSignatureMismatch,
        "has no option nms",
        "are: boxes, coordinates, head, iou",
    ),
    (
        "scaled bytes",
        lambda: averaging(GraphInput(dtype=TensorProto.UINT8)),
        {"pixels": PixelOptions(scale=255.0)},
        ModelSignatureMismatch,
        "takes bytes",
        "--scale",
    ),
    (
        "scale of nothing",
        lambda: answering(YOLO),
        {"pixels": PixelOptions(scale=0.0)},
        ModelSignatureMismatch,
        "--scale",
        "divided",
    ),
    (
        "size of a fixed graph",
        lambda: answering(YOLO),
        {"pixels": PixelOptions(long_side=640)},
        ModelSignatureMismatch,
        "64 x 64 pixels only",
        "--long-side",
    ),
    (
        "frames that mix",
        mixing_frames,
        {"decoder": "classification"},
        ModelSignatureMismatch,
        "any number of frames at once, but the output 'scores' depends on the other frames",
        "batch of 1",
    ),
    (
        "a batch of four only",
        lambda: mixing_frames(batch=4),
        {"decoder": "classification"},
        ModelSignatureMismatch,
        "exactly 4 frames at once",
        "batch of 1",
    ),
    *(
        (
            f"{task} head with as many labels as numbers",
            lambda task=task: with_facts(answering(YOLO), task=task),
            {},
            ModelSignatureMismatch,
            f"the task '{task}': beside boxes it gives {what}",
            "'detect'",
        )
        for task, what in (("pose", "keypoints"), ("segment", "masks"), ("obb", "turned boxes"))
    ),
    (
        "classifier as a detector",
        lambda: with_facts(answering(YOLO), task="classify"),
        {},
        ModelSignatureMismatch,
        "gives no boxes",
        "--decoder classification",
    ),
    ("a plugin of TensorRT", lambda: ending_in("EfficientNMS_TRT"), {}, ModelSignatureMismatch, "plugin", "nms=False"),
    ("boxes as one list", one_list, {}, ModelSignatureMismatch, "those of all frames as one list", "nms=False"),
    ("too new operators", newer_operators, {}, ModelLoadFailed, "cannot load it: ONNX Runtime only", "older opset"),
    ("too new a file", newer_file, {}, ModelLoadFailed, "Unsupported model IR version: 99", "older opset"),
    (
        "names that are no names",
        lambda: with_facts(answering(YOLO), names="__import__('os').getcwd()"),
        {"labels": None},
        ModelSignatureMismatch,
        "needs labels",
        "--labels",
    ),
    (
        "names with a gap",
        lambda: with_facts(answering(YOLO), names="{0: 'person', 2: 'car'}"),
        {"labels": None},
        ModelSignatureMismatch,
        "needs labels",
        "--labels",
    ),
    (
        "a value that is none",
        lambda: answering(YOLO),
        {"decoder_options": {"iou": "2"}},
        ModelSignatureMismatch,
        "--option iou is '2'",
        "from 0 to 1",
    ),
    (
        "two heads that fit",
        lambda: answers(predictions=np.zeros((7, 8))),
        {},
        ModelSignatureMismatch,
        "may be v5 or v8",
        "--option head=v5 or --option head=v8",
    ),
    (
        "a classifier's logits",
        lambda: answers(scores=np.full(3, 5.0)),
        {"decoder": "classification", "decoder_options": {"activation": "none"}},
        InvalidModelOutput,
        "from 5 to 5",
        "logits, give --option activation=sigmoid or --option activation=softmax",
    ),
    (
        "the name of a built-in model",
        lambda: answering(YOLO),
        {"name": "face_detector"},
        SetupError,
        "is a built-in model",
        "--name",
    ),
    ("weights missing", lambda: external("away.bin"), {}, ModelLoadFailed, "'away.bin' are missing", "beside"),
    ("weights outside", lambda: external("../etc/passwd"), {}, ModelLoadFailed, "outside of its own folder", ""),
    ("weights at a path", lambda: external("/etc/passwd"), {}, ModelLoadFailed, "outside of its own folder", ""),
]


@pytest.mark.parametrize(
    ("make", "changes", "kind", "message", "hint"), [case[1:] for case in MISFITS], ids=[case[0] for case in MISFITS]
)
def test_a_misfit_is_named_with_its_remedy_and_leaves_nothing(
    workshop: Workshop,
    make: Callable[[], ModelProto],
    changes: dict[str, Any],
    kind: type[VideoJobError],
    message: str,
    hint: str,
) -> None:
    workshop.path.write_bytes(make().SerializeToString())
    with pytest.raises(kind, match=message) as caught:
        workshop.add(**changes)
    assert hint in caught.value.hint
    assert caught.value.uri == str(workshop.path)
    assert workshop.left_behind() == []


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (None, ModelNotFound, "no such file"),
        (b"", ModelLoadFailed, "no nodes"),
        (b"PK\x03\x04 a zip file, say of PyTorch", ModelLoadFailed, "not an ONNX file"),
    ],
)
def test_a_file_that_is_no_graph_is_refused(
    workshop: Workshop, content: bytes | None, kind: type[ModelError], message: str
) -> None:
    if content is not None:
        workshop.path.write_bytes(content)
    with pytest.raises(kind, match=message):
        workshop.add()
    assert workshop.left_behind() == []


def test_a_wrong_file_of_labels_is_named_itself(workshop: Workshop) -> None:
    workshop.labels.write_text("person\n\ncar\n", encoding="utf-8")
    with pytest.raises(ModelLoadFailed, match="line 2 is empty") as caught:
        workshop.add(answering(YOLO))
    assert caught.value.uri == str(workshop.labels)
