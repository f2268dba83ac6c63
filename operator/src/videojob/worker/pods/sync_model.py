"""What runs before a Triton server on a cluster: brings its model, checks that it is the pinned one, and renders its
configuration for the hardware.

The server's folder holds the whole model or none: what comes lies in a hidden folder beside it until its digest is the
installation's. A further run does it all again, and ends the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from videojob.adapters.files.folders import replace_folder
from videojob.adapters.triton.model_repository import (
    CONFIG_NAME,
    RepositoryModel,
    half_path,
    model_digest,
    onnx_files,
    pinned_files,
    read_model,
    weights_sha256,
)
from videojob.adapters.triton.shim import write_shim
from videojob.adapters.triton.variants import ONNX_BACKENDS, Variant, variant_config
from videojob.errors import ModelLoadFailed, ModelNotFound, SetupError
from videojob.planning.installation import Accelerator, Backend
from videojob.vision.contract import refuse_other_protocols

Bring = Callable[[Path], None]
"""Puts a model's folder, as its source has it, into an empty folder."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a server is to serve.

    Attributes:
        name: of the model.
        version: the one that is served, a numbered folder of the model's.
        digest: "sha256:...", as `model_digest` gives it.
        backend: form of its configuration. accelerator: what the server computes on.
        instances: executions at once.
        engines: folder that the server keeps built TensorRT engines in.
        gpu_model: that it computes on, "" when it is not known.
        server_release: what pins the server's software.
    """

    name: str
    version: int
    digest: str
    backend: Backend
    accelerator: Accelerator
    instances: int
    engines: str
    gpu_model: str = ""
    server_release: str = ""


def sync_model(request: ModelRequest, bring: Bring, target: Path) -> None:
    """Makes `target/<name>` a model that Triton can load.

    Args:
        request: which, and how.
        bring: see `Bring`.
        target: the server's model repository; what an earlier run left there is replaced.

    Raises:
        ModelNotFound, ModelLoadFailed, ModelSignatureMismatch: it cannot be read, is another one, or makes no sense.
        SetupError: no room in the target.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with replace_folder(target / request.name) as folder:
            bring(folder)
            found = model_digest(folder)
            if found != request.digest:
                raise ModelLoadFailed(
                    f"the model's files have the digest {found}, the installation pins {request.digest}",
                    uri=request.name,
                    hint="The files were changed: restore them, or pin what `videojob models digest` prints for them.",
                )
            _render(folder, request)
    except OSError as error:
        raise SetupError(f"the model cannot be stored: {error}", uri=str(target), retryable=True) from error


def copy_folder(source: Path) -> Bring:
    """Brings a model from a mounted folder.

    Args:
        source: the model's own folder, which need not have its name.
    """

    def bring(target: Path) -> None:
        if not (source / CONFIG_NAME).is_file():
            raise ModelNotFound(
                f"there is no {CONFIG_NAME}", uri=str(source), hint="Check the path of the installation's source."
            )
        for name, path in pinned_files(source).items():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)

    return bring


def _render(folder: Path, request: ModelRequest) -> None:
    model = read_model(folder)
    refuse_other_protocols(model.config)
    if request.version not in model.versions:
        there = ", ".join(map(str, model.versions)) or "none"
        raise ModelNotFound(
            f"the model has no version {request.version}, it has {there}",
            uri=request.name,
            hint="Name the folder of its weights as the installation's version says, or correct that.",
        )
    if model.backend in ONNX_BACKENDS:
        _render_onnx(model, request)
    elif model.backend != "python" or request.backend != "python":
        raise ModelLoadFailed(
            f"the installation's variant has backend {request.backend}, the model's own is {model.backend!r}",
            uri=request.name,
            hint="ONNX models have all backends, Python models only python; others are not served.",
        )


def _render_onnx(model: RepositoryModel, request: ModelRequest) -> None:
    weights = onnx_files(model)
    variant = Variant(
        backend=request.backend,
        accelerator=request.accelerator,
        version=request.version,
        instances=request.instances,
        weights_sha256=weights_sha256(weights),
        engines=request.engines,
        has_half=half_path(weights[request.version]).is_file(),
        server_release=request.server_release,
        gpu_model=request.gpu_model,
    )
    path = model.folder / CONFIG_NAME
    rendered = variant_config(path.read_text(encoding="utf-8"), f"{model.name}/{CONFIG_NAME}", variant)
    if request.backend == "python":
        for file in weights.values():
            # Relative to the shim: the server may see the folder elsewhere than this process does.
            write_shim(
                file.parent, {"weights": file.name, "threads": 1, "chunk": 1, "provider": "CPUExecutionProvider"}
            )
    path.write_text(rendered, encoding="utf-8")
