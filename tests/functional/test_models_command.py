"""`videojob models` as a person types it: what it prints, what `--json` prints, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from support.command import videojob
from support.models import built_repository
from support.onnx_graphs import GraphInput, answering

NARROW = {"COLUMNS": "100"}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An ONNX file of a detector with three classes, and names.txt beside it."""
    predictions = np.zeros((7, 84), np.float32)
    predictions[:, 5] = [32, 32, 20, 10, 0.1, 0.9, 0.2]
    onnx.save(answering({"predictions": predictions}, GraphInput(batch=1)), tmp_path / "cars.onnx")
    (tmp_path / "names.txt").write_text("person\ncar\ndog\n", encoding="utf-8")
    return tmp_path / "cars.onnx"


def added(export: Path, *arguments: str | Path) -> list[str | Path]:
    labels = export.parent / "names.txt"
    place = export.parent / "repository"
    return [
        "models",
        "add",
        export,
        "--name",
        "cars",
        "--decoder",
        "yolo",
        "--labels",
        labels,
        "--repository",
        place,
        *arguments,
    ]


def test_an_added_model_is_listed_and_shown(export: Path) -> None:
    done = videojob(*added(export, "--option", "iou=0.6", "--mean", "0.1,0.2,0.3", "--std", "0.5", "--colour", "BGR"))
    assert done.code == 0, done.err
    assert "cars  added: " in done.out
    assert "ms per frame on one core" in done.out
    assert "batch axis was fixed at 1" in done.out
    assert "model.name: cars" in done.out

    repository = export.parent / "repository"
    listed = videojob("models", "list", "--repository", repository, **NARROW)
    assert listed.code == 0
    assert [line.split()[:2] for line in listed.out.splitlines()] == [["MODEL", "DECODER"], ["cars", "yolo"]]
    shown = videojob("models", "show", "cars", "--repository", repository, **NARROW)
    assert shown.code == 0
    for text in ("frames: UINT8 NHWC BGR, 64 x 64", "yolo (iou=0.6)", "person, car, dog", "ready, version 1"):
        assert text in shown.out


def test_a_table_into_a_pipe_is_not_cut(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    (export.parent / "names.txt").write_text("\n".join(letter * 40 for letter in "abc"), encoding="utf-8")
    assert videojob(*added(export)).code == 0
    repository = export.parent / "repository"
    listed = videojob("models", "list", "--repository", repository)
    assert len(listed.out.splitlines()) == 2
    assert f"{'a' * 40}, {'b' * 40}, {'c' * 40}" in listed.out


def test_scripts_get_documents(export: Path) -> None:
    done = videojob(*added(export, "--json"))
    assert done.document["model"]["labels"] == ["person", "car", "dog"]
    assert done.document["trial"]["width"] == 64
    repository = export.parent / "repository"
    [entry] = json.loads(videojob("models", "list", "--json", "--repository", repository).out)
    assert (entry["name"], entry["versions"], entry["error"]) == ("cars", [1], None)
    shown = videojob("models", "show", "cars", "--json", "--repository", repository).document
    assert shown["model"]["pixels"]["dtype"] == "UINT8"


def test_a_model_that_does_not_fit_ends_with_1_and_what_to_do(export: Path) -> None:
    (export.parent / "names.txt").write_text("car\n", encoding="utf-8")
    done = videojob(*added(export))
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("ModelSignatureMismatch: the output 'predictions' has shape (2, 7, 84); with 1 labels")
    assert "Give one label for each class" in done.err
    assert not (export.parent / "repository" / "cars").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mean", "1,2"), "neither one number nor three"),
        (("--std", "wide"), "neither one number nor three"),
        (("--option", "iou"), "is not KEY=VALUE"),
        (("--pad-value", "300"), "less than or equal to 255"),
        (("--labels", "absent.txt"), "does not exist"),
    ],
)
def test_a_wrong_option_ends_with_2(export: Path, arguments: tuple[str, str], message: str) -> None:
    done = videojob(*added(export, *arguments))
    assert done.code == 2
    assert message in " ".join(done.err.split())


def test_a_broken_model_does_not_hide_the_others(export: Path) -> None:
    videojob(*added(export))
    repository = export.parent / "repository"
    (repository / "broken").mkdir()
    (repository / "broken" / "config.pbtxt").write_text('name: "broken"\n', encoding="utf-8")
    listed = videojob("models", "list", "--repository", repository, **NARROW)
    assert listed.code == 0
    assert "cars" in listed.out
    assert "ModelSignatureMismatch" in listed.out
    shown = videojob("models", "show", "broken", "--repository", repository)
    assert shown.code == 1
    assert "0 inputs" in shown.err


def test_an_unknown_model_is_told_with_those_there_are() -> None:
    shown = videojob("models", "show", "trains", "--repository", built_repository())
    assert shown.code == 1
    assert "face_detector" in shown.err


def test_the_built_in_model_is_listed_before_it_is_built(tmp_path: Path) -> None:
    fresh = videojob("models", "list", "--json")
    names = {entry["name"]: entry for entry in json.loads(fresh.out)}
    assert names["face_detector"]["model"]["decoder"] == "centerface"
    built = videojob("models", "build", "--repository", tmp_path, "--json")
    assert built.document["face_detector"]["built"]
    again = videojob("models", "build", "--repository", tmp_path)
    assert again.out.startswith("face_detector  already built: ")
