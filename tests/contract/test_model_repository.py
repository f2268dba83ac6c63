"""A config.pbtxt, the graph beside it and the labels say the same thing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest

from support.models import ROOT, built_repository
from videojob.adapters.triton.model_repository import (
    RepositoryModel,
    find_model,
    read_labels,
    read_model,
    with_parameter,
)
from videojob.errors import ModelLoadFailed, ModelNotFound, ModelSignatureMismatch
from videojob.local.models.graph import inputs_of, shape_of
from videojob.local.models.runtime import OnnxRun
from videojob.local.models.trial import check_outputs, triton_type, weights_path
from videojob.vision.decoders import create_decoder

CONFIG = """
name: "cars"
backend: "onnxruntime"
max_batch_size: 4
input [ { name: "frames" data_type: TYPE_UINT8 dims: [ 64, 64, 3 ] } ]
output [ { name: "predictions" data_type: TYPE_FP32 dims: [ 7, 84 ] } ]
parameters { key: "decoder" value { string_value: "yolo" } }
parameters { key: "input_layout" value { string_value: "NHWC" } }
parameters { key: "input_colour" value { string_value: "RGB" } }
parameters { key: "labels" value { string_value: "car,van,bus" } }
"""


def write_model(repository: Path, name: str = "cars", config: str = CONFIG, labels: str | None = None) -> Path:
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")
    if labels is not None:
        (folder / "labels.txt").write_text(labels, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def face_detector() -> RepositoryModel:
    return find_model(built_repository(), "face_detector")


def test_the_graph_has_the_inputs_and_outputs_of_the_config(face_detector: RepositoryModel) -> None:
    graph = onnx.load(weights_path(face_detector)).graph
    declared = {
        str(tensor["name"]): [int(dim) for dim in tensor["dims"]]
        for kind in ("input", "output")
        for tensor in face_detector.config[kind]
    }
    found = {
        value.name: [length if isinstance(length, int) else -1 for length in shape_of(value)]
        for value in (*inputs_of(graph), *graph.output)
    }
    assert {name: shape[0] for name, shape in found.items()} == dict.fromkeys(declared, -1), "the batch axis is free"
    assert {name: shape[1:] for name, shape in found.items()} == declared


@pytest.mark.parametrize(("count", "height", "width"), [(1, 288, 640), (3, 352, 640), (2, 640, 352), (1, 32, 32)])
def test_every_batch_and_size_runs_and_is_read(
    face_detector: RepositoryModel, count: int, height: int, width: int
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    contract = face_detector.contract()
    outputs = OnnxRun(weights_path(face_detector)).run({contract.pixels.name: frames})
    check_outputs(face_detector, outputs, count)
    assert set(contract.outputs) == set(outputs), "nothing is computed that nobody reads"
    assert len(create_decoder(contract).decode(outputs, width, height, 0.3)) == count


def test_types_are_those_of_the_config(face_detector: RepositoryModel) -> None:
    outputs = OnnxRun(weights_path(face_detector)).run({"frames": np.zeros((1, 32, 32, 3), np.uint8)})
    declared = {tensor["name"]: tensor["data_type"] for tensor in face_detector.config["output"]}
    assert {name: f"TYPE_{triton_type(values.dtype)}" for name, values in outputs.items()} == declared


def test_the_config_knows_the_weights_it_was_built_with(face_detector: RepositoryModel) -> None:
    digest = hashlib.sha256(weights_path(face_detector).read_bytes()).hexdigest()
    assert face_detector.config["parameters"]["weights_sha256"]["string_value"] == digest


@pytest.mark.parametrize("folder", sorted(path.parent for path in (ROOT / "model_repository").glob("*/config.pbtxt")))
def test_committed_models_are_described_in_full(folder: Path) -> None:
    model = read_model(folder)
    contract = model.contract()
    assert model.labels() == contract.labels
    create_decoder(contract)
    assert model.versions == (), "weights are built, not committed"


def test_labels_that_differ_from_the_config_are_refused(tmp_path: Path) -> None:
    model = read_model(write_model(tmp_path, labels="car\nvan\n"))
    with pytest.raises(ModelSignatureMismatch, match=r"labels.txt has 2 names, the parameter 'labels' has 3"):
        model.contract()
    (model.folder / "labels.txt").write_text("van\ncar\nbus\n", encoding="utf-8")
    with pytest.raises(ModelSignatureMismatch, match="differ"):
        model.contract()
    (model.folder / "labels.txt").write_text("car\nvan\nbus\n\n", encoding="utf-8")
    assert model.contract().labels == ("car", "van", "bus")


def test_versions_are_the_numbered_folders_with_weights(tmp_path: Path) -> None:
    folder = write_model(tmp_path)
    assert read_model(folder).versions == ()
    for version in ("1", "10", "2"):
        (folder / version).mkdir(exist_ok=True)
        (folder / version / "model.onnx").write_bytes(b"weights")
    assert read_model(folder).versions == (1, 2, 10)


def test_an_unknown_model_is_named_with_those_there_are(tmp_path: Path) -> None:
    write_model(tmp_path)
    with pytest.raises(ModelNotFound) as caught:
        find_model(tmp_path, "trains")
    assert caught.value.uri == "trains"
    assert "cars" in caught.value.hint


def test_a_folder_without_a_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"no config.pbtxt"):
        read_model(tmp_path)


def test_a_config_with_another_name_than_its_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="'cars', its folder is 'vans'"):
        read_model(write_model(tmp_path, "vans"))


def test_a_config_without_a_name_has_that_of_its_folder(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "vans", CONFIG.replace('name: "cars"', ""))
    assert read_model(folder).contract().name == "vans"


def test_a_config_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadFailed, match="3:1"):
        read_model(write_model(tmp_path, config='name: "cars"\nbackend: "onnxruntime"\nbatch: 3\n'))


def test_an_empty_line_between_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("car\n\nbus\n", encoding="utf-8")
    with pytest.raises(ModelLoadFailed, match="line 2 is empty"):
        read_labels(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_labels_that_cannot_be_read_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelLoadFailed, match="cannot read the labels"):
        read_labels(path)


def test_a_parameter_is_added_without_losing_comments() -> None:
    text = with_parameter("# why\n" + CONFIG, "config.pbtxt", "weights_sha256", "abc")
    assert text.startswith("# why\n")
    assert 'key: "weights_sha256"' in text
    with pytest.raises(ModelLoadFailed, match="already"):
        with_parameter(text, "config.pbtxt", "weights_sha256", "abc")
