"""From cases to verdicts: files are made, run through the product in one job per sampling, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx

from bench.odd_videos.cases import Case, Verdict
from bench.odd_videos.compare import judge
from bench.odd_videos.finder import LABELS, finder
from bench.odd_videos.product import Detector, add_model, run


def made(cases: Sequence[Case], folder: Path) -> list[Path]:
    """Writes the cases' files, each in a folder of its own, as makers leave others beside theirs."""
    paths = []
    for number, case in enumerate(cases):
        path = folder / f"{number:02}" / case.name
        path.parent.mkdir(parents=True)
        case.make(path)
        paths.append(path)
    return paths


def own_detector(folder: Path) -> Detector:
    """The rectangle finder, as files."""
    onnx.save(finder(), str(folder / "finder.onnx"))
    labels = folder / "finder.txt"
    labels.write_text("\n".join(LABELS) + "\n", encoding="utf-8")
    return Detector(folder / "finder.onnx", labels)


def measure(cases: Sequence[Case], paths: Sequence[Path], detector: Detector, folder: Path) -> list[Verdict]:
    """Runs the product over the files and compares, in the order of `cases`.

    Raises:
        ProductFailed: the model or a whole job failed.
    """
    repository = folder / "repository"
    model = add_model(detector, repository)
    verdicts: dict[int, Verdict] = {}
    for keyframes_only in (False, True):
        numbers = [number for number, case in enumerate(cases) if case.keyframes_only is keyframes_only]
        if not numbers:
            continue
        own = folder / ("keyframes" if keyframes_only else "frames")
        found = run([paths[number] for number in numbers], model, repository, own, keyframes_only=keyframes_only)
        verdicts |= {number: judge(cases[number], one) for number, one in zip(numbers, found, strict=True)}
    return [verdicts[number] for number in range(len(cases))]
