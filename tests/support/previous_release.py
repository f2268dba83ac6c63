"""The release before this one as a program, from this repository's history: what an upgrade comes from."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "c3147fa1c0d12235e7253b53ccd23ca79a19096d"


@dataclass(frozen=True, slots=True)
class Release:
    """One release, unpacked.

    Attributes:
        folder: of its tree.
    """

    folder: Path

    @property
    def program(self) -> list[str]:
        """Its `videojob`."""
        return [sys.executable, "-c", "from videojob.cli.main import main; main()"]

    @property
    def environment(self) -> dict[str, str]:
        """Puts its code ahead of the installed one."""
        return {"PYTHONPATH": str(self.folder / "operator" / "src")}

    @property
    def crd(self) -> str:
        """Its CRD."""
        return (self.folder / "crds" / "videojob.yaml").read_text(encoding="utf-8")


def unpack_previous_release(folder: Path) -> Release:
    """Unpacks it below a folder. A clone without history has none, and then the test fails."""
    archive = folder / "release.tar"
    subprocess.run(
        ["git", "archive", f"--output={archive}", COMMIT, "operator", "crds", "model_repository"], cwd=ROOT, check=True
    )
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={folder}"], check=True)
    archive.unlink()
    return Release(folder)
