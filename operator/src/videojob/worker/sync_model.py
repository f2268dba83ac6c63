"""What runs before a Triton server on a cluster: brings its model, checks that it is the pinned one, and renders its
configuration for the hardware. Nothing is visible to the server before the check.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from videojob.adapters.model_repository import CONFIG_NAME, model_digest, onnx_files, read_model, weights_sha256
from videojob.adapters.triton_config import cluster_config, embedded_config
from videojob.adapters.triton_shim import write_shim
from videojob.errors import ModelLoadFailed, ModelNotFound

_CPU_BATCH = 4  # on CPUs larger batches make a network slower; docs/reference/benchmarks.md


@dataclass(frozen=True, slots=True)
class WantedModel:
    """What a server is to serve.

    Attributes:
        name: of the model.
        digest: "sha256:...", as `model_digest` gives it.
        backend: form of its configuration.
        instances: executions at once.
        engines: folder that keeps built TensorRT engines.
    """

    name: str
    digest: str
    backend: Literal["onnxruntime", "tensorrt", "python"]
    instances: int
    engines: str


def sync_model(wanted: WantedModel, bring: Callable[[Path], None], target: Path) -> None:
    """Makes `target/<name>` a model that Triton can load.

    Args:
        wanted: which, and how.
        bring: puts the model's folder, as it was pinned, into an empty folder.
        target: the server's model repository; what an earlier try left there is replaced.

    Raises:
        ModelNotFound, ModelLoadFailed: it cannot be had, is another one, or makes no sense.
    """
    fresh, place = target / f".{wanted.name}", target / wanted.name
    for folder in (fresh, place):
        shutil.rmtree(folder, ignore_errors=True)
    source = fresh / wanted.name  # a model's folder has its name
    source.mkdir(parents=True)
    bring(source)
    found = model_digest(source)
    if found != wanted.digest:
        raise ModelLoadFailed(
            f"the model's files have the digest {found}, the catalogue pins {wanted.digest}",
            uri=wanted.name,
            hint="Somebody changed the files: restore them, or pin the new digest as a new version.",
        )
    _render(source, wanted, place)
    source.rename(place)
    shutil.rmtree(fresh)


def copy_folder(folder: Path) -> Callable[[Path], None]:
    """Brings a model from a mounted folder."""

    def bring(target: Path) -> None:
        if not folder.is_dir():
            raise ModelNotFound("there is no such folder", uri=str(folder), hint="Check the catalogue's source.")
        shutil.copytree(folder, target, dirs_exist_ok=True, symlinks=True)

    return bring


def _render(folder: Path, wanted: WantedModel, place: Path) -> None:
    model = read_model(folder)
    path = folder / CONFIG_NAME
    text = path.read_text(encoding="utf-8")
    if wanted.backend == "python" and model.backend.startswith("onnxruntime"):
        weights = onnx_files(model)
        most = int(model.config.get("max_batch_size", 0))
        batch = min(most, _CPU_BATCH)
        rendered = embedded_config(
            text,
            str(path),
            instances=wanted.instances,
            max_batch=batch,
            on_gpu=False,
            weights_sha256=weights_sha256(weights),
        )
        for version, file in weights.items():
            where = place / str(version) / file.name
            settings = {"weights": str(where), "threads": 1, "chunk": 1, "provider": "CPUExecutionProvider"}
            write_shim(folder / str(version), settings)
    elif wanted.backend == "python":
        return
    else:
        rendered = cluster_config(
            text, str(path), backend=wanted.backend, instances=wanted.instances, engines=wanted.engines
        )
    path.write_text(rendered, encoding="utf-8")
