"""Turns a repository written for the official Triton image into one that the embedded server can run.

An `onnxruntime` model keeps its name, tensors and parameters, and gets the Python backend with our shim, which opens
the original ONNX file where it lies. A `python` model passes through unchanged.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from videojob.adapters.triton.config import embedded_config
from videojob.adapters.triton.model_repository import (
    CONFIG_NAME,
    RepositoryModel,
    file_sha256,
    find_model,
    onnx_files,
    weights_sha256,
    with_parameter,
)
from videojob.adapters.triton.shim import write_shim
from videojob.adapters.triton.variants import ONNX_BACKENDS
from videojob.errors import ModelLoadFailed
from videojob.local.triton.calibration import make_plan, timings_for
from videojob.memory import free_memory_bytes


@dataclass(frozen=True, slots=True)
class _Share:
    """What one model may use of this machine."""

    cpus: int
    free_bytes: int


def materialise(repository: Path, models: Sequence[str], target: Path, *, cache_folder: Path, cpus: int) -> None:
    """Writes the embedded form of `models` into the empty folder `target`.

    Args:
        repository: folder with one folder per model.
        models: names to prepare; an ensemble brings its parts along.
        target: where the result goes.
        cache_folder: for calibrations.
        cpus: cores that all the models may use; those with an ONNX file share them evenly, and the memory too.

    Raises:
        ModelNotFound: no such folder; names those that are there.
        ModelLoadFailed: a config or weights file is missing or wrong, or the backend is none of ours.
    """
    found = _with_parts(repository, models)
    sharers = max(1, sum(model.backend in ONNX_BACKENDS for model in found))
    share = _Share(max(1, cpus // sharers), free_memory_bytes() // sharers)
    for model in found:
        if model.backend in ONNX_BACKENDS:
            _materialise_onnx(model, target / model.name, cache_folder=cache_folder, share=share)
        elif model.backend in {"python", "ensemble"}:
            shutil.copytree(model.folder, target / model.name, ignore=shutil.ignore_patterns("__pycache__"))
            _sign(target / model.name, repository, model)
        else:
            raise ModelLoadFailed(
                f"the embedded Triton runs ONNX and Python models, not backend {model.backend!r}",
                uri=model.name,
                hint="Export the model to ONNX, or point at a server that has it: --triton-url HOST:PORT.",
            )


def _with_parts(repository: Path, models: Sequence[str]) -> list[RepositoryModel]:
    """The models of these names and the parts of ensembles among them, each once."""
    waiting, found = list(models), dict[str, RepositoryModel]()
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = find_model(repository, name)
            steps = found[name].config.get("ensemble_scheduling", {}).get("step", ())
            waiting += [str(step["model_name"]) for step in steps]
    return list(found.values())


def _materialise_onnx(model: RepositoryModel, target: Path, *, cache_folder: Path, share: _Share) -> None:
    weights = onnx_files(model)
    timings = timings_for(model.config, weights[max(weights)], cache_folder)
    max_batch = int(model.config.get("max_batch_size", 0))
    plan = make_plan(timings, max_batch=max_batch, cpus=share.cpus, free_bytes=share.free_bytes)
    target.mkdir()
    for path in model.folder.iterdir():
        if path.is_file() and path.name != CONFIG_NAME:
            shutil.copy2(path, target / path.name)
    for version, file in weights.items():
        write_shim(target / str(version), {"weights": str(file.resolve()), **asdict(plan)})
    path = model.folder / CONFIG_NAME
    text = embedded_config(
        path.read_text(encoding="utf-8"),
        str(path),
        instances=plan.instances,
        max_batch=plan.max_batch,
        on_gpu=plan.provider.startswith("CUDA"),
        weights_sha256=weights_sha256(weights),
    )
    (target / CONFIG_NAME).write_text(text, encoding="utf-8")


def _sign(folder: Path, repository: Path, model: RepositoryModel) -> None:
    """Puts a hash over the model's files, and over those of an ensemble's parts, into its served description."""
    key, path = "weights_sha256", folder / CONFIG_NAME
    if key not in model.config.get("parameters", {}):
        text = path.read_text(encoding="utf-8")
        path.write_text(with_parameter(text, str(path), key, _files_sha256(repository, model)), encoding="utf-8")


def _files_sha256(repository: Path, model: RepositoryModel) -> str:
    files = sorted(path for path in model.folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    hashes = [(str(path.relative_to(model.folder)), file_sha256(path)) for path in files]
    steps = model.config.get("ensemble_scheduling", {}).get("step", ())
    parts = sorted({str(step["model_name"]) for step in steps} - {model.name})
    hashes += [(name, _files_sha256(repository, find_model(repository, name))) for name in parts]
    return hashlib.sha256(repr(hashes).encode()).hexdigest()
