"""Cases that others made: a folder with truth.json, its files, and the ONNX detector that finds what they show.

    truth.json   {file name: {"frames": n, "presence": {label: [{"first_ms", "last_ms", "box" | "shape"}]} | null,
                              "note": "...", "gap": true}}

`frames: 0` is a file that must be refused. A note that speaks of a refusal allows one. For the folder's manifests see
`manifests`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.odd_videos.cases import Case, Interval, Refused, Shown, Truth
from bench.odd_videos.product import Detector

_KIND = "from outside"
_REFUSAL = "refusal"
_LEFT_OUT = "left out"


def detector(folder: Path) -> Detector:
    """The folder's one ONNX file and the labels beside it.

    Raises:
        ValueError: there is none, or several.
    """
    (onnx,) = folder.glob("*.onnx")
    return Detector(onnx, onnx.with_suffix(".txt"))


def cases(folder: Path) -> tuple[Case, ...]:
    """The folder's videos. Their `make` is not needed: they are there."""
    truths: dict[str, dict[str, Any]] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return tuple(Case(_KIND, name, truth["note"], lambda path: path, _truth(truth)) for name, truth in truths.items())


def _truth(truth: Mapping[str, Any]) -> Truth:
    if not truth["frames"]:
        return Refused(None)
    note = truth["note"]
    presence = truth["presence"] and {label: tuple(map(_interval, times)) for label, times in truth["presence"].items()}
    return Shown(
        truth["frames"],
        presence,
        has_gaps=truth.get("gap", False),
        may_be_refused=_REFUSAL in note,
        notice=_LEFT_OUT if _LEFT_OUT in note else "",
    )


def _interval(found: Mapping[str, Any]) -> Interval:
    box = tuple(found["box"]) if "box" in found else None
    return Interval(found["first_ms"], found["last_ms"], box, is_square="square" in found.get("shape", ""))
