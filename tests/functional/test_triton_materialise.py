"""How several models share a machine, and that a model's weights have one name wherever it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from support.onnx_graphs import answering
from support.triton import write_filter
from support.workshop import Workshop
from videojob.adapters.triton.model_repository import find_model, onnx_files, weights_sha256
from videojob.errors import ModelLoadFailed
from videojob.local.models.trial import weights_path
from videojob.local.triton.materialise import materialise

ENSEMBLE = """
name: "both"
platform: "ensemble"
ensemble_scheduling { step [ { model_name: "first" model_version: -1 }, { model_name: "second" model_version: -1 } ] }
"""


def served(repository: Path, model: str, folder: Path, *, cpus: int = 2) -> Path:
    """The embedded form of a model and its parts."""
    target = folder / "served"
    target.mkdir()
    materialise(repository, [model], target, cache_folder=folder / "cache", cpus=cpus)
    return target


@pytest.mark.parametrize(("cpus", "instances"), [(4, 2), (3, 1), (1, 1)])
def test_the_models_of_an_ensemble_share_the_cores(cpus: int, instances: int, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    for name in ("first", "second"):
        write_filter(repository, name)
    (repository / "both").mkdir()
    (repository / "both" / "config.pbtxt").write_text(ENSEMBLE, encoding="utf-8")
    target = served(repository, "both", tmp_path, cpus=cpus)
    counts = [find_model(target, name).config["instance_group"][0]["count"] for name in ("first", "second")]
    assert counts == [instances, instances]


def test_an_added_model_keeps_its_weights_hash_when_it_is_served(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    model = answering({"predictions": np.zeros((7, 84), np.float32)})
    onnx.save(model, workshop.path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    workshop.add()
    target = served(workshop.repository, "cars", tmp_path)
    hashes = [
        find_model(place, "cars").config["parameters"]["weights_sha256"] for place in (workshop.repository, target)
    ]
    assert hashes[0] == hashes[1]


def test_other_weights_beside_the_graph_are_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "m" / "1" / "model.onnx"
    (path.parent / "deep").mkdir(parents=True)
    path.write_bytes(b"graph")
    hashes = {weights_sha256({1: path})}
    for content in (b"a", b"b"):
        (path.parent / "deep" / "weights.bin").write_bytes(content)
        hashes.add(weights_sha256({1: path}))
    assert len(hashes) == 3


def test_the_weights_have_the_name_that_the_config_gives(tmp_path: Path) -> None:
    folder = write_filter(tmp_path)
    (folder / "1" / "model.onnx").rename(folder / "1" / "best.onnx")
    with pytest.raises(ModelLoadFailed, match=r"model\.onnx are missing"):
        weights_path(find_model(tmp_path, "filter"))
    config = folder / "config.pbtxt"
    config.write_text(config.read_text(encoding="utf-8") + 'default_model_filename: "best.onnx"\n', encoding="utf-8")
    assert weights_path(find_model(tmp_path, "filter")) == folder / "1" / "best.onnx"
    assert onnx_files(find_model(tmp_path, "filter")) == {1: folder / "1" / "best.onnx"}
