"""The layers in the architecture page are those of the import contracts, and `make verify` says when they are not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tools.diagrams.layers import page_with_layers

from support.tree import ROOT

PAGE = "docs/design/architecture.md"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the page is made from, and the script that `make verify` calls."""
    for name in (PAGE, "pyproject.toml", "scripts/generate"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("tools/diagrams", "operator/src/videojob"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def verify(clone: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(clone / "scripts/generate"), "--check", PAGE]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def test_the_committed_page_is_current(clone: Path) -> None:
    result = verify(clone)
    assert (result.returncode, result.stdout) == (0, "")


def test_a_changed_order_of_the_layers_makes_the_page_stale(clone: Path) -> None:
    edit(
        clone / "pyproject.toml",
        '  "videojob.media",\n  "videojob.results",\n',
        '  "videojob.results",\n  "videojob.media",\n',
    )
    result = verify(clone)
    assert result.returncode == 1
    assert "+    ports --> results" in result.stdout
    assert result.stdout.endswith(f"not current: {PAGE}; run `make generate`\n")


def test_a_layer_drawn_by_hand_makes_the_page_stale(clone: Path) -> None:
    edit(clone / PAGE, "    worker --> adapters\n", "    worker --> adapters & media\n")
    assert verify(clone).returncode == 1


def test_layers_side_by_side_are_one_row_and_inner_orders_are_in_the_table() -> None:
    page = page_with_layers((ROOT / PAGE).read_text(), ROOT)
    assert "    cli --> controller & local\n    controller & local --> worker\n" in page
    assert "| `results` | " in page
    assert " | `report` → `run_facts`, `stored` → `aggregate` → `words` |" in page


def test_a_layer_without_a_module_is_named(clone: Path) -> None:
    edit(clone / "pyproject.toml", '  "videojob.media",\n', '  "videojob.media",\n  "videojob.pictures",\n')
    with pytest.raises(ValueError, match="no such module"):
        page_with_layers((clone / PAGE).read_text(), clone)


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        page_with_layers("# Architecture\n", ROOT)
