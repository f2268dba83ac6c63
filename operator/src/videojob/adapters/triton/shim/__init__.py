"""An ONNX model behind Triton's Python backend, for servers without an ONNX backend. Copied into model folders.

The files run inside Triton's stub, with its Python: they import nothing of this project.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

_FILES = ("model.py", "joined.py", "onnx_engine.py")


def write_shim(folder: Path, settings: Mapping[str, object]) -> None:
    """Makes a version's folder that runs an ONNX file.

    Args:
        folder: of the version; made unless it is there.
        settings: `weights` (its path), `threads`, `chunk`, `provider`, as `model.py` reads them.
    """
    folder.mkdir(exist_ok=True)
    for name in _FILES:
        shutil.copy2(Path(__file__).parent / name, folder / name)
    (folder / "shim.json").write_text(json.dumps(dict(settings)), encoding="utf-8")
