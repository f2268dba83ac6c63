"""What a case is, what it should give and what it gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Box = tuple[float, float, float, float]
"""(x_min, y_min, x_max, y_max), pixels of the upright picture."""

Boxes = Mapping[str, Box]
"""By label; a picture shows at most one rectangle of each colour."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One time of presence. first_ms and last_ms are those of its first and last picture.

    `box` is the rectangle's, None where the truth gives none; `is_square` where it gives only the shape.
    """

    first_ms: int
    last_ms: int
    box: Box | None = None
    is_square: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A file that is read.

    Attributes:
        frames: how many pictures it has.
        presence: by label, the times of presence; None where the truth gives none.
        pictures: by time in ms, the boxes of each picture; None where only `presence` is known.
        has_gaps: whether pictures are missing, each in a named gap; then `presence` is None.
        may_be_refused: whether a refusal is right, too.
        notice: words that the run must say of the file.
        tolerance_px: how far a box may be off, as lossy codecs blur edges.
    """

    frames: int
    presence: Mapping[str, tuple[Interval, ...]] | None = None
    pictures: Mapping[int, Boxes] | None = None
    has_gaps: bool = False
    may_be_refused: bool = False
    notice: str = ""
    tolerance_px: float = 2.0


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is refused: with this reason and each of these words. None is any reason."""

    reason: str | None
    words: tuple[str, ...] = ()


Truth = Shown | Refused


@dataclass(frozen=True, slots=True)
class Case:
    """A file, and the truth of it.

    Attributes:
        kind: of oddity, a heading of the table.
        name: of the file; its suffix names the container.
        what: is odd with it, in a few words.
        make: writes it.
        truth: what a reader of it must find.
        keyframes_only: whether the job samples keyframes only.
    """

    kind: str
    name: str
    what: str
    make: Callable[[Path], object]
    truth: Truth
    keyframes_only: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that was not read, [start_ms, end_ms), and why."""

    start_ms: int
    end_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the product gave for one file.

    Attributes:
        error: (reason, message and hint) where it was refused.
        frames: how many counted.
        presence: by label. The box is that of the best moment.
        boxes: by time in ms, the boxes of each picture that shows some.
        notices: lines of the run that name the file.
    """

    error: tuple[str, str] | None = None
    frames: int = 0
    presence: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    boxes: Mapping[int, Boxes] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case, what it gave as text, and each difference from the truth; none is a pass."""

    case: Case
    found: str
    differences: tuple[str, ...]
