"""A place to add models from: an ONNX file, labels and an empty repository."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto

from videojob.local.models.add import AddOutcome, AddRequest, add

LABELS = ("person", "car", "dog")
YOLO = {"predictions": np.zeros((7, 84), np.float32)}
YOLO["predictions"][:, 5] = [32, 32, 20, 10, 0.1, 0.9, 0.2]


class Workshop:
    """A folder with an ONNX file and labels, and an empty repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repository = folder / "repository"
        self.path = folder / "export.onnx"
        self.labels = folder / "names.txt"
        self.labels.write_text("\n".join(LABELS), encoding="utf-8")

    def add(self, model: ModelProto | None = None, /, **changes: Any) -> AddOutcome:
        if model is not None:
            onnx.save(model, self.path)
        request = AddRequest(path=self.path, name="cars", decoder="yolo", labels=self.labels)
        return add(replace(request, **changes), self.repository)

    def left_behind(self) -> list[str]:
        return [path.name for path in self.repository.glob("*") if path.name != ".lock"]
