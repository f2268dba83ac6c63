"""Where models lie on this machine.

Two repositories: the described one (config.pbtxt and labels, in the checkout or inside the installed package) and the
served one, with weights, in an ignored place that a person may delete at any time.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import videojob
from videojob.errors import SetupError

_PACKAGE = Path(videojob.__file__).resolve().parent
BUILT_IN_MODELS = ("face_detector",)
"""Models that come with the project; their weights are built on first use."""


def checkout() -> Path | None:
    """The project's folder when the package runs from a checkout, None when it is installed."""
    root = _PACKAGE.parents[2]
    return (
        root if (root / "operator" / "src" / "videojob") == _PACKAGE and (root / "model_repository").is_dir() else None
    )


def cache_folder() -> Path:
    """Where built and downloaded things go: .cache of the checkout, else the user's cache folder."""
    root = checkout()
    if root is not None:
        return root / ".cache"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "videojob"


def described_repository() -> Path:
    """The project's own models, without weights."""
    root = checkout()
    return _PACKAGE / "model_repository" if root is None else root / "model_repository"


def default_repository() -> Path:
    """The repository that is served when the user names none; it may not exist yet."""
    return cache_folder() / "model_repository"


def require_tools() -> None:
    """Raises SetupError when the extra with the model tools is not installed."""
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise SetupError(
            f"working on models needs {' and '.join(missing)}", hint="Install the extra: pip install 'videojob[local]'."
        )
