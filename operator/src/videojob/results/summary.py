"""The job's summary: what a finished run found, complete or refused.

It is a function of the inputs, the model and the settings alone: nothing in it tells when, where, on which machine, in
how many attempts or into which store the run went. So the summary of an interrupted and resumed run is equal, byte for
byte, to that of an undisturbed one. Numbers per window are not in it; they stay in the segments' items and are read
with `results.merge.fold`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from videojob.errors import ResultsIncomplete
from videojob.planning.video import Segment
from videojob.results.document import Document
from videojob.results.merge import JobResults, VideoResults, fold, merge_stats
from videojob.results.tracks import unique_counts
from videojob.results.values import ClassStats, Gap, Presence, SegmentResult

State = Literal["Completed", "PartiallyCompleted", "Failed"]


@dataclass(frozen=True, slots=True)
class JobIdentity:
    """Whose summary it is.

    Attributes:
        namespace, name: of the VideoJob.
        model, model_version: as the server names them; the version is "" when the server chose.
        labels: class names by class id; a class beyond them is called "class 7".
    """

    namespace: str
    name: str
    model: str
    model_version: str = ""
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VideoEntry:
    """One input as the summary names it.

    Attributes:
        uri: as the manifest named it.
        duration_ms: as probed; 0 when nothing told.
        width, height: of the upright picture in which boxes are given, in pixels.
    """

    uri: str
    duration_ms: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FailedInput:
    """A video that could not be worked on; the others were.

    Attributes:
        video: position in the job's inputs.
        uri: as the manifest named it.
        error: `VideoJobError.as_dict()`.
    """

    video: int
    uri: str
    error: Mapping[str, Document]


@dataclass(frozen=True, slots=True)
class ResultSettings:
    """What shaped the numbers.

    Attributes:
        window_ms, presence_gap_ms: as in `SegmentAccumulator`.
        threshold_ppm: boxes below this score were dropped.
        sampling: in words, as in "5 frames per second".
        tracked: a tracker ran: there are unique counts.
    """

    window_ms: int
    presence_gap_ms: int
    threshold_ppm: int = 0
    sampling: str = "every frame"
    tracked: bool = False


@dataclass(frozen=True, slots=True)
class ClassSummary:
    """One class over a video or the whole job.

    Attributes:
        class_id, label: the class.
        detections: boxes, summed over frames. frames: frames with at least one box.
        max_at_once: most boxes in one frame.
        mean_score, max_score: decimal strings in 0..1, six digits.
        present_ms: length of all presence intervals together, in milliseconds.
        intervals: how many presence intervals there are.
        unique: different things seen, by tracks; None when no tracker ran.
    """

    class_id: int
    label: str
    detections: int
    frames: int
    max_at_once: int
    mean_score: str
    max_score: str
    present_ms: int
    intervals: int
    unique: int | None


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Frames of a video or the whole job: `decoded`, `selected` by sampling, `gated` as still, and `inferred`."""

    decoded: int
    selected: int
    gated: int
    inferred: int


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """What one video came to.

    Attributes:
        video: position in the job's inputs.
        entry: how it is named.
        segments: how many it was cut into.
        frames, classes: totals; classes ascending by class_id.
        presence: intervals by (class_id, first_ms). gaps: by start.
    """

    video: int
    entry: VideoEntry
    segments: int
    frames: FrameCounts
    classes: tuple[ClassSummary, ...]
    presence: tuple[Presence, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole job.

    Attributes:
        state: "Completed"; "PartiallyCompleted" with gaps or failed inputs; "Failed" when no input could be worked on.
        message: in words why the state is not Completed; "" when it is.
        frames, classes: totals over all videos.
        videos: ascending. failed_inputs: ascending by position.
    """

    identity: JobIdentity
    settings: ResultSettings
    state: State
    message: str
    frames: FrameCounts
    classes: tuple[ClassSummary, ...]
    videos: tuple[VideoSummary, ...]
    failed_inputs: tuple[FailedInput, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class JobDescription:
    """All that a summary needs beside the results.

    Attributes:
        identity, settings: see there.
        videos: every input, by position.
        segments: every planned segment, in any order.
        failed: inputs that could not be worked on; their segments are neither asked for nor counted.
        track_memory_ms: per video by position, how long its trackers remember (`planning.settings.track_memory_ms`);
            a video beyond them has the presence gap's.
    """

    identity: JobIdentity
    settings: ResultSettings
    videos: tuple[VideoEntry, ...]
    segments: tuple[Segment, ...]
    failed: tuple[FailedInput, ...] = ()
    track_memory_ms: tuple[int, ...] = ()


def summarise(job: JobDescription, results: Iterable[SegmentResult]) -> Summary:
    """Checks that the results are complete and folds them.

    Raises:
        ResultsIncomplete: a planned segment is missing, stored twice or with another range, the ranges of a video do
            not join, or a segment's windows do not add up to its frames. The message names what is wrong.
    """
    failed = {entry.video for entry in job.failed}
    wanted = [segment for segment in job.segments if segment.video not in failed]
    complete = check_complete(wanted, (result for result in results if result.video not in failed))
    merged = fold(complete, job.settings.presence_gap_ms)
    videos = tuple(_video_summary(job, video) for video in merged.videos)
    state, message = _state(videos, job.failed)
    return Summary(
        identity=job.identity,
        settings=job.settings,
        state=state,
        message=message,
        frames=_frames(merged.videos),
        classes=_job_classes(job, merged, videos),
        videos=videos,
        failed_inputs=tuple(sorted(job.failed, key=lambda entry: entry.video)),
    )


def results_of(summary: Summary, results: Iterable[SegmentResult]) -> JobResults:
    """The summary's own results with their windows.

    A video that was given up may have results from before; the summary does not count them, and nor does this.

    Args:
        summary: of a finished epoch.
        results: every one that is stored for that epoch.
    """
    videos = {video.video for video in summary.videos}
    return fold((result for result in results if result.video in videos), summary.settings.presence_gap_ms)


def check_complete(planned: Sequence[Segment], results: Iterable[SegmentResult]) -> list[SegmentResult]:
    """The results by segment index, if they are exactly what was planned; raises ResultsIncomplete otherwise."""
    found: dict[int, SegmentResult] = {}
    for result in results:
        if result.segment in found:
            raise ResultsIncomplete("the segment was stored twice", segment=result.segment, retryable=False)
        found[result.segment] = result
    missing = sorted({segment.index for segment in planned} - found.keys())
    if missing:
        raise ResultsIncomplete(f"{len(missing)} of {len(planned)} segments are missing: {_ranges(missing)}")
    surplus = sorted(found.keys() - {segment.index for segment in planned})
    if surplus:
        raise ResultsIncomplete(f"segments {_ranges(surplus)} were never planned", retryable=False)
    for segment in planned:
        _check_segment(segment, found[segment.index])
    _check_cover(planned)
    return [found[index] for index in sorted(found)]


def class_label(labels: Sequence[str], class_id: int) -> str:
    """The class's name, or "class 7" when the model has no name for it."""
    return labels[class_id] if 0 <= class_id < len(labels) else f"class {class_id}"


def decimal_ppm(value_ppm: int) -> str:
    """Parts per million as a decimal string with six digits."""
    return f"{value_ppm // 1_000_000}.{value_ppm % 1_000_000:06d}"


def _check_segment(segment: Segment, result: SegmentResult) -> None:
    planned = (segment.video, segment.start_pts, segment.end_pts)
    stored = (result.video, result.start_pts, result.end_pts)
    if planned != stored:
        raise ResultsIncomplete(
            f"the stored range {_range_text(stored)} is not the planned {_range_text(planned)}",
            segment=segment.index,
            retryable=False,
        )
    in_windows = sum(window.frames for window in result.windows)
    if in_windows != result.frames_selected:
        raise ResultsIncomplete(
            f"windows hold {in_windows} frames, the segment {result.frames_selected}",
            segment=segment.index,
            retryable=False,
        )


def _check_cover(planned: Sequence[Segment]) -> None:
    by_video: dict[int, list[Segment]] = {}
    for segment in sorted(planned, key=lambda segment: segment.index):
        by_video.setdefault(segment.video, []).append(segment)
    for video, segments in by_video.items():
        joints = [None, *(segment.end_pts for segment in segments)]
        starts = [*(segment.start_pts for segment in segments), None]
        for at, (end_pts, start_pts) in enumerate(zip(joints, starts, strict=True)):
            inside = 0 < at < len(segments)
            if end_pts != start_pts or (end_pts is None) == inside:
                raise ResultsIncomplete(
                    f"video {video} is not covered once: one range ends at {end_pts}, the next starts at {start_pts}",
                    segment=segments[min(at, len(segments) - 1)].index,
                    retryable=False,
                )


def _range_text(key: tuple[int, int | None, int | None]) -> str:
    return f"[{key[1]}, {key[2]}) of video {key[0]}"


def _ranges(indexes: Sequence[int], shown: int = 8) -> str:
    """Ascending indexes in words: "0-3, 7, 9-12"; the first few ranges when there are many."""
    ranges: list[list[int]] = []
    for index in indexes:
        if ranges and index == ranges[-1][1] + 1:
            ranges[-1][1] = index
        else:
            ranges.append([index, index])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    more = f" and {len(words) - shown} more ranges" if len(words) > shown else ""
    return ", ".join(words[:shown]) + more


def _video_summary(job: JobDescription, video: VideoResults) -> VideoSummary:
    unique = None
    if job.settings.tracked:
        known = video.video < len(job.track_memory_ms)
        memory_ms = job.track_memory_ms[video.video] if known else job.settings.presence_gap_ms
        unique = unique_counts((part.tracks for part in video.segments), memory_ms)
    return VideoSummary(
        video=video.video,
        entry=job.videos[video.video],
        segments=len(video.segments),
        frames=_frames([video]),
        classes=_classes(job.identity.labels, video.class_totals(), video.presence, unique),
        presence=video.presence,
        gaps=video.gaps,
    )


def _job_classes(job: JobDescription, merged: JobResults, videos: Sequence[VideoSummary]) -> tuple[ClassSummary, ...]:
    unique: dict[int, int] | None = {} if job.settings.tracked else None
    if unique is not None:
        for found in (item for video in videos for item in video.classes):
            unique[found.class_id] = unique.get(found.class_id, 0) + (found.unique or 0)
    totals = merge_stats(video.class_totals() for video in merged.videos)
    presence = [span for video in merged.videos for span in video.presence]
    return _classes(job.identity.labels, totals, presence, unique)


def _classes(
    labels: Sequence[str],
    totals: Sequence[ClassStats],
    presence: Sequence[Presence],
    unique: Mapping[int, int] | None,
) -> tuple[ClassSummary, ...]:
    lengths_ms: dict[int, list[int]] = {}
    for span in presence:
        lengths_ms.setdefault(span.class_id, []).append(span.last_ms - span.first_ms)
    return tuple(
        ClassSummary(
            class_id=stats.class_id,
            label=class_label(labels, stats.class_id),
            detections=stats.detections,
            frames=stats.frames,
            max_at_once=stats.max_at_once,
            mean_score=decimal_ppm((2 * stats.score_sum_ppm + stats.detections) // (2 * stats.detections)),
            max_score=decimal_ppm(stats.score_max_ppm),
            present_ms=sum(lengths_ms.get(stats.class_id, ())),
            intervals=len(lengths_ms.get(stats.class_id, ())),
            unique=None if unique is None else unique.get(stats.class_id, 0),
        )
        for stats in totals
    )


def _frames(videos: Sequence[VideoResults]) -> FrameCounts:
    selected = sum(video.frames_selected for video in videos)
    gated = sum(video.frames_gated for video in videos)
    return FrameCounts(sum(video.frames_decoded for video in videos), selected, gated, selected - gated)


def _state(videos: Sequence[VideoSummary], failed: Sequence[FailedInput]) -> tuple[State, str]:
    gaps = sum(len(video.gaps) for video in videos)
    if not gaps and not failed:
        return "Completed", ""
    words = []
    if failed:
        words.append(f"{len(failed)} of {len(videos) + len(failed)} inputs failed")
    if gaps:
        words.append(f"{gaps} corrupt {'stretch was' if gaps == 1 else 'stretches were'} skipped")
    return ("PartiallyCompleted" if videos else "Failed"), "; ".join(words)
