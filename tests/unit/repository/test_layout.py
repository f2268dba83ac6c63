"""Promises about the tree itself that no tool checks by itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from support.tree import ROOT

LARGEST_BYTES = 1_000_000


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    return [(path, path.read_text(errors="ignore")) for path in tracked()]


def test_nothing_importable_lies_directly_in_operator() -> None:
    # `operator` is a module of the standard library: a package of that name breaks `import dataclasses` for everybody.
    folder = ROOT / "operator"
    assert [path.name for path in folder.iterdir() if path.suffix == ".py"] == []
    assert [path.name for path in folder.iterdir()] == ["src"]


def test_the_standard_library_operator_is_not_shadowed() -> None:
    script = "import operator, dataclasses; assert hasattr(operator, 'itemgetter')"
    subprocess.run(["python3", "-c", script], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "pattern",
    [
        r"https?://\S+/simple/?(\s|$)",
        "py" + r"pi\.org|files\.python" + r"hosted\.org",
        "registry" + r"\.npmjs\.org|proxy\.go" + r"lang\.org|repo1?\.maven\.|repo\.maven\.ap" + "ache",
        r"(?<![\w./-])/(work|root|home)/\w",
    ],
)
def test_no_file_names_a_registry_or_a_place_on_somebodys_machine(pattern: str) -> None:
    found = [str(path.relative_to(ROOT)) for path, text in texts() if re.search(pattern, text)]
    assert found == []


def test_nothing_large_is_committed() -> None:
    assert [str(path) for path in tracked() if path.stat().st_size > LARGEST_BYTES] == []
