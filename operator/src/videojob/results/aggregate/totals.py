"""What a summary keeps of one video, grown segment by segment: totals, presence and gaps, but no windows and no tracks.

So a job of any length is summed up in the memory that its summary takes. `merge` keeps windows, too, for the
report.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from videojob.results.aggregate.columns import PresenceColumns
from videojob.results.aggregate.merge import join_presence, merge_gaps, merge_presence, merge_stats, peak_order
from videojob.results.aggregate.segment_results import ClassStats, Gap, Presence, SegmentResult
from videojob.results.aggregate.tracks import UniqueCounter

_FIRST_MERGE = 64


@dataclass(slots=True)
class _ClassPresence:
    """One class's intervals: those that are final, the one that may still grow, and the last one that came."""

    open: Presence
    last: Presence
    final: PresenceColumns = field(default_factory=PresenceColumns)


class PresenceJoiner:
    """Joins the intervals of one video as they come, as `results.aggregate.merge.merge_presence` joins all at once.

    Intervals of a class come in order, as segments do: only the last one of each class can still grow, and all others
    are packed away. What comes out of order is put in its place now and then, and at the end.

    Args:
        presence_gap_ms: as in `SegmentAccumulator`.
    """

    def __init__(self, presence_gap_ms: int) -> None:
        self._gap_ms = presence_gap_ms
        self._classes: dict[int, _ClassPresence] = {}
        self._late: list[Presence] = []
        self._merge_at = _FIRST_MERGE

    def add(self, span: Presence) -> None:
        """One more interval."""
        known = self._classes.get(span.class_id)
        if known is None:
            self._classes[span.class_id] = _ClassPresence(span, span)
        elif _order(span) < _order(known.last):
            self._late.append(span)
            if len(self._late) >= self._merge_at:
                self._merge()
        else:
            known.last = span
            if span.first_ms - known.open.last_ms <= self._gap_ms:
                known.open = join_presence(known.open, span)
            else:
                known.final.append(known.open)
                known.open = span

    def move_to(self, columns: PresenceColumns) -> None:
        """Appends all to columns, by (class_id, first_ms); here nothing is left."""
        if self._late:
            self._merge()
        for class_id in sorted(self._classes):
            found = self._classes.pop(class_id)
            columns.extend(found.final)
            columns.append(found.open)

    def _merge(self) -> None:
        late, self._late = self._late, []
        columns = PresenceColumns()
        self.move_to(columns)
        for span in merge_presence([*columns, *late], self._gap_ms):
            self.add(span)
        # Sorting all for each few that come late would take the square of the time.
        self._merge_at = max(_FIRST_MERGE, len(columns))


def _order(span: Presence) -> tuple[int, int, tuple[int, int, tuple[int, int, int, int]]]:
    return (span.first_ms, span.last_ms, peak_order(span))


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
    _presence: PresenceJoiner = field(init=False)
    _gaps: list[Gap] = field(default_factory=list)
    _merge_at: int = _FIRST_MERGE

    def __post_init__(self) -> None:
        """Makes what joins its intervals."""
        self._presence = PresenceJoiner(self.presence_gap_ms)

    def add(self, result: SegmentResult) -> None:
        """The next segment's results, by ascending index."""
        self.segments += 1
        self.frames_decoded += result.frames_decoded
        self.frames_selected += result.frames_selected
        self.frames_gated += result.frames_gated
        self._classes = merge_stats([self._classes, *(window.classes for window in result.windows)])
        for span in result.presence:
            self._presence.add(span)
        self._gaps.extend(result.gaps)
        if self.unique is not None:
            self.unique.add(result.tracks)
        if len(self._gaps) >= self._merge_at:
            self._gaps = list(merge_gaps(self._gaps))
            # What is left will not merge any further: sorting it at each segment would take the square of the time.
            self._merge_at = max(_FIRST_MERGE, 2 * len(self._gaps))

    def take_presence(self, columns: PresenceColumns) -> PresenceColumns:
        """Moves the intervals of the whole video, by (class_id, first_ms), behind those of others; returns its own."""
        start = len(columns)
        self._presence.move_to(columns)
        return columns.part(start, len(columns))

    @property
    def class_totals(self) -> tuple[ClassStats, ...]:
        """Every class over the whole video, ascending by class_id."""
        return self._classes

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """By start, touching ones of one reason joined."""
        return merge_gaps(self._gaps)
