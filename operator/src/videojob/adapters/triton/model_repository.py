"""Reads a Triton model repository from its folder: no server, no model runtime.

The same `contract_from_config` reads a server's answer, so a model looks the same from both sides.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, TypeVar

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from videojob.adapters.triton.config import parse_config
from videojob.errors import ModelLoadFailed, ModelNotFound, ModelSignatureMismatch
from videojob.vision.contract import contract_from_config
from videojob.vision.tensors import ModelContract

P = TypeVar("P", bound=PurePath)
CONFIG_NAME = "config.pbtxt"
LABELS_NAME = "labels.txt"
DEFAULT_FILE = "model.onnx"
HALF = ".fp16"
"""Ends the stem of the file with the same network in half precision."""


@dataclass(frozen=True, slots=True)
class RepositoryModel:
    """One model's folder.

    Attributes:
        name: of the folder and of the model.
        folder: where it lies.
        versions: the numbered folders in it that hold weights, ascending.
        config: as `MessageToDict(..., preserving_proto_field_name=True)` gives it, the name filled in.
    """

    name: str
    folder: Path
    versions: tuple[int, ...]
    config: dict[str, Any]

    @property
    def backend(self) -> str:
        """Triton's backend or platform."""
        return str(self.config.get("backend") or self.config.get("platform") or "")

    def contract(self) -> ModelContract:
        """What a worker would go by.

        Raises:
            ModelSignatureMismatch: config.pbtxt lacks something, or labels.txt says otherwise than it does.
        """
        contract = contract_from_config(self.config)
        labels = self.labels()
        if labels is not None and labels != contract.labels:
            raise ModelSignatureMismatch(
                f"{LABELS_NAME} has {len(labels)} names, the parameter 'labels' has {len(contract.labels)}"
                if len(labels) != len(contract.labels)
                else f"{LABELS_NAME} and the parameter 'labels' differ",
                uri=self.name,
                hint="Give both the same class names in the same order.",
            )
        return contract

    def labels(self) -> tuple[str, ...] | None:
        """The lines of labels.txt; None when there is no such file."""
        path = self.folder / LABELS_NAME
        return read_labels(path) if path.is_file() else None


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line; empty lines at the end do not count.

    Raises:
        ModelLoadFailed: it cannot be read as UTF-8 text, or a line between others is empty.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadFailed(f"cannot read the labels: {error}", uri=str(path)) from error
    if not all(lines):
        raise ModelLoadFailed(
            f"line {lines.index('') + 1} is empty", uri=str(path), hint="One class name a line, by class id from 0."
        )
    return tuple(lines)


def read_model(folder: Path) -> RepositoryModel:
    """One model's folder.

    Raises:
        ModelNotFound: there is no config.pbtxt in it.
        ModelLoadFailed: the config is no ModelConfig, or names another model.
    """
    path = folder / CONFIG_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelNotFound(
            f"there is no {CONFIG_NAME}", uri=str(folder), hint="A model is a folder <repository>/<name>/config.pbtxt."
        ) from error
    config = parse_config(text, str(path))
    if config.setdefault("name", folder.name) != folder.name:
        raise ModelLoadFailed(
            f"config.pbtxt names the model {config['name']!r}, its folder is {folder.name!r}",
            uri=str(path),
            hint="Make them the same.",
        )
    versions = sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdigit() and _has_files(entry))
    return RepositoryModel(folder.name, folder, tuple(versions), config)


def find_model(repository: Path, name: str) -> RepositoryModel:
    """The model of this name.

    Raises:
        ModelNotFound: there is none; the hint names those there are.
    """
    known = {path.parent.name: path.parent for path in repository.glob(f"*/{CONFIG_NAME}")}
    if name not in known:
        names = ", ".join(sorted(known)) or "none"
        raise ModelNotFound(f"the repository {repository} has no such model", uri=name, hint=f"It has: {names}.")
    return read_model(known[name])


def onnx_files(model: RepositoryModel) -> dict[int, Path]:
    """The ONNX file of each version of a model, under the name that its config gives.

    Raises:
        ModelLoadFailed: a version lacks it, or there is no version.
    """
    name = str(model.config.get("default_model_filename") or DEFAULT_FILE)
    found = {version: model.folder / str(version) / name for version in model.versions}
    missing = [path for path in found.values() if not path.is_file()]
    if missing or not found:
        path = missing[0] if missing else model.folder / "1" / name
        raise ModelLoadFailed(
            f"the weights {path} are missing",
            uri=model.name,
            hint="Run `videojob models build`, or put the file there.",
        )
    return found


def half_path(weights: P) -> P:
    """Where the same network in half precision lies: "model.fp16.onnx" beside "model.onnx"."""
    return weights.with_name(f"{weights.stem}{HALF}{weights.suffix}")


def weights_sha256(weights: Mapping[int, Path]) -> str:
    """What the parameter `weights_sha256` means, wherever it is written.

    Args:
        weights: the ONNX file of each version, as `onnx_files` gives them.

    Returns:
        sha256 of the one file; with several versions, or weights in files of their own, of all names and hashes. The
        network in half precision does not count: it is made from these weights, and `engine` names what is served.
    """
    folders = [weights[version].parent for version in sorted(weights)]
    halves = {half_path(path) for path in weights.values()}
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and path not in halves]
    if len(files) == 1:
        return file_sha256(files[0])
    model = folders[0].parent
    hashes = [(path.relative_to(model).as_posix(), file_sha256(path)) for path in files]
    return hashlib.sha256(repr(hashes).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_digest(folder: Path) -> str:
    """What a cluster's installation pins: "sha256:..." over the names and contents of all files in a model's folder.

    The same for the same files wherever they lie, whatever their times, owners and order on the disk. Files and folders
    that begin with a dot and compiled Python are left out.

    Raises:
        ModelNotFound: no such folder, or nothing in it.
        ModelLoadFailed: a link is in it, whose content it would not pin, or what is neither file nor folder.
    """
    lines = [f"{file_sha256(path)}  {json.dumps(name)}\n" for name, path in sorted(pinned_files(folder).items())]
    if not lines:
        raise ModelNotFound("the model's folder is empty", uri=str(folder))
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def is_pinned(name: str) -> bool:
    """Whether a file of this relative name belongs to the model, and so to its digest."""
    return not any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))


def pinned_files(folder: Path) -> dict[str, Path]:
    """The files of a model's folder that belong to its digest, by their relative names; raises as `model_digest`."""
    if not folder.is_dir():
        raise ModelNotFound("there is no such folder", uri=str(folder))
    found: dict[str, Path] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not is_pinned(name):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelLoadFailed(
                "a model's folder may hold files and folders only, no links", uri=str(path), hint="Put the file there."
            )
        if path.is_file():
            found[name] = path
    return found


def with_parameter(text: str, source: str, key: str, value: str) -> str:
    """A config.pbtxt with one more parameter, its comments kept.

    Args:
        text: content of the file, which must not have the parameter yet.
        source: the file's name, for messages.
        key: of the parameter.
        value: its string value.
    """
    if key in parse_config(text, source).get("parameters", {}):
        raise ModelLoadFailed(f"config.pbtxt has the parameter {key!r} already", uri=source)
    entry = model_config_pb2.ModelConfig()
    entry.parameters[key].string_value = value
    return f"{text.rstrip()}\n{text_format.MessageToString(entry, as_one_line=True)}\n"


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir())
