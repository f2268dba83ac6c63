"""Runs the real product over files, as a person would: `models add`, `run` with the embedded Triton, `results`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from bench.odd_videos.cases import Box, Found, Gap, Interval
from bench.odd_videos.scene import PRESENCE_GAP_MS

_LIMIT_S = 1800
_JOB = "odd-videos"
_SIDES = ("x_min", "y_min", "x_max", "y_max")
_COMPLETED, _PARTIALLY = 0, 3


class ProductFailed(Exception):
    """A command of the product ended with an exit code that no case explains; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Detector:
    """The model that finds the rectangles: its file, its labels, one a line, and the long side of its pictures."""

    onnx: Path
    labels: Path
    long_side: int = 320


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """One command of the product, to its end."""
    line = [str(Path(sys.executable).with_name("videojob")), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=_LIMIT_S, check=False)


def add_model(detector: Detector, repository: Path) -> str:
    """Puts the detector into a model repository and gives its name there.

    Raises:
        ProductFailed: the product refuses it.
    """
    repository.mkdir(parents=True, exist_ok=True)
    name = "rectangles"
    done = command(
        "models", "add", detector.onnx, "--name", name, "--decoder", "yolo", "--labels", detector.labels,
        "--option", "head=v10", "--long-side", str(detector.long_side), "--repository", repository, "--replace",
    )  # fmt: skip
    if done.returncode:
        raise ProductFailed(done.stderr)
    return name


def run(paths: Sequence[Path], model: str, repository: Path, folder: Path, *, keyframes_only: bool) -> list[Found]:
    """One job over all files, every frame or keyframes only; what it gave for each, in order.

    Raises:
        ProductFailed: the job itself failed, not only inputs of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "job.yaml"
    manifest.write_text(json.dumps(_manifest(paths, model, keyframes_only=keyframes_only), indent=1), encoding="utf-8")
    output = folder / "output"
    done = command("run", manifest, "--model-repository", repository, "--output", output)
    if done.returncode not in {_COMPLETED, _PARTIALLY}:
        raise ProductFailed(f"{done.stdout}\n{done.stderr}")
    stored = command("results", _JOB, "--output", output, "--format", "json")
    if stored.returncode:
        raise ProductFailed(stored.stderr)
    return _found(json.loads(stored.stdout), paths, done.stderr.splitlines(), output / "detections")


def _manifest(paths: Sequence[Path], model: str, *, keyframes_only: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "inputs": [{"file": {"path": str(path)}} for path in paths],
        "model": {"name": model},
        "aggregation": {"presenceGap": f"{PRESENCE_GAP_MS}ms"},
        "onCorruption": "Skip",
        "results": {"detections": {}},
    }
    if keyframes_only:
        spec["sampling"] = {"keyframesOnly": True}
    return {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": _JOB}, "spec": spec,
    }  # fmt: skip


def _found(summary: Mapping[str, Any], paths: Sequence[Path], said: Sequence[str], boxes: Path) -> list[Found]:
    """The summary, the detections' files and the run's lines, by input."""
    by_video: list[Found] = [Found(error=("missing", "neither among the results nor among what failed"))] * len(paths)
    rows = _boxes(boxes)
    for one in summary["failed_inputs"]:
        error = one["error"]
        by_video[one["video"]] = Found(error=(error["reason"], f"{error['message']}. {error['hint']}"))
    for one in summary["videos"]:
        own = f"{paths[one['video']]}: "
        by_video[one["video"]] = Found(
            frames=one["frames"]["selected"],
            presence=_presence(one["presence"], summary["job"]["labels"]),
            boxes=rows.get(one["video"], {}),
            gaps=tuple(Gap(gap["start_ms"], gap["end_ms"], gap["reason"]) for gap in one["gaps"]),
            notices=tuple(line.removeprefix(own) for line in said if line.startswith(own) and ": done, " not in line),
        )
    return by_video


def _presence(columns: Mapping[str, list[int]], labels: Sequence[str]) -> dict[str, tuple[Interval, ...]]:
    found: dict[str, list[Interval]] = defaultdict(list)
    names = ("class_id", "first_ms", "last_ms", *_SIDES)
    for class_id, first_ms, last_ms, *box in zip(*(columns[name] for name in names), strict=True):
        found[labels[class_id]].append(Interval(first_ms, last_ms, _box(box)))
    return {label: tuple(sorted(intervals, key=lambda one: one.first_ms)) for label, intervals in found.items()}


def _boxes(folder: Path) -> dict[int, dict[int, dict[str, Box]]]:
    """By video, time in ms and label. Of two boxes of one colour in one picture the second gets a label that no truth
    has.
    """
    found: dict[int, dict[int, dict[str, Box]]] = defaultdict(lambda: defaultdict(dict))
    files = sorted(map(str, folder.rglob("*.parquet")))
    for row in ds.dataset(files, format="parquet").to_table().to_pylist() if files else ():
        picture = found[row["video"]][row["time_ms"]]
        label = row["label"] if row["label"] not in picture else f"{row['label']}, twice"
        picture[label] = _box(row[side] for side in _SIDES)
    return found


def _box(sides: Iterable[float]) -> Box:
    x_min, y_min, x_max, y_max = sides
    return x_min, y_min, x_max, y_max
