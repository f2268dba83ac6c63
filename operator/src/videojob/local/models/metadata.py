"""What an exporter wrote into an ONNX file about the model: class names, stride, input size, task.

Ultralytics and YOLOv5 write Python or JSON literals into `metadata_props`. What cannot be read counts as not there: it
is advice, and the options of the command come before it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from onnx import ModelProto

_MOST_CHARACTERS = 1 << 20
_MOST_NAMES = 10_000
_MOST_STRIDE = 1024
_MOST_SIDE = 8192


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """Facts that the file has.

    Attributes:
        names: of the classes, by class id; empty when there are none.
        stride: what the input's sides are multiples of. long_side: the longer side of the input. None: not said.
        task: "detect", "segment", "pose", "obb" or "classify"; "" when it is not said.
    """

    names: tuple[str, ...] = ()
    stride: int | None = None
    long_side: int | None = None
    task: str = ""


def export_facts(model: ModelProto) -> ExportFacts:
    """What the file says of itself."""
    texts = {entry.key: entry.value for entry in model.metadata_props if len(entry.value) <= _MOST_CHARACTERS}
    return ExportFacts(
        names=_names(_literal(texts.get("names", ""))),
        stride=_largest(_literal(texts.get("stride", "")), _MOST_STRIDE),
        long_side=_largest(_literal(texts.get("imgsz", "")), _MOST_SIDE),
        task=texts.get("task", "").strip(),
    )


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _names(found: object) -> tuple[str, ...]:
    if isinstance(found, dict):
        # Ids without a gap from 0 on: anything else would name the wrong class.
        numbered = {str(key): value for key, value in found.items()}
        found = [numbered.get(str(number)) for number in range(len(numbered))]
    if not isinstance(found, list | tuple) or len(found) > _MOST_NAMES:
        return ()
    names = [name.strip() if isinstance(name, str) else "" for name in found]
    # A label is a line of labels.txt.
    return tuple(names) if all(name and name.isprintable() for name in names) else ()


def _largest(found: object, most: int) -> int | None:
    values = list(found) if isinstance(found, list | tuple) else [found]
    whole = [int(value) for value in values if isinstance(value, int | float) and value == int(value)]
    return max(whole) if whole and 1 <= max(whole) <= most else None
