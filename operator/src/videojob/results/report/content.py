"""What a report is made of."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.results.aggregate.merge import JobResults
from videojob.results.aggregate.summary import Summary
from videojob.results.run_facts import RunFacts


@dataclass(frozen=True, slots=True)
class Peak:
    """The best moment of one presence interval.

    Attributes:
        video: position in the job's inputs.
        label: the class's name.
        time_ms: from the video's first frame.
        score_ppm: parts per million.
        box: (x_min, y_min, x_max, y_max) in upright source pixels.
    """

    video: int
    class_id: int
    label: str
    time_ms: int
    score_ppm: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PeakPicture:
    """A peak and its picture, or why there is none.

    Attributes:
        jpeg: the picture, None when there is none.
        region: the part of the upright source picture that it shows, (x_min, y_min, x_max, y_max) in source pixels.
        missing: why there is no picture, as text; "" when there is one.
    """

    peak: Peak
    jpeg: bytes | None
    region: tuple[int, int, int, int]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page.

    Attributes:
        summary: what the run found. results: the same with its windows.
        facts: what the run was like; None when its record is not there any more.
        pictures: of peaks, in the order to show them.
    """

    summary: Summary
    results: JobResults
    facts: RunFacts | None = None
    pictures: tuple[PeakPicture, ...] = ()
