"""The image that the Dockerfile makes: whom it runs as, what it says of itself, what is in it and what is not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from support.cluster.control_plane import ROOT
from support.cluster.image_content import BASE, MB, Image, read_image
from support.cluster.images import project_image
from support.cluster.node import missing

pytestmark = pytest.mark.timeout(1800)

MOST_MB = 500
"""Of what the Dockerfile adds to its base, unpacked."""
PAGE = ROOT / "docs" / "reference" / "image.md"
LAPTOP_ONLY = {"onnx", "onnxruntime", "pyarrow", "triton_python_backend_utils"}
COMPILERS = {"gcc", "g++", "cc", "c++", "clang", "ld", "as", "make", "go", "rustc"}
_IMPORTS = """
import importlib, json, pkgutil, sys
import boto3, videojob
missing = {}
for module in pkgutil.walk_packages(videojob.__path__, "videojob."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing[module.name] = error.name
for service in ("s3", "dynamodb", "sts", "sso", "sso-oidc", "service-quotas"):
    boto3.client(service, region_name="eu-central-1")
json.dump(missing, sys.stdout)
"""


@pytest.fixture(scope="module")
def image() -> Image:
    lacking = missing()
    if lacking:
        pytest.fail(lacking)
    return read_image(project_image())


@pytest.fixture(scope="module")
def own_files(image: Image) -> list[tarfile.TarInfo]:
    """What the Dockerfile adds."""
    return list(image.files(own=True))


@pytest.fixture(scope="module")
def root(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The image's files as they are seen from inside."""
    folder = tmp_path_factory.mktemp("image")
    unpacked = folder / "archive"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", image.archive, "-C", unpacked, *image.layers], check=True, timeout=600)
    tree = folder / "root"
    tree.mkdir()
    for layer in image.layers:
        subprocess.run(["tar", "-xf", unpacked / layer, "-C", tree], check=True, timeout=600)
    yield tree
    shutil.rmtree(folder)


def said(root: Path, *command: str) -> str:
    """What a command in the image says to its user without a name."""
    inside = ["chroot", "--userspec=65532:65532", str(root), *command]
    # chroot itself lies where only root looks.
    env = {"PATH": "/opt/videojob/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    done = subprocess.run(inside, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_runs_as_a_user_by_number_that_is_not_root(image: Image) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.config["User"])
    assert image.config["Entrypoint"] == ["videojob"]


def test_its_labels_are_those_of_the_open_containers(image: Image) -> None:
    prefix = "org.opencontainers.image."
    labels = {name.removeprefix(prefix): text for name, text in image.config["Labels"].items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (labels["title"], labels["version"]) == (project["name"], project["version"])
    assert labels["licenses"] == project["license"]
    assert labels["description"]
    assert "revision" in labels


def test_there_is_no_compiler_and_no_server_in_it(image: Image) -> None:
    names = {PurePosixPath(entry.name).name for entry in image.files() if entry.mode & 0o111 and not entry.isdir()}
    assert names & (COMPILERS | {"tritonserver"}) == set()


def test_what_only_makes_runs_or_tests_other_things_is_left_out(own_files: list[tarfile.TarInfo]) -> None:
    paths = [PurePosixPath(entry.name) for entry in own_files]
    packages = {
        path.parts[path.parts.index("site-packages") + 1] for path in paths if "site-packages" in path.parts[:-1]
    }
    unwanted = {"pip", "setuptools", "pytriton", "onnx", "onnxruntime", "tritonserver", "hatchling", "pytest", "moto"}
    assert packages & unwanted == set()
    assert not {path.name for path in paths} & {"pip", "pip3"}
    assert [str(path) for path in paths if path.suffix == ".pyi" or "tests" in path.parts] == []
    assert [str(path) for path in paths if path.parts[-2:] in {("kubernetes", "aio"), ("cv2", "data")}] == []


def test_nobody_but_root_may_change_it_and_nothing_gives_rights(own_files: list[tarfile.TarInfo]) -> None:
    files = [entry for entry in own_files if not entry.issym()]
    assert [entry.name for entry in files if entry.mode & 0o022 or entry.mode & 0o6000] == []
    assert {(entry.uid, entry.gid) for entry in files} == {(0, 0)}


def test_modules_are_compiled_because_the_root_is_read_only(own_files: list[tarfile.TarInfo]) -> None:
    names = {entry.name for entry in own_files}
    own = [PurePosixPath(name) for name in names if "/videojob/" in name and name.endswith(".py")]
    assert len(own) > 100
    lacking = [path for path in own if str(path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc") not in names]
    assert lacking == []


def test_it_is_small_and_the_page_says_of_what(image: Image) -> None:
    rows = image.rows()
    found = {row.name: row.unpacked_bytes / MB for row in rows}
    assert sum(found.values()) - found[BASE] < MOST_MB
    cells = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    told = {row[0]: float(row[1]) for row in cells if row[1].isdigit()}
    assert told.pop("all") == pytest.approx(sum(found.values()), rel=0.05)
    assert set(told) == set(found), "scripts/image-table prints the table again"
    for name, size_mb in found.items():
        assert told[name] == pytest.approx(size_mb, rel=0.15, abs=2), name


@pytest.mark.parametrize("command", ["controller", "worker"])
def test_its_commands_answer(root: Path, command: str) -> None:
    text = said(root, "videojob", command, "--help")
    assert f"videojob {command}" in text


def test_nothing_that_is_left_out_is_missed(root: Path) -> None:
    missed = json.loads(said(root, "python3", "-c", _IMPORTS))
    assert set(missed.values()) <= LAPTOP_ONLY
    assert not any(name.startswith(("videojob.controller", "videojob.worker", "videojob.media")) for name in missed)
