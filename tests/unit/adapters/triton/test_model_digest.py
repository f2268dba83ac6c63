"""What a installation pins: the same for the same files, another for any other, and only for plain files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from videojob.adapters.triton.model_repository import model_digest
from videojob.errors import ModelError, ModelLoadFailed, ModelNotFound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with three files."""
    folder = tmp_path / "cars"
    (folder / "1").mkdir(parents=True)
    for name in ("config.pbtxt", "labels.txt", "1/model.onnx"):
        (folder / name).write_text(f"content of {name}", encoding="utf-8")
    return folder


def test_it_is_known_so_that_catalogues_outlive_releases(folder: Path) -> None:
    assert model_digest(folder) == "sha256:e1ef2cd2f42a9a79d03cf1fae2a8db7e7df0334086abd3b67970bef2639e206e"


def test_place_time_mode_order_and_what_does_not_count_change_nothing(folder: Path, tmp_path: Path) -> None:
    before = model_digest(folder)
    other = tmp_path / "elsewhere"
    (other / "1" / "__pycache__").mkdir(parents=True)
    (other / ".git").mkdir()
    for name in ("1/__pycache__/model.pyc", ".git/HEAD", "1/.gitkeep", ".marker"):
        (other / name).write_text("x", encoding="utf-8")
    for name in ("labels.txt", "1/model.onnx", "config.pbtxt"):
        shutil.copyfile(folder / name, other / name)
        (other / name).chmod(0o600)
        os.utime(other / name, (1, 1))
    assert model_digest(other) == before
    link = tmp_path / "mounted"
    link.symlink_to(other)
    assert model_digest(link) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "1" / "model.onnx").write_text("content of 1/model.onny", encoding="utf-8"),
        lambda folder: (folder / "labels.txt").rename(folder / "names.txt"),
        lambda folder: (folder / "1").rename(folder / "2"),
        lambda folder: (folder / "new").write_text("", encoding="utf-8"),
        lambda folder: (folder / "labels.txt").unlink(),
        lambda folder: (folder / 'a"\nb').write_text("", encoding="utf-8"),
    ],
)
def test_any_other_content_or_name_is_another(folder: Path, change: Callable[[Path], object]) -> None:
    before = model_digest(folder)
    change(folder)
    assert model_digest(folder) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "1" / "link").symlink_to("/etc/passwd"),
        lambda folder: (folder / "2").symlink_to(folder / "1"),
        lambda folder: os.mkfifo(folder / "pipe"),
    ],
)
def test_what_is_neither_file_nor_folder_is_refused(folder: Path, change: Callable[[Path], object]) -> None:
    change(folder)
    with pytest.raises(ModelLoadFailed, match="no links"):
        model_digest(folder)


@pytest.mark.parametrize("name", ["missing", "empty", "cars/config.pbtxt"])
def test_nothing_has_no_digest(folder: Path, name: str) -> None:
    (folder.parent / "empty").mkdir()
    with pytest.raises(ModelError) as caught:
        model_digest(folder.parent / name)
    assert isinstance(caught.value, ModelNotFound)
