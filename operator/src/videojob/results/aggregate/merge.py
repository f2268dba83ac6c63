"""Folding segment results into a job's results: associative, commutative, with the fold of nothing as neutral element.

So results can be merged as they come, in any grouping, on any number of machines, and the outcome is one value. The
report and the summary are made from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from videojob.results.aggregate.segment_results import ClassStats, Gap, Presence, SegmentResult, TrackSpan, Window


@dataclass(frozen=True, slots=True)
class SegmentPart:
    """What stays of one segment after merging: its range, its frame counts and its tracks (for stitching)."""

    segment: int
    start_pts: int | None
    end_pts: int | None
    frames_decoded: int
    frames_selected: int
    frames_gated: int
    tracks: tuple[TrackSpan, ...]


@dataclass(frozen=True, slots=True)
class VideoResults:
    """One video's merged results.

    Attributes:
        video: position in the job's inputs.
        segments: ascending by index; windows: ascending by index; presence: by (class_id, first_ms);
            gaps: by start, touching ones of one reason joined.
    """

    video: int
    segments: tuple[SegmentPart, ...]
    windows: tuple[Window, ...]
    presence: tuple[Presence, ...]
    gaps: tuple[Gap, ...]

    @property
    def frames_decoded(self) -> int:
        """Pictures decoded."""
        return sum(part.frames_decoded for part in self.segments)

    @property
    def frames_selected(self) -> int:
        """Frames that the sampling asked for."""
        return sum(part.frames_selected for part in self.segments)

    @property
    def frames_gated(self) -> int:
        """Selected frames that the motion gate found still."""
        return sum(part.frames_gated for part in self.segments)

    def class_totals(self) -> tuple[ClassStats, ...]:
        """Every class over the whole video, ascending by class_id."""
        return merge_stats(window.classes for window in self.windows)


@dataclass(frozen=True, slots=True)
class JobResults:
    """Everything the report draws: merged windows and presence per video.

    Attributes:
        presence_gap_ms: intervals of one class join over a break of at most this, in milliseconds.
        videos: ascending by position in the job's inputs.
    """

    presence_gap_ms: int
    videos: tuple[VideoResults, ...] = ()

    @staticmethod
    def of(result: SegmentResult, presence_gap_ms: int) -> JobResults:
        """One segment's results, alone."""
        part = SegmentPart(
            segment=result.segment,
            start_pts=result.start_pts,
            end_pts=result.end_pts,
            frames_decoded=result.frames_decoded,
            frames_selected=result.frames_selected,
            frames_gated=result.frames_gated,
            tracks=result.tracks,
        )
        video = VideoResults(
            video=result.video,
            segments=(part,),
            windows=merge_windows([result.windows]),
            presence=merge_presence(result.presence, presence_gap_ms),
            gaps=merge_gaps(result.gaps),
        )
        return JobResults(presence_gap_ms, (video,))


def fold(results: Iterable[SegmentResult], presence_gap_ms: int) -> JobResults:
    """Merges segment results, in whatever order they come; memory holds the merged form only once."""
    return merge_all((JobResults.of(result, presence_gap_ms) for result in results), presence_gap_ms)


def merge_all(parts: Iterable[JobResults], presence_gap_ms: int) -> JobResults:
    """Merges any number of partial results; raises ValueError when a segment is in two, or presence gaps
    differ.
    """
    videos: dict[int, list[VideoResults]] = {}
    for part in parts:
        if part.presence_gap_ms != presence_gap_ms:
            raise ValueError(f"cannot merge presence gaps of {part.presence_gap_ms} and {presence_gap_ms} ms")
        for video in part.videos:
            videos.setdefault(video.video, []).append(video)
    return JobResults(
        presence_gap_ms, tuple(_merge_video(found, presence_gap_ms) for _, found in sorted(videos.items()))
    )


def merge_stats(groups: Iterable[Iterable[ClassStats]]) -> tuple[ClassStats, ...]:
    """Adds counts and sums per class and keeps the larger maxima; ascending by class_id."""
    by_class: dict[int, ClassStats] = {}
    for group in groups:
        for stats in group:
            known = by_class.get(stats.class_id)
            by_class[stats.class_id] = stats if known is None else _add_stats(known, stats)
    return tuple(by_class[class_id] for class_id in sorted(by_class))


def merge_windows(groups: Iterable[Iterable[Window]]) -> tuple[Window, ...]:
    """Sums windows of one index, as when a window spans two segments; ascending by index."""
    by_index: dict[int, list[Window]] = {}
    for group in groups:
        for window in group:
            by_index.setdefault(window.index, []).append(window)
    return tuple(_merge_window(by_index[index]) for index in sorted(by_index))


def merge_presence(spans: Iterable[Presence], presence_gap_ms: int) -> tuple[Presence, ...]:
    """Joins intervals of one class over breaks of at most `presence_gap_ms`; ascending by (class_id, first_ms)."""
    merged: list[Presence] = []
    for span in sorted(spans, key=lambda span: (span.class_id, span.first_ms, span.last_ms, peak_order(span))):
        last = merged[-1] if merged else None
        if last and last.class_id == span.class_id and span.first_ms - last.last_ms <= presence_gap_ms:
            merged[-1] = join_presence(last, span)
        else:
            merged.append(span)
    return tuple(merged)


def merge_gaps(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Joins gaps of one reason that touch or overlap; ascending by start."""
    merged: list[Gap] = []
    for reason, group in groupby(sorted(gaps, key=lambda gap: (gap.reason, gap.start_ms)), lambda gap: gap.reason):
        first, *others = group
        merged.append(first)
        for gap in others:
            last = merged[-1]
            if gap.start_ms <= last.end_ms:
                merged[-1] = Gap(last.start_ms, max(last.end_ms, gap.end_ms), reason)
            else:
                merged.append(gap)
    return tuple(sorted(merged, key=lambda gap: (gap.start_ms, gap.end_ms, gap.reason)))


def peak_order(span: Presence) -> tuple[int, int, tuple[int, int, int, int]]:
    """Sorting key of peaks, best first: highest score, then earliest, then the box that compares lowest."""
    return (-span.peak_score_ppm, span.peak_ms, span.peak_box)


def join_presence(one: Presence, other: Presence) -> Presence:
    """The interval around two of the same class, with the better peak."""
    best = one if peak_order(one) <= peak_order(other) else other
    return Presence(
        one.class_id,
        min(one.first_ms, other.first_ms),
        max(one.last_ms, other.last_ms),
        best.peak_ms,
        best.peak_score_ppm,
        best.peak_box,
    )


def _merge_video(found: Sequence[VideoResults], presence_gap_ms: int) -> VideoResults:
    if len(found) == 1:
        return found[0]
    segments = sorted((part for video in found for part in video.segments), key=lambda part: part.segment)
    for one, other in pairwise(segments):
        if one.segment == other.segment:
            raise ValueError(f"segment {one.segment} was merged twice")
    return VideoResults(
        video=found[0].video,
        segments=tuple(segments),
        windows=merge_windows(video.windows for video in found),
        presence=merge_presence((span for video in found for span in video.presence), presence_gap_ms),
        gaps=merge_gaps(gap for video in found for gap in video.gaps),
    )


def _merge_window(windows: Sequence[Window]) -> Window:
    if len(windows) == 1:
        return windows[0]
    return Window(
        windows[0].index,
        sum(window.frames for window in windows),
        merge_stats(window.classes for window in windows),
    )


def _add_stats(one: ClassStats, other: ClassStats) -> ClassStats:
    return ClassStats(
        one.class_id,
        one.detections + other.detections,
        one.frames + other.frames,
        max(one.max_at_once, other.max_at_once),
        one.score_sum_ppm + other.score_sum_ppm,
        max(one.score_max_ppm, other.score_max_ppm),
    )
