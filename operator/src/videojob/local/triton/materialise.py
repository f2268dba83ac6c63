"""Turns a repository written for the official Triton image into one that the embedded server can run.

An `onnxruntime` model keeps its name, tensors and parameters, and gets the Python backend with our shim, which opens the
original ONNX file where it lies. A `python` model passes through unchanged.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from videojob.adapters.triton_config import embedded_config, parse_config
from videojob.errors import ModelLoadFailed, ModelNotFound

_SHIM = Path(__file__).parent / "shim"
_DEFAULT_FILE = "model.onnx"


def materialise(repository: Path, models: Sequence[str], target: Path, *, cache_folder: Path, cpus: int) -> None:
    """Writes the embedded form of `models` into the empty folder `target`.

    Args:
        repository: folder with one folder per model.
        models: names to prepare; an ensemble brings its parts along.
        target: where the result goes.
        cache_folder: for calibrations.
        cpus: cores that the models may use in total.

    Raises:
        ModelNotFound: no such folder; names those that are there.
        ModelLoadFailed: a config or weights file is missing or wrong, or the backend is none of ours.
    """
    waiting, done = list(models), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in done:
            continue
        done.add(name)
        folder = _model_folder(repository, name)
        config = _read_config(folder)
        waiting += [str(step["model_name"]) for step in config.get("ensemble_scheduling", {}).get("step", ())]
        if _is_onnx(config):
            _materialise_onnx(folder, config, target / name, cpus=cpus)
        elif config.get("backend") == "python" or config.get("platform") == "ensemble":
            shutil.copytree(folder, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            backend = config.get("backend") or config.get("platform") or "none"
            raise ModelLoadFailed(
                f"the embedded Triton runs ONNX and Python models, not backend {backend!r}",
                uri=name,
                hint="Export the model to ONNX, or point at a server that has it: --triton-url HOST:PORT.",
            )


def _model_folder(repository: Path, name: str) -> Path:
    folder = repository / name
    if "/" not in name and name not in {"", ".", ".."} and (folder / "config.pbtxt").is_file():
        return folder
    known = sorted(path.parent.name for path in repository.glob("*/config.pbtxt"))
    raise ModelNotFound(
        f"the repository {repository} has no model of this name",
        uri=name,
        hint=f"It has: {', '.join(known)}." if known else "It has no model at all.",
    )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.pbtxt"
    config = parse_config(path.read_text(encoding="utf-8"), str(path))
    if config.get("name", folder.name) != folder.name:
        raise ModelLoadFailed(f"config.pbtxt names the model {config['name']!r}", uri=folder.name)
    return config


def _is_onnx(config: Mapping[str, Any]) -> bool:
    return config.get("backend") == "onnxruntime" or config.get("platform") == "onnxruntime_onnx"


def _materialise_onnx(folder: Path, config: Mapping[str, Any], target: Path, *, cpus: int) -> None:
    versions = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdigit())
    if not versions:
        raise ModelLoadFailed("the model has no version folder", uri=folder.name, hint="Put its file into 1/.")
    target.mkdir()
    for path in folder.iterdir():
        if path.is_file() and path.name != "config.pbtxt":
            shutil.copy2(path, target / path.name)
    for version in versions:
        weights = version / str(config.get("default_model_filename") or _DEFAULT_FILE)
        if not weights.exists():
            raise ModelLoadFailed(
                f"{weights} is missing", uri=folder.name, hint="Run `videojob models build`, or put the file there."
            )
        place = target / version.name
        place.mkdir()
        for source in ("model.py", "onnx_engine.py"):
            shutil.copy2(_SHIM / source, place / source)
        settings = {"weights": str(weights.resolve()), "chunk": 1, "threads": 1}
        (place / "shim.json").write_text(json.dumps(settings), encoding="utf-8")
    path = folder / "config.pbtxt"
    text = embedded_config(path.read_text(encoding="utf-8"), str(path), instances=max(1, cpus), preferred_batch=1)
    (target / "config.pbtxt").write_text(text, encoding="utf-8")
