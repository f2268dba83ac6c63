"""Turns a repository written for the official Triton image into one that the embedded server can run.

An `onnxruntime` model keeps its name, tensors and parameters, and gets the Python backend with our shim, which opens
the original ONNX file where it lies. A `python` model passes through unchanged.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from videojob.adapters.model_repository import CONFIG_NAME, RepositoryModel, find_model, with_parameter
from videojob.adapters.triton_config import embedded_config
from videojob.errors import ModelLoadFailed
from videojob.local.triton.calibration import ShimPlan, free_memory_bytes, make_plan, timings_for

_SHIM = Path(__file__).parent / "shim"
_SHIM_FILES = ("model.py", "onnx_engine.py")
_DEFAULT_FILE = "model.onnx"
_ONNX_BACKENDS = ("onnxruntime", "onnxruntime_onnx")


def materialise(repository: Path, models: Sequence[str], target: Path, *, cache_folder: Path, cpus: int) -> None:
    """Writes the embedded form of `models` into the empty folder `target`.

    Args:
        repository: folder with one folder per model.
        models: names to prepare; an ensemble brings its parts along.
        target: where the result goes.
        cache_folder: for calibrations.
        cpus: cores that a model may use.

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
        model = find_model(repository, name)
        waiting += [str(step["model_name"]) for step in model.config.get("ensemble_scheduling", {}).get("step", ())]
        if model.backend in _ONNX_BACKENDS:
            _materialise_onnx(model, target / name, cache_folder=cache_folder, cpus=cpus)
        elif model.backend in {"python", "ensemble"}:
            shutil.copytree(model.folder, target / name, ignore=shutil.ignore_patterns("__pycache__"))
            _sign(target / name, repository, model)
        else:
            raise ModelLoadFailed(
                f"the embedded Triton runs ONNX and Python models, not backend {model.backend!r}",
                uri=name,
                hint="Export the model to ONNX, or point at a server that has it: --triton-url HOST:PORT.",
            )


def _materialise_onnx(model: RepositoryModel, target: Path, *, cache_folder: Path, cpus: int) -> None:
    weights = _weights(model)
    timings = timings_for(model.config, weights[max(weights)], cache_folder)
    max_batch = int(model.config.get("max_batch_size", 0))
    plan = make_plan(timings, max_batch=max_batch, cpus=cpus, free_bytes=free_memory_bytes())
    target.mkdir()
    for path in model.folder.iterdir():
        if path.is_file() and path.name != CONFIG_NAME:
            shutil.copy2(path, target / path.name)
    for version, file in weights.items():
        _write_shim(target / str(version), file, plan)
    path = model.folder / CONFIG_NAME
    text = embedded_config(
        path.read_text(encoding="utf-8"),
        str(path),
        instances=plan.instances,
        max_batch=plan.max_batch,
        on_gpu=plan.provider.startswith("CUDA"),
        weights_sha256=_weights_sha256(weights),
    )
    (target / CONFIG_NAME).write_text(text, encoding="utf-8")


def _weights(model: RepositoryModel) -> dict[int, Path]:
    """The ONNX file of each version."""
    name = str(model.config.get("default_model_filename") or _DEFAULT_FILE)
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


def _sign(folder: Path, repository: Path, model: RepositoryModel) -> None:
    """Puts a hash over the model's files, and over those of an ensemble's parts, into its served description."""
    key, path = "weights_sha256", folder / CONFIG_NAME
    if key not in model.config.get("parameters", {}):
        text = path.read_text(encoding="utf-8")
        path.write_text(with_parameter(text, str(path), key, _files_sha256(repository, model)), encoding="utf-8")


def _files_sha256(repository: Path, model: RepositoryModel) -> str:
    files = sorted(path for path in model.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    hashes = [(str(path.relative_to(model.folder)), _file_sha256(path)) for path in files]
    steps = model.config.get("ensemble_scheduling", {}).get("step", ())
    parts = sorted({str(step["model_name"]) for step in steps} - {model.name})
    hashes += [(name, _files_sha256(repository, find_model(repository, name))) for name in parts]
    return hashlib.sha256(repr(hashes).encode()).hexdigest()


def _weights_sha256(weights: Mapping[int, Path]) -> str:
    """sha256 of the one weights file; with several versions or external data, of all their names and hashes."""
    files = [
        path for version in sorted(weights) for path in sorted(weights[version].parent.iterdir()) if path.is_file()
    ]
    hashes = [(str(path.relative_to(path.parents[1])), _file_sha256(path)) for path in files]
    if len(hashes) == 1:
        return hashes[0][1]
    return hashlib.sha256(repr(hashes).encode()).hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_shim(folder: Path, weights: Path, plan: ShimPlan) -> None:
    folder.mkdir()
    for name in _SHIM_FILES:
        shutil.copy2(_SHIM / name, folder / name)
    settings = {"weights": str(weights.resolve()), **asdict(plan)}
    (folder / "shim.json").write_text(json.dumps(settings), encoding="utf-8")
