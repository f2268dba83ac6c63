"""The wheel with `[local]`, installed into an empty environment, does outside the clone what the clone does."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.cluster.pins import pins
from support.command import stored_summary, videojob
from support.samples import sample_path
from support.tree import ROOT
from videojob import __version__

TIMEOUT_S = 240


@dataclass(frozen=True)
class Installed:
    """An environment that has the wheel, and a folder outside the clone that has one video."""

    python: Path
    folder: Path
    environment: dict[str, str]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python.parent / command[0], *command[1:]],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    place = tmp_path_factory.mktemp("wheel")
    folder = place / "elsewhere"
    folder.mkdir()
    shutil.copy(sample_path("bikes.mp4"), folder / "bikes.mp4")
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        place / "dist",
    ]
    subprocess.run(build, cwd=ROOT, capture_output=True, timeout=TIMEOUT_S, check=True)
    (wheel,) = (place / "dist").iterdir()
    subprocess.run([sys.executable, "-m", "venv", place / "env"], timeout=TIMEOUT_S, check=True)
    others = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    new = Installed(
        place / "env/bin/python", folder, others | {"HOME": str(place), "XDG_CACHE_HOME": str(place / "cache")}
    )
    (place / "needed.txt").write_text(pins("videojob[local]"))
    install = ("python", "-m", "pip", "install", "--quiet", "--no-compile")
    # In the second step nothing can be fetched, so that what the wheel needs is what the first step installed by hash.
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    for step in (
        ("--only-binary", ":all:", "--require-hashes", "--requirement", place / "needed.txt"),
        ("--no-index", f"videojob[local] @ file://{wheel}#sha256={digest}"),
    ):
        done = new.run(*install, *step)
        assert done.returncode == 0, done.stderr
    return new


def test_the_version_is_that_of_the_clone(installed: Installed) -> None:
    done = installed.run("videojob", "version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")


def test_the_package_of_the_environment_is_run_not_the_clone(installed: Installed) -> None:
    done = installed.run("python", "-c", "import videojob; print(videojob.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.python.parents[1]), done.stderr


def test_a_small_job_ends_with_the_summary_of_the_clone(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = installed.run("videojob", "run", "bikes.mp4")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Completed\n  20 frames of 1 video")
    assert (installed.folder / "videojob-output/bikes/report.html").stat().st_size > 0
    monkeypatch.chdir(installed.folder)
    cloned = videojob("run", "bikes.mp4", "--output", tmp_path)
    assert cloned.code == 0, cloned.err
    assert stored_summary(installed.folder / "videojob-output/bikes") == stored_summary(tmp_path)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("models", "list"), "face_detector"),
        (("estimate", "bikes.mp4"), "frames to infer"),
        (("run", "--help"), "videojob run"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_commands_that_read_data_of_the_package_find_it(
    installed: Installed, command: tuple[str, ...], words: str
) -> None:
    done = installed.run("videojob", *command)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


def test_a_command_for_a_cluster_says_which_extra_is_missing(installed: Installed) -> None:
    done = installed.run("videojob", "doctor")
    assert done.returncode != 0
    assert "pip install 'videojob[cluster]'" in done.stderr
