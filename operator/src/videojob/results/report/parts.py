"""The pieces of the page, every figure a word already."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.results.report.spent import Spent
from videojob.results.report.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Figure:
    """One headline: a big value, what it is, and a remark."""

    value: str
    what: str
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class over the whole job."""

    label: str
    colour: int
    detections: str
    frames: str
    most: str
    present: str
    mean: str
    best: str
    unique: str


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """Something that did not go through, and what to do about it."""

    reason: str
    place: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One tile of the contact sheet; the box is in the coordinates of `view_box`."""

    label: str
    colour: int
    score: str
    time: str
    place: str
    image: str
    view_box: str
    width: str
    height: str
    x: str
    y: str
    box: tuple[str, str, str, str]
    missing: str


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One class in one window; `video` is "" when it is that of the row above."""

    video: str
    time: str
    label: str
    colour: int
    frames: str
    detections: str
    most: str
    mean: str
    best: str


@dataclass(frozen=True, slots=True)
class Store:
    """What writing the results took, beside what one item per frame would have."""

    ours_units: str
    ours_usd: str
    naive_units: str
    naive_usd: str
    ours_width: str
    times_fewer: str
    remark: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the template needs."""

    name: str
    namespace: str
    state: str
    state_word: str
    lead: str
    finished: str
    figures: tuple[Figure, ...]
    classes: tuple[ClassRow, ...]
    tracked: bool
    problems: tuple[ProblemRow, ...]
    hidden_problems: int
    timelines: tuple[Timeline, ...]
    hidden_timelines: int
    pictures: tuple[Picture, ...]
    windows: tuple[WindowRow, ...]
    hidden_windows: int
    window_words: str
    spent: Spent | None
    store: Store | None
    settings: tuple[tuple[str, str], ...]
    manifest: str
    version: str
