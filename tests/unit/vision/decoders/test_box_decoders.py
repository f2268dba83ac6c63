"""Each decoder on a small ONNX graph whose answer is known, run by ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from support.box_answers import (
    DETR_BOXES,
    LABELS,
    SSD_BOXES,
    SSD_SCORES,
    V8,
    Row,
    contract,
    decode,
    face_heads,
    filled,
    logit,
    rows,
)
from videojob.errors import InvalidModelOutput, ModelSignatureMismatch
from videojob.vision.boxes import Floats
from videojob.vision.decoders import create_decoder

# --- yolo -----------------------------------------------------------------------------------------------------------

V8_BOXES: list[Row] = [([22, 27, 42, 37], 0.9, 1), ([23, 27, 43, 37], 0.7, 2), ([0, 6, 30, 14], 0.5, 0)]
V5 = filled(
    (252, 8),
    {
        3: [32, 32, 20, 10, 0.9, 0.1, 1.0, 0.2],
        9: [33, 32, 20, 10, 1.0, 0.1, 0.2, 0.7],
        80: [10, 10, 40, 8, 0.5, 1.0, 0, 0],
        81: [10, 50, 4, 4, 0.7, 0.7, 0, 0],  # 0.49
        82: [10, 50, 4, 4, 0.1, 1.0, 0, 0],
    },
)
V10 = filled(
    (10, 6),
    {
        0: [22, 27, 42, 37, 0.9, 1],
        1: [23, 27, 43, 37, 0.7, 2],
        2: [-10, 6, 30, 14, 0.5, 0],
        3: [8, 48, 12, 52, 0.49, 0],
    },
)


@pytest.mark.parametrize(
    ("predictions", "options"),
    [
        pytest.param(V8.T, {}, id="v8"),
        pytest.param(V8, {"head": "v8"}, id="v8 transposed"),
        pytest.param(V5, {}, id="v5 with objectness"),
        pytest.param(V5.T, {"head": "v5"}, id="v5 transposed"),
        pytest.param(V10, {}, id="v10 suppressed in the graph"),
        pytest.param(V8.T, {"head": "v8"}, id="v8 by name"),
        pytest.param((V8 / np.array([64] * 4 + [1] * 3)).T, {"coordinates": "normalised"}, id="normalised"),
    ],
)
def test_yolo_reads_every_layout(predictions: Floats, options: dict[str, Any]) -> None:
    [found] = decode("yolo", {"predictions": predictions}, **options)
    assert rows(found) == V8_BOXES


def test_yolo_keeps_overlapping_boxes_of_one_class_when_iou_is_1() -> None:
    [found] = decode("yolo", {"predictions": V8.T}, iou=1)
    assert [round(float(score), 2) for score in found.scores] == [0.9, 0.8, 0.7, 0.5]


def test_yolo_with_one_class_may_be_v5_or_v10_and_says_so() -> None:
    with pytest.raises(ModelSignatureMismatch, match="v10 or v5") as caught:
        decode("yolo", {"predictions": V10}, labels=("face",))
    assert "decoder_head" in caught.value.hint
    [found] = decode("yolo", {"predictions": filled((10, 6), {1: [32, 32, 2, 2, 1, 0.6]})}, labels=("face",), head="v5")
    assert rows(found) == [([31, 31, 33, 33], 0.6, 0)]


def test_yolo_with_the_wrong_number_of_labels_names_the_right_one() -> None:
    with pytest.raises(ModelSignatureMismatch, match=r"must be \(n, 6, boxes\) for v8, \(n, boxes, 7\) for v5"):
        decode("yolo", {"predictions": filled((84, 9), {})}, labels=("a", "b"))


@pytest.mark.parametrize(("predictions", "labels"), [(V8.T, LABELS[:2]), (V5, (*LABELS, "cat"))])
def test_yolo_with_one_label_too_few_or_too_many_does_not_pass_for_another_head(
    predictions: Floats, labels: tuple[str, ...]
) -> None:
    with pytest.raises(ModelSignatureMismatch, match=f"with {len(labels)} labels it must be"):
        decode("yolo", {"predictions": predictions}, labels=labels)


def test_yolo_needs_labels() -> None:
    with pytest.raises(ModelSignatureMismatch, match="needs labels"):
        create_decoder(contract("yolo", ("predictions",), labels=()))


def test_yolo_refuses_class_numbers_without_a_label() -> None:
    with pytest.raises(InvalidModelOutput, match="0 to 2"):
        decode("yolo", {"predictions": filled((10, 6), {0: [1, 1, 2, 2, 0.9, 3]})})


# --- yolox ----------------------------------------------------------------------------------------------------------


def test_yolox_resolves_grid_cells() -> None:
    # 64 x 64 has 8x8 + 4x4 + 2x2 cells; cell 10 is row 1, column 2 of the finest; cell 64 + 5 row 1, column 1 of 16.
    predictions = filled(
        (84, 8),
        {
            10: [0.5, 0.25, np.log(2), np.log(1), 0.9, 0, 1.0, 0],
            69: [0.0, 0.0, np.log(1), np.log(2), 1.0, 0.6, 0, 0],
            70: [0.0, 0.0, np.log(1), np.log(2), 0.6, 0.6, 0, 0],  # 0.36
        },
    )
    [found] = decode("yolox", {"predictions": predictions})
    assert rows(found) == [([12, 6, 28, 14], 0.9, 1), ([8, 0, 24, 32], 0.6, 0)]


def test_yolox_with_other_strides() -> None:
    [found] = decode("yolox", {"predictions": filled((4, 8), {3: [0, 0, 0, 0, 1, 0, 0, 0.75]})}, strides="32")
    assert rows(found) == [([16, 16, 48, 48], 0.75, 2)]


def test_yolox_with_another_number_of_cells_says_what_it_expects() -> None:
    with pytest.raises(InvalidModelOutput, match=r"strides 8, 16, 32 has 84 cells"):
        decode("yolox", {"predictions": filled((85, 8), {})})


def test_yolox_refuses_a_size_beyond_all_bounds() -> None:
    with pytest.raises(InvalidModelOutput, match="infinity"):
        decode("yolox", {"predictions": filled((84, 8), {0: [0, 0, 1000, 0, 1, 1, 0, 0]})})


# --- detr -----------------------------------------------------------------------------------------------------------


def test_detr_leaves_out_the_class_that_means_nothing() -> None:
    shares = filled((5, 4), {0: [0.1, 0.7, 0.1, 0.1], 1: [0.6, 0.1, 0.1, 0.2], 2: [0.1, 0.1, 0.1, 0.7]})
    shares[3:] = 0.25
    [found] = decode("detr", {"logits": np.log(shares), "boxes": DETR_BOXES})
    assert rows(found) == [([24, 16, 40, 48], 0.7, 1), ([12, 12, 20, 20], 0.6, 0)]


def test_detr_with_sigmoid_may_see_several_classes_in_one_query() -> None:
    logits = np.full((5, 3), -9, np.float32)
    logits[0] = [logit(0.6), logit(0.9), logit(0.1)]
    [found] = decode("detr", {"logits": logits, "boxes": DETR_BOXES}, activation="sigmoid")
    assert rows(found) == [([24, 16, 40, 48], 0.9, 1), ([24, 16, 40, 48], 0.6, 0)]


# --- ssd ------------------------------------------------------------------------------------------------------------

SSD_EXPECTED: list[Row] = [([16, 32, 32, 64], 0.9, 1), ([0, 0, 32, 16], 0.6, 2)]


@pytest.mark.parametrize(
    ("outputs", "options"),
    [
        pytest.param({"boxes": SSD_BOXES, "scores": SSD_SCORES}, {}, id="corners"),
        pytest.param({"boxes": SSD_BOXES[:, [1, 0, 3, 2]], "scores": SSD_SCORES}, {"boxes": "yxyx"}, id="y first"),
        pytest.param({"boxes": SSD_BOXES * 64, "scores": SSD_SCORES}, {"coordinates": "pixels"}, id="pixels"),
        pytest.param(
            {"boxes": SSD_BOXES, "scores": np.pad(SSD_SCORES, ((0, 0), (1, 0)), constant_values=0.99)},
            {"background": "first"},
            id="background first",
        ),
        pytest.param(
            {"boxes": SSD_BOXES, "scores": np.pad(SSD_SCORES, ((0, 0), (0, 1)), constant_values=0.99)},
            {"background": "last"},
            id="background last",
        ),
        pytest.param(
            {"boxes": SSD_BOXES, "scores": np.array([0.9, 0.8, 0.6, 0]), "classes": np.array([1, 1, 2, 0])},
            {},
            id="numbered classes",
        ),
        pytest.param(
            {"boxes": SSD_BOXES, "scores": np.array([0.9, 0.8, 0.6, 0]), "classes": np.array([2, 2, 3, 0])},
            {"first_class": 1},
            id="classes numbered from 1",
        ),
    ],
)
def test_ssd_reads_boxes_and_scores(outputs: dict[str, Floats], options: dict[str, Any]) -> None:
    [found] = decode("ssd", outputs, **options)
    assert rows(found) == SSD_EXPECTED


def test_ssd_applies_an_activation_on_demand() -> None:
    logits = np.full((4, 3), -9, np.float32)
    logits[0, 1] = logit(0.9)
    [found] = decode("ssd", {"boxes": SSD_BOXES, "scores": logits}, activation="sigmoid")
    assert rows(found) == SSD_EXPECTED[:1]


def test_ssd_refuses_class_numbers_without_a_label() -> None:
    outputs = {"boxes": SSD_BOXES, "scores": np.array([0.9, 0, 0, 0]), "classes": np.array([3, 0, 0, 0])}
    with pytest.raises(InvalidModelOutput, match="0 to 2") as caught:
        decode("ssd", outputs)
    assert "decoder_first_class" in caught.value.hint


# --- classification -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [([0, 0, 64, 64], 0.7, 2)]),
        ({"top": 2}, [([0, 0, 64, 64], 0.7, 2), ([0, 0, 64, 64], 0.2, 0)]),
    ],
)
def test_a_class_of_the_whole_frame_is_a_box_around_it(options: dict[str, Any], expected: list[Row]) -> None:
    [found] = decode("classification", {"scores": np.log([0.2, 0.1, 0.7])}, threshold=0.15, **options)
    assert rows(found) == expected


def test_a_classifier_that_is_not_sure_finds_nothing() -> None:
    [found] = decode("classification", {"scores": np.log([0.3, 0.3, 0.4])})
    assert len(found) == 0


# --- centerface -----------------------------------------------------------------------------------------------------


def test_centerface_finds_faces_from_cell_offset_and_log_size() -> None:
    [found] = decode("centerface", face_heads(), labels=("face",))
    # centre ((8 + 0.5) * 4, (5 + 0.25 + 0.5) * 4) = (34, 23), size (8, 16)
    assert rows(found) == [([30, 15, 38, 31], 0.9, 0), ([60, 60, 64, 64], 0.5, 0)]
