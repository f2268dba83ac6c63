"""Having a model ready to be served: a built-in one is built when it is first needed."""

from __future__ import annotations

from pathlib import Path

from videojob.adapters.triton.model_repository import find_model
from videojob.local.models.paths import BUILT_IN_MODELS, default_repository, require_tools


def ensure_built(name: str) -> Path:
    """The default repository, with the model of this name in it; a built-in one is built when it is not there.

    Raises:
        ModelNotFound: neither built in nor added.
        SetupError: it must be built, and a part for that is missing.
    """
    repository = default_repository()
    if name in BUILT_IN_MODELS:
        require_tools()
        # Here, not above: onnx is an extra, and whoever runs against a server elsewhere does without.
        from videojob.local.models.build import build  # noqa: PLC0415

        build(name, repository)
    else:
        find_model(repository, name)
    return repository
