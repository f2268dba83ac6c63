"""A model's folder is replaced whole or stays as it was, and hostile file names stay in their comment."""

from __future__ import annotations

from pathlib import Path

import pytest

from videojob.adapters.files.folders import replace_folder
from videojob.adapters.triton.config import parse_config
from videojob.local.models.config_text import ConfigText, TensorText


def model(repository: Path, content: str) -> Path:
    """A folder with one file."""
    folder = repository / "cars"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(content, encoding="utf-8")
    return folder


def names(folder: Path) -> list[str]:
    """What lies in a folder, hidden things too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_replaced_by_what_the_block_wrote(tmp_path: Path) -> None:
    folder = model(tmp_path, "old")
    with replace_folder(folder) as unfinished:
        (unfinished / "weights").write_text("new", encoding="utf-8")
    assert (folder / "weights").read_text(encoding="utf-8") == "new"
    assert names(tmp_path) == ["cars"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path: Path) -> None:
    folder = model(tmp_path, "old")
    with pytest.raises(FileNotFoundError), replace_folder(folder) as unfinished:
        unfinished.rmdir()  # the second rename then fails, as on a broken disk
    assert (folder / "weights").read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["cars"]


@pytest.mark.parametrize("moved", [True, False], ids=["killed between the renames", "killed before"])
def test_what_a_killed_process_left_is_put_back_or_removed(moved: bool, tmp_path: Path) -> None:
    stale = tmp_path / ".unfinished-abc"
    (stale / "cars").mkdir(parents=True)
    model(stale / ".replaced" if moved else tmp_path, "old")
    with replace_folder(tmp_path / "lorries"):
        pass
    assert (tmp_path / "cars" / "weights").read_text(encoding="utf-8") == "old"
    assert names(tmp_path) == ["cars", "lorries"]


def test_a_file_name_cannot_write_lines_into_the_config() -> None:
    text = ConfigText(
        name="cars",
        origin='x.onnx\nbackend: "python"\n#\u2028',
        max_batch=0,
        frames=TensorText("frames", "UINT8", (1, 8, 8, 3)),
        outputs=[TensorText("scores", "FP32", (1, 2))],
        preprocessing="nothing",
        parameters={},
    )
    assert parse_config(str(text), "config.pbtxt")["backend"] == "onnxruntime"
    assert "\u2028" not in str(text)
