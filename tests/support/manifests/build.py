"""Builds manifests from a minimal good one and a few changes, each named by the path of a field."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ABSENT = object()
"""As a change's value: the field is taken out."""
_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of a table.

    Attributes:
        name: what it tries; names the test.
        changes: path of a field to its new value.
        field: for a bad manifest, the field that a refusal must name.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    field: str = ""

    def manifest(self) -> dict[str, Any]:
        """The minimal manifest with the changes."""
        return manifest(self.changes)


def manifest(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """A good manifest with as little as possible, changed step by step; parents that are missing are made."""
    values: dict[str, Any] = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "lobby"},
        "spec": {"inputs": [{"file": {"path": "lobby.mp4"}}], "model": {"name": "face_detector"}},
    }
    for path, value in (change for step in changes for change in step.items()):
        _change(values, path, copy.deepcopy(value) if value is not ABSENT else ABSENT)
    return values


def _change(values: dict[str, Any], path: str, value: Any) -> None:
    parts: list[Any] = [int(index) if index else name for index, name in _PART.findall(path)]
    parent: Any = values
    for part in parts[:-1]:
        parent = parent[part] if isinstance(part, int) else parent.setdefault(part, {})
    if value is ABSENT:
        del parent[parts[-1]]
    else:
        parent[parts[-1]] = value
