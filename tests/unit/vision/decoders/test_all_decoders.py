"""What holds for every box decoder: batches, empty results, refusals, plug-ins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from support.box_answers import DETR_BOXES, SIZE, SSD_BOXES, SSD_SCORES, V8, contract, decode, face_heads, filled, rows
from videojob.errors import InvalidModelOutput, ModelSignatureMismatch
from videojob.results.aggregate.accumulate import SegmentAccumulator
from videojob.video.info import Segment
from videojob.vision.boxes import Floats
from videojob.vision.decoders import create_decoder, decoder_names
from videojob.vision.decoders.base import Selection

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


OVER_1 = np.float16(1.0009766)
"""The half-precision number after 1."""


@pytest.mark.parametrize(
    ("name", "outputs", "options"),
    [
        ("centerface", face_heads() | {"heatmap": np.where(face_heads()["heatmap"] > 0.5, OVER_1, 0)}, {}),
        ("classification", {"scores": np.array([-0.0005, 0.25, OVER_1])}, {"activation": "none"}),
        ("ssd", {"boxes": SSD_BOXES, "scores": np.where(np.isclose(SSD_SCORES, 0.9), OVER_1, SSD_SCORES)}, {}),
        ("yolo", {"predictions": np.where(np.isclose(V8.T, 0.9), OVER_1, V8.T)}, {}),
    ],
)
def test_a_score_that_half_precision_rounds_over_1_is_1_and_is_counted(
    name: str, outputs: dict[str, NDArray[Any]], options: dict[str, Any]
) -> None:
    halves = {key: value[None].astype(np.float16) for key, value in outputs.items()}
    given = EVERY_DECODER[name][1] | options
    [found] = create_decoder(contract(name, tuple(outputs), **given)).decode(halves, SIZE, SIZE, 0.2)
    assert found.scores.max() == 1
    accumulator = SegmentAccumulator(Segment(0, 0, None, None), window_ms=1000, presence_gap_ms=1000)
    accumulator.add(0, found)
    [window] = accumulator.finish(frames_decoded=1).windows
    assert max(item.score_max_ppm for item in window.classes) == 1_000_000


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
