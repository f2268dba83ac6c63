"""The published figures: text of the package's tables to values. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from videojob.planning.throughput.rate import Figure, Origin

KINDS = ("replica", "decode", "keyframes", "send", "gpu", "cpu", "decode-cpu", "codec", "runtime")
START_PARTS = ("node", "image", "model", "engine", "free")
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Seed:
    """A speed that somebody published.

    Attributes:
        subject: model or codec. pixels: of the model's input, or of a picture of the video.
        hardware: GPU model, or CPU family, of which it is one vCPU.
        runtime: that ran the model, for people; "TensorRT" begins it where that did.
        frames_per_s: more than 0. spread: as in `spread.figure`. note: quality, source and what is to be known.
    """

    subject: str
    pixels: int
    hardware: str
    runtime: str
    frames_per_s: float
    spread: float
    note: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast as what is compared with: more than 0. spread, note: as in `Seed`."""

    times: float
    spread: float
    note: str


@dataclass(frozen=True, slots=True)
class Seeds:
    """All of them.

    Attributes:
        speeds: of kinds "replica", "decode", "keyframes" and "send", in the table's order.
        ratios: by kind ("gpu", "cpu", "decode-cpu", "codec", "runtime") and subject.
        starts: seconds by part, "gpu" or "cpu", and runtime; "*" stands for each.
    """

    speeds: Mapping[str, tuple[Seed, ...]]
    ratios: Mapping[str, Mapping[str, Ratio]]
    starts: Mapping[tuple[str, str, str], Figure] = field(default_factory=dict)

    def ratio(self, kind: str, subject: str) -> Ratio | None:
        """Of that subject, or of those without a row; None when the kind has no row for these."""
        rows = self.ratios[kind]
        return rows.get(subject) or rows.get(_ANY)

    def start(self, part: str, hardware: str, runtime: str) -> Figure | None:
        """Seconds of that part of a cold start; None when no row is about it."""
        for key in ((hardware, runtime), (hardware, _ANY), (_ANY, _ANY)):
            found = self.starts.get((part, *key))
            if found is not None:
                return found
        return None


def parse_seeds(throughput: str, starts: str) -> Seeds:
    """The texts of throughput.csv and starts.csv as values.

    Raises:
        ValueError: a row is of no known kind, or a figure is not a positive number.
        KeyError: a column is missing.
    """
    speeds: dict[str, list[Seed]] = {kind: [] for kind in KINDS}
    ratios: dict[str, dict[str, Ratio]] = {kind: {} for kind in KINDS}
    for row in _rows(throughput):
        kind, value, spread = _one_of(row["kind"], KINDS), _positive(row["figure"]), float(row["spread"])
        if row["pixels"]:
            pixels = int(_positive(row["pixels"]))
            seed = Seed(row["subject"], pixels, row["hardware"], row["runtime"], value, spread, _note(row))
            speeds[kind].append(seed)
        else:
            ratios[kind].update((subject, Ratio(value, spread, _note(row))) for subject in row["subject"].split())
    return Seeds({kind: tuple(seeds) for kind, seeds in speeds.items()}, ratios, dict(_starts(starts)))


def _starts(text: str) -> Iterator[tuple[tuple[str, str, str], Figure]]:
    for row in _rows(text):
        part = _one_of(row["part"], START_PARTS)
        mean, low, high = (_positive(row[name]) for name in ("mean_s", "low_s", "high_s"))
        if not low <= mean <= high:
            raise ValueError(f"{part}: {low} <= {mean} <= {high} does not hold")
        origin = Origin.EXTRAPOLATED if row["quality"] == "extrapolated" else Origin.PUBLISHED
        yield (part, row["hardware"], row["runtime"]), Figure(mean, low, high, origin, note=_note(row))


def _rows(text: str) -> Iterator[Mapping[str, str]]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return iter(csv.DictReader(lines, strict=True))


def _one_of(word: str, known: tuple[str, ...]) -> str:
    if word not in known:
        raise ValueError(f"{word!r} is none of {', '.join(known)}")
    return word


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise ValueError(f"{text} is not a positive number")
    return value


def _note(row: Mapping[str, str]) -> str:
    return "; ".join(part for part in (row["quality"], row["source"], row["note"]) if part)
