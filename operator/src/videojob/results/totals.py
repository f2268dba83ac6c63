"""What a summary keeps of one video, grown segment by segment: totals, presence and gaps, but no windows and no tracks.

So a job of any length is summed up in the memory that its summary takes. `results.merge` keeps windows, too, for the
report.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from videojob.results.merge import merge_gaps, merge_presence, merge_stats
from videojob.results.tracks import UniqueCounter
from videojob.results.values import ClassStats, Gap, Presence, SegmentResult

_FIRST_MERGE = 64


@dataclass(slots=True)
class VideoTotals:
    """One video.

    Attributes:
        video: position in the job's inputs.
        presence_gap_ms: as in `SegmentAccumulator`.
        unique: counts things across segments; None when no tracker ran.
        segments: how many were added.
        frames_decoded, frames_selected, frames_gated: as in `SegmentResult`.
    """

    video: int
    presence_gap_ms: int
    unique: UniqueCounter | None = None
    segments: int = 0
    frames_decoded: int = 0
    frames_selected: int = 0
    frames_gated: int = 0
    _classes: tuple[ClassStats, ...] = ()
    _presence: list[Presence] = field(default_factory=list)
    _gaps: list[Gap] = field(default_factory=list)
    _merge_at: int = _FIRST_MERGE

    def add(self, result: SegmentResult) -> None:
        """The next segment's results, by ascending index."""
        self.segments += 1
        self.frames_decoded += result.frames_decoded
        self.frames_selected += result.frames_selected
        self.frames_gated += result.frames_gated
        self._classes = merge_stats([self._classes, *(window.classes for window in result.windows)])
        self._presence.extend(result.presence)
        self._gaps.extend(result.gaps)
        if self.unique is not None:
            self.unique.add(result.tracks)
        if len(self._presence) + len(self._gaps) >= self._merge_at:
            self._merge()
            # What is left will not merge any further: sorting it at each segment would take the square of the time.
            self._merge_at = max(_FIRST_MERGE, 2 * (len(self._presence) + len(self._gaps)))

    def _merge(self) -> None:
        self._presence = list(merge_presence(self._presence, self.presence_gap_ms))
        self._gaps = list(merge_gaps(self._gaps))

    @property
    def class_totals(self) -> tuple[ClassStats, ...]:
        """Every class over the whole video, ascending by class_id."""
        return self._classes

    @property
    def presence(self) -> tuple[Presence, ...]:
        """By (class_id, first_ms)."""
        self._merge()
        return tuple(self._presence)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """By start, touching ones of one reason joined."""
        self._merge()
        return tuple(self._gaps)
