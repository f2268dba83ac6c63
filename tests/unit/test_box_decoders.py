"""Each decoder on a small ONNX graph whose answer is known, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.onnx_graphs import answering
from videojob.errors import InvalidModelOutput, ModelSignatureMismatch
from videojob.local.models.runtime import OnnxRun
from videojob.vision.boxes import Floats
from videojob.vision.decoders import create_decoder, decoder_names
from videojob.vision.decoders.base import Selection
from videojob.vision.values import Detections, ModelContract, PixelInput

SIZE = 64
LABELS = ("person", "car", "dog")
Row = tuple[list[float], float, int]


def contract(decoder: str, outputs: tuple[str, ...], **options: Any) -> ModelContract:
    labels = options.pop("labels", LABELS)
    return ModelContract(
        name="model",
        version="",
        pixels=PixelInput(name="images", dtype="FP32", layout="NCHW", colour="RGB", width=SIZE, height=SIZE),
        outputs=outputs,
        decoder=decoder,
        decoder_options={key: str(value) for key, value in options.items()},
        labels=labels,
    )


def answers(outputs: Mapping[str, Floats], frames: int = 1) -> dict[str, Floats]:
    """What ONNX Runtime gives for a graph that answers so, for a batch of black pictures."""
    found = OnnxRun(answering(outputs).SerializeToString()).run(
        {"images": np.zeros((frames, 3, SIZE, SIZE), np.float32)}
    )
    return {name: values.astype(np.float32) for name, values in found.items()}


def decode(
    decoder: str, outputs: Mapping[str, Floats], threshold: float = 0.5, frames: int = 1, **options: Any
) -> list[Detections]:
    return create_decoder(contract(decoder, tuple(outputs), **options)).decode(
        answers(outputs, frames), SIZE, SIZE, threshold
    )


def rows(found: Detections) -> list[Row]:
    return [
        ([round(float(value), 3) for value in box], round(float(score), 3), int(class_id))
        for box, score, class_id in zip(found.boxes, found.scores, found.class_ids, strict=True)
    ]


def filled(shape: tuple[int, ...], values: Mapping[int, list[float]]) -> Floats:
    """Zeros, with some rows given."""
    table = np.zeros(shape, np.float32)
    for place, row in values.items():
        table[place] = row
    return table


def logit(score: float) -> float:
    return float(np.log(score / (1 - score)))


# --- yolo -----------------------------------------------------------------------------------------------------------

V8 = filled(
    (84, 7),
    {
        3: [32, 32, 20, 10, 0.1, 0.9, 0.2],
        4: [33, 32, 20, 10, 0.1, 0.8, 0.2],  # the same car again
        9: [33, 32, 20, 10, 0.1, 0.2, 0.7],  # a dog in the same place
        80: [10, 10, 40, 8, 0.5, 0, 0],  # sticks out on the left
        81: [10, 50, 4, 4, 0.49, 0, 0],  # below the threshold
    },
)
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

DETR_BOXES = filled((5, 4), {0: [0.5, 0.5, 0.25, 0.5], 1: [0.25, 0.25, 0.125, 0.125], 2: [0.5, 0.5, 1, 1]})


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

SSD_BOXES = filled((4, 4), {0: [0.25, 0.5, 0.5, 1], 1: [0.25, 0.5, 0.5, 0.9375], 2: [0, 0, 0.5, 0.25]})
SSD_SCORES = filled((4, 3), {0: [0.1, 0.9, 0], 1: [0, 0.8, 0], 2: [0, 0, 0.6]})
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


def face_heads() -> dict[str, Floats]:
    heatmap = np.zeros((1, 16, 16), np.float32)
    scale, offset = np.zeros((2, 16, 16), np.float32), np.zeros((2, 16, 16), np.float32)
    heatmap[0, 5, 8], scale[:, 5, 8], offset[:, 5, 8] = 0.9, [np.log(4), np.log(2)], [0.25, 0]
    heatmap[0, 5, 9], scale[:, 5, 9] = 0.6, [np.log(4), np.log(2)]  # the same face, seen from the cell beside
    heatmap[0, 15, 15] = 0.5
    return {"heatmap": heatmap, "scale": scale, "offset": offset}


def test_centerface_finds_faces_from_cell_offset_and_log_size() -> None:
    [found] = decode("centerface", face_heads(), labels=("face",))
    # centre ((8 + 0.5) * 4, (5 + 0.25 + 0.5) * 4) = (34, 23), size (8, 16)
    assert rows(found) == [([30, 15, 38, 31], 0.9, 0), ([60, 60, 64, 64], 0.5, 0)]


# --- all ------------------------------------------------------------------------------------------------------------

EVERY_DECODER: dict[str, tuple[dict[str, Floats], dict[str, Any]]] = {
    "centerface": (face_heads(), {"labels": ("face",)}),
    "classification": ({"scores": np.log(np.array([0.2, 0.1, 0.7], np.float32))}, {}),
    "detr": ({"logits": np.full((5, 4), 1, np.float32), "boxes": DETR_BOXES}, {}),
    "ssd": ({"boxes": SSD_BOXES, "scores": SSD_SCORES}, {}),
    "yolo": ({"predictions": V8.T}, {}),
    "yolox": ({"predictions": filled((84, 8), {10: [0.5, 0.25, 0, 0, 0.9, 0, 1, 0]})}, {}),
}


def test_the_table_above_has_every_decoder() -> None:
    assert decoder_names() == tuple(EVERY_DECODER)


@pytest.mark.parametrize("name", EVERY_DECODER)
def test_frames_of_a_batch_are_decoded_each_by_itself(name: str) -> None:
    outputs, options = EVERY_DECODER[name]
    [alone] = decode(name, outputs, 0.2, **options)
    batch = decode(name, outputs, 0.2, frames=3, **options)
    assert [rows(found) for found in batch] == [rows(alone)] * 3
    assert len(alone) > 0


@pytest.mark.parametrize("name", EVERY_DECODER)
def test_a_threshold_that_nothing_reaches_leaves_typed_empty_results(name: str) -> None:
    outputs, options = EVERY_DECODER[name]
    [found] = decode(name, outputs, 1.0, **options)
    assert found.boxes.shape == (0, 4)
    assert [values.dtype.name for values in (found.boxes, found.scores, found.class_ids)] == [
        "float32",
        "float32",
        "int32",
    ]


@pytest.mark.parametrize("name", EVERY_DECODER)
def test_half_precision_is_read_too(name: str) -> None:
    outputs, options = EVERY_DECODER[name]
    halves = {key: value[None].astype(np.float16) for key, value in outputs.items()}
    [found] = create_decoder(contract(name, tuple(outputs), **options)).decode(halves, SIZE, SIZE, 0.2)
    assert found.boxes.dtype == np.float32
    assert len(found) > 0


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("name", "output"), [(name, output) for name, (outputs, _) in EVERY_DECODER.items() for output in outputs]
)
def test_not_a_number_is_never_taken_for_nothing_found(name: str, output: str, poison: float) -> None:
    outputs, options = EVERY_DECODER[name]
    # At the place of the best box, where every decoder looks.
    poisoned = {
        key: np.where(np.ones_like(value, bool), poison, value) if key == output else value
        for key, value in outputs.items()
    }
    with pytest.raises(InvalidModelOutput):
        decode(name, poisoned, 0.2, **options)


@pytest.mark.parametrize("name", EVERY_DECODER)
def test_a_missing_output_is_named(name: str) -> None:
    outputs, options = EVERY_DECODER[name]
    first = next(iter(outputs))
    decoder = create_decoder(contract(name, tuple(outputs), **options))
    with pytest.raises(InvalidModelOutput, match=f"'{first}'"):
        decoder.decode({}, SIZE, SIZE, 0.5)


@pytest.mark.parametrize("name", EVERY_DECODER)
def test_another_number_of_axes_is_named(name: str) -> None:
    outputs, options = EVERY_DECODER[name]
    first = next(iter(outputs))
    flat = {key: value.reshape(1, -1) if key != first else value[None, None, None] for key, value in outputs.items()}
    with pytest.raises(InvalidModelOutput, match=f"the output '{first}' has shape"):
        create_decoder(contract(name, tuple(outputs), **options)).decode(flat, SIZE, SIZE, 0.5)


@pytest.mark.parametrize("name", EVERY_DECODER)
def test_an_option_that_has_no_effect_is_refused(name: str) -> None:
    outputs, options = EVERY_DECODER[name]
    with pytest.raises(ModelSignatureMismatch, match="decoder_iuo") as caught:
        create_decoder(contract(name, tuple(outputs), iuo=0.5, **options))
    assert "decoder_" in caught.value.hint


@pytest.mark.parametrize("name", EVERY_DECODER)
def test_another_number_of_outputs_is_refused(name: str) -> None:
    _, options = EVERY_DECODER[name]
    with pytest.raises(ModelSignatureMismatch, match="4 \\(a, b, c, d\\)"):
        create_decoder(contract(name, ("a", "b", "c", "d"), **options))


@pytest.mark.parametrize("name", ["detr", "ssd", "yolox", "classification", "centerface"])
def test_another_number_of_labels_than_classes_is_refused(name: str) -> None:
    outputs, options = EVERY_DECODER[name]
    with pytest.raises(ModelSignatureMismatch, match="has 2 labels"):
        decode(name, outputs, **{**options, "labels": ("a", "b")})


@pytest.mark.parametrize(
    ("name", "output", "remedy"),
    [("yolo", "predictions", "graph"), ("ssd", "scores", "decoder_activation"), ("centerface", "heatmap", "graph")],
)
def test_logits_are_not_taken_for_scores(name: str, output: str, remedy: str) -> None:
    outputs, options = EVERY_DECODER[name]
    with pytest.raises(InvalidModelOutput, match="must be 0 to 1") as caught:
        decode(name, {**outputs, output: outputs[output] * 4}, **options)
    assert remedy in caught.value.hint


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"iou": "high"}, "decoder_iou is 'high'"),
        ({"iou": "1.5"}, "decoder_iou is '1.5'"),
        ({"max_boxes": "2.5"}, "decoder_max_boxes"),
        ({"head": "v4"}, "decoder_head is 'v4'"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, str], named: str) -> None:
    with pytest.raises(ModelSignatureMismatch, match=named):
        create_decoder(contract("yolo", ("predictions",), **options))


def test_strides_that_are_no_numbers_are_named() -> None:
    with pytest.raises(ModelSignatureMismatch, match="decoder_strides is '8;16'"):
        create_decoder(contract("yolox", ("predictions",), strides="8;16"))


def test_an_unknown_decoder_is_named_with_those_there_are() -> None:
    with pytest.raises(ModelSignatureMismatch, match="'yolo99'") as caught:
        create_decoder(contract("yolo99", ("predictions",)))
    assert "centerface, classification, detr, ssd, yolo, yolox" in caught.value.hint


def test_a_model_that_kept_no_box_at_all_is_no_error() -> None:
    outputs = {"boxes": np.zeros((0, 4), np.float32), "scores": np.zeros((0, 3), np.float32)}
    [found] = decode("ssd", outputs)
    assert len(found) == 0


def test_a_name_that_two_packages_claim_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of the two would answer depends on the path's order: nobody should have to find that out from boxes."""
    package = tmp_path / "other-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[videojob.box_decoders]\nssd = other:Decoder\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelSignatureMismatch, match=r"several packages bring a box decoder 'ssd'.*other:Decoder"):
        create_decoder(contract("ssd", ("boxes", "scores")))


def test_an_installed_package_brings_a_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "other-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n", encoding="utf-8")
    (package / "entry_points.txt").write_text("[videojob.box_decoders]\nmine = mydecoder:Decoder\n", encoding="utf-8")
    (tmp_path / "mydecoder.py").write_text(
        "class Decoder:\n"
        "    def __init__(self, contract):\n"
        "        self.name = contract.name\n"
        "    def decode(self, outputs, input_width, input_height, threshold):\n"
        "        return [self.name, threshold]\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "mine" in decoder_names()
    assert create_decoder(contract("mine", ())).decode({}, SIZE, SIZE, 0.5) == ["model", 0.5]


def test_only_the_best_candidates_enter_and_leave_the_suppression() -> None:
    boxes = np.array([(10 * place, 0, 10 * place + 5, 5) for place in range(6)], np.float32)
    scores = np.array([0.1, 0.6, 0.3, 0.5, 0.2, 0.4], np.float32)
    selection = Selection(iou=0.5, max_candidates=4, max_boxes=3)
    found = selection.finish(boxes, scores, np.zeros(6, np.int32), (100, 100))
    assert found.scores.tolist() == pytest.approx([0.6, 0.5, 0.4])
    assert found.boxes[:, 0].tolist() == [10, 30, 50]
