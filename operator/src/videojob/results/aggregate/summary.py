"""The job's summary: what a finished run found, complete or refused.

It is a function of the inputs, the model and the settings alone: nothing in it tells when, where, on which machine, in
how many attempts or into which store the run went. So the summary of an interrupted and resumed run is equal, byte for
byte, to that of an undisturbed one. Numbers per window are not in it; they stay in the segments' items and are read
with `results.aggregate.merge.fold`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from videojob.errors import InputCorrupt
from videojob.results.aggregate.columns import PresenceColumns
from videojob.results.aggregate.completeness import checked_in_order
from videojob.results.aggregate.document import Document
from videojob.results.aggregate.merge import JobResults, fold, merge_stats
from videojob.results.aggregate.segment_results import ClassStats, Gap, Presence, SegmentResult
from videojob.results.aggregate.totals import VideoTotals
from videojob.results.aggregate.tracks import UniqueCounter
from videojob.video.info import Segment

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
        sampling: as text, such as "5 frames per second".
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
        presence: intervals by (class_id, first_ms), as `PresenceColumns` where there may be very many.
        gaps: by start.
    """

    video: int
    entry: VideoEntry
    segments: int
    frames: FrameCounts
    classes: tuple[ClassSummary, ...]
    presence: Sequence[Presence]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole job.

    Attributes:
        state: "Completed"; "PartiallyCompleted" with gaps or failed inputs; "Failed" when no input could be processed.
        message: why the state is not Completed; "" when it is.
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
        segments: every planned segment, in any order; asked for more than once.
        failed: inputs that could not be worked on; their segments are neither asked for nor counted.
        track_memory_ms: per video by position, how long its trackers remember (`video.identity.track_memory_ms`);
            a video beyond them has the presence gap's.
    """

    identity: JobIdentity
    settings: ResultSettings
    videos: tuple[VideoEntry, ...]
    segments: Collection[Segment]
    failed: tuple[FailedInput, ...] = ()
    track_memory_ms: tuple[int, ...] = ()


def summarise(job: JobDescription, results: Iterable[SegmentResult]) -> Summary:
    """Checks that the results are complete and sums them up, one after the other.

    A video of which nothing but gaps is left is an input that failed.

    Raises:
        ResultsIncomplete: as `results.aggregate.completeness.checked_in_order`; the message names what is wrong.
    """
    failed = {entry.video for entry in job.failed}
    failed_inputs = list(job.failed)
    # A video is summed up as soon as its last segment came: only that is kept of it, its intervals with all others'.
    left = Counter(segment.video for segment in job.segments if segment.video not in failed)
    kept = (segment for segment in job.segments if segment.video not in failed)
    columns, sums = PresenceColumns(), _Sums()
    totals: dict[int, VideoTotals] = {}
    videos: list[VideoSummary] = []
    for result in checked_in_order(kept, (result for result in results if result.video not in failed)):
        if result.video not in totals:
            totals[result.video] = _new_totals(job, result.video)
        totals[result.video].add(result)
        left[result.video] -= 1
        if not left[result.video]:
            video = totals.pop(result.video)
            if video.gaps and not video.frames_decoded:
                failed_inputs.append(_nothing_intact(job.videos[video.video].uri, video))
                continue
            presence = video.take_presence(columns)
            lengths = _lengths(presence)
            videos.append(_video_summary(job, video, presence, lengths))
            sums.add(video, videos[-1], lengths)
    videos.sort(key=lambda video: video.video)
    state, message = _state(videos, failed_inputs)
    unique = sums.unique if job.settings.tracked else None
    return Summary(
        identity=job.identity,
        settings=job.settings,
        state=state,
        message=message,
        frames=sums.frames,
        classes=_classes(job.identity.labels, sums.classes, sums.lengths, unique),
        videos=tuple(videos),
        failed_inputs=tuple(sorted(failed_inputs, key=lambda entry: entry.video)),
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


def class_label(labels: Sequence[str], class_id: int) -> str:
    """The class's name, or "class 7" when the model has no name for it."""
    return labels[class_id] if 0 <= class_id < len(labels) else f"class {class_id}"


def decimal_ppm(value_ppm: int) -> str:
    """Parts per million as a decimal string with six digits."""
    return f"{value_ppm // 1_000_000}.{value_ppm % 1_000_000:06d}"


def _nothing_intact(uri: str, video: VideoTotals) -> FailedInput:
    first = video.gaps[0]
    error = InputCorrupt(
        f"not one picture that was asked for is intact: {first.reason}",
        uri=uri,
        time_ms=first.start_ms,
        hint="Nothing of it can be used: export the recording again from its source.",
    )
    return FailedInput(video.video, uri, error.as_dict())


def _new_totals(job: JobDescription, video: int) -> VideoTotals:
    gap_ms = job.settings.presence_gap_ms
    if not job.settings.tracked:
        return VideoTotals(video, gap_ms)
    memory_ms = job.track_memory_ms[video] if video < len(job.track_memory_ms) else gap_ms
    return VideoTotals(video, gap_ms, UniqueCounter(memory_ms))


@dataclass(frozen=True, slots=True)
class _Lengths:
    """Of one class's presence intervals: how many there are and how long they are together, in milliseconds."""

    intervals: int = 0
    present_ms: int = 0


@dataclass(slots=True)
class _Sums:
    """The whole job, grown video by video."""

    frames: FrameCounts = field(default=FrameCounts(0, 0, 0, 0))
    classes: tuple[ClassStats, ...] = ()
    lengths: dict[int, _Lengths] = field(default_factory=dict)
    unique: dict[int, int] = field(default_factory=dict)

    def add(self, video: VideoTotals, summary: VideoSummary, lengths: Mapping[int, _Lengths]) -> None:
        frames, more = self.frames, summary.frames
        self.frames = FrameCounts(
            frames.decoded + more.decoded,
            frames.selected + more.selected,
            frames.gated + more.gated,
            frames.inferred + more.inferred,
        )
        self.classes = merge_stats([self.classes, video.class_totals])
        for class_id, length in lengths.items():
            known = self.lengths.get(class_id, _Lengths())
            sums = known.intervals + length.intervals, known.present_ms + length.present_ms
            self.lengths[class_id] = _Lengths(*sums)
        for one in summary.classes:
            self.unique[one.class_id] = self.unique.get(one.class_id, 0) + (one.unique or 0)


def _lengths(presence: PresenceColumns) -> dict[int, _Lengths]:
    classes, first_ms, last_ms, *_ = presence.table_columns()
    intervals: Counter[int] = Counter()
    present_ms: Counter[int] = Counter()
    for class_id, begin_ms, end_ms in zip(classes, first_ms, last_ms, strict=True):
        intervals[class_id] += 1
        present_ms[class_id] += end_ms - begin_ms
    return {class_id: _Lengths(count, present_ms[class_id]) for class_id, count in intervals.items()}


def _video_summary(
    job: JobDescription, video: VideoTotals, presence: PresenceColumns, lengths: Mapping[int, _Lengths]
) -> VideoSummary:
    selected, gated = video.frames_selected, video.frames_gated
    unique = None if video.unique is None else video.unique.counts
    return VideoSummary(
        video=video.video,
        entry=job.videos[video.video],
        segments=video.segments,
        frames=FrameCounts(video.frames_decoded, selected, gated, selected - gated),
        classes=_classes(job.identity.labels, video.class_totals, lengths, unique),
        presence=presence,
        gaps=video.gaps,
    )


def _classes(
    labels: Sequence[str],
    totals: Sequence[ClassStats],
    lengths: Mapping[int, _Lengths],
    unique: Mapping[int, int] | None,
) -> tuple[ClassSummary, ...]:
    return tuple(
        ClassSummary(
            class_id=stats.class_id,
            label=class_label(labels, stats.class_id),
            detections=stats.detections,
            frames=stats.frames,
            max_at_once=stats.max_at_once,
            mean_score=decimal_ppm((2 * stats.score_sum_ppm + stats.detections) // (2 * stats.detections)),
            max_score=decimal_ppm(stats.score_max_ppm),
            present_ms=lengths.get(stats.class_id, _Lengths()).present_ms,
            intervals=lengths.get(stats.class_id, _Lengths()).intervals,
            unique=None if unique is None else unique.get(stats.class_id, 0),
        )
        for stats in totals
    )


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
