"""The aggregates: integers only, so that merging is exactly associative and a summary is equal byte for byte.

Scores are parts per million (`score_ppm`, 0..1_000_000), times milliseconds from the video's first frame, boxes whole
source pixels. Nothing here depends on the machine, the clock or the order of the work; timings live in
`SegmentTimings`, outside every digest.
"""

from __future__ import annotations

import operator
from dataclasses import astuple, dataclass, field

from videojob.video.plan import NEWEST_KEYS


@dataclass(frozen=True, slots=True)
class ClassStats:
    """One class inside one window.

    Attributes:
        class_id: the model's class.
        detections: boxes, summed over frames.
        frames: frames with at least one box.
        max_at_once: most boxes in one frame.
        score_sum_ppm, score_max_ppm: over all boxes.
    """

    class_id: int
    detections: int
    frames: int
    max_at_once: int
    score_sum_ppm: int
    score_max_ppm: int


@dataclass(frozen=True, slots=True)
class Window:
    """`[index * window_ms, (index + 1) * window_ms)` of one video's time.

    Attributes:
        index: position on the video's grid of windows.
        frames: frames processed, gated ones included.
        classes: ascending by class_id.
    """

    index: int
    frames: int
    classes: tuple[ClassStats, ...]


@dataclass(frozen=True, slots=True)
class Presence:
    """A class was in the picture from `first_ms` to `last_ms`, without a break longer than the presence gap.

    Attributes:
        peak_ms, peak_score_ppm, peak_box: the best box: highest score, then earliest, then smallest box;
            (x_min, y_min, x_max, y_max) in source pixels.
    """

    class_id: int
    first_ms: int
    last_ms: int
    peak_ms: int
    peak_score_ppm: int
    peak_box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class TrackSpan:
    """One track inside one segment, from its very first sighting; its ends let neighbouring segments be stitched."""

    track_id: int
    class_id: int
    first_ms: int
    last_ms: int
    first_box: tuple[int, int, int, int]
    last_box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Gap:
    """`[start_ms, end_ms)` could not be decoded, and why."""

    start_ms: int
    end_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """All that one segment found. Pure: the same input, model and settings give the same value.

    Attributes:
        segment, video: as in `video.info.Segment`.
        start_pts, end_pts: the segment's range; the finaliser checks that ranges join without gap or overlap.
        frames_decoded: pictures decoded inside the range.
        frames_selected: those that sampling asked for; `frames_gated` of them repeat their neighbour's boxes.
        windows: ascending by index. presence: ascending by (class_id, first_ms). tracks: ascending by track_id.
    """

    segment: int
    video: int
    start_pts: int | None
    end_pts: int | None
    frames_decoded: int
    frames_selected: int
    frames_gated: int
    windows: tuple[Window, ...] = ()
    presence: tuple[Presence, ...] = ()
    tracks: tuple[TrackSpan, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerWork:
    """What the segment's server did meanwhile, for all its clients, and on what this segment ran.

    Attributes:
        window_s: between the two readings of the server's counters.
        executions: batches that it ran. frames: in them. frames_squared: each batch's frames squared, summed.
        execution_s: seconds of the model, each batch counted once. frame_execution_s: each batch's frames times its
            seconds, summed.
        max_batch: most frames in a batch, at least 1. instances: batches that the server runs at once.
        input_pixels: width times height of the frames that were sent.
        worker: instance type of the segment's own machine, as in "c7i.xlarge"; "" when nothing tells it.
    """

    window_s: float
    executions: int
    frames: int
    frames_squared: int
    execution_s: float
    frame_execution_s: float
    max_batch: int = 1
    instances: int = 1
    input_pixels: int = 0
    worker: str = ""


@dataclass(frozen=True, slots=True)
class SegmentTimings:
    """Where one segment's time went; kept beside the result, never part of a digest.

    Attributes:
        wall_s: from the first frame asked for until the result stands, its commit not counted.
        decode_s: decoder process at work.
        prepare_s, transport_s, boxes_s, aggregate_s: the runner's own thread at each step.
        wait_s: the runner waited for answers with its window full.
        decode_wait_s: the runner waited for frames, with room for more.
        retries: inference requests sent again.
        peak_rss_bytes: highest resident memory of runner and decoder process, added; shared frames count in both.
        server: what its server did meanwhile; None when its counters could not be read, or its writer did not.
    """

    wall_s: float = 0.0
    decode_s: float = 0.0
    prepare_s: float = 0.0
    transport_s: float = 0.0
    boxes_s: float = 0.0
    aggregate_s: float = 0.0
    wait_s: float = 0.0
    decode_wait_s: float = 0.0
    retries: int = 0
    peak_rss_bytes: int = 0
    server: ServerWork | None = None


@dataclass(frozen=True, slots=True)
class SegmentCommit:
    """What one commit stores: a result, its digest and its timings.

    Attributes:
        digest: sha256 hex over the result's canonical form (`results.stored.codec.digest`).
    """

    result: SegmentResult
    digest: str
    timings: SegmentTimings = field(default_factory=SegmentTimings)


@dataclass(frozen=True, slots=True)
class SegmentConflict:
    """A segment that came to two different results, though the same input, model and settings give the same one.

    Attributes:
        segment: which.
        kept: digest of the result that was first and stays.
        other: of the first one that was refused.
    """

    segment: int
    kept: str
    other: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a job, as the sink keeps it.

    Attributes:
        uid: the job's identity: metadata.uid on a cluster, a hash of name and place on a laptop.
        namespace, name: for people.
        plan_digest: sha256 hex over all that decides the results: inputs' versions, segments, model digest, settings.
            The same digest continues the run, another one starts a new epoch.
        segments: how many commits make the run complete.
        epoch: 1 for the first run; set by the sink. A writer of an older epoch is fenced off.
        keys: version of the table's keys that the run is stored under; a run that goes on keeps its own.
    """

    uid: str
    namespace: str
    name: str
    plan_digest: str
    segments: int
    epoch: int = 0
    keys: int = NEWEST_KEYS


@dataclass(frozen=True, slots=True)
class WriteUsage:
    """What the sink consumed in this process since it was opened.

    Attributes:
        write_units: DynamoDB write request units, reported by the service, or by its published rule for SQLite, for
            puts whose condition failed and for requests without an answer, which may have been written (one per started
            KB of item, twice that inside a transaction).
        items: items written. throttled: answers that were throttled.
        payload_bytes: size of what was written.
    """

    write_units: float = 0.0
    items: int = 0
    throttled: int = 0
    payload_bytes: int = 0

    def __add__(self, other: WriteUsage) -> WriteUsage:
        """Both, summed."""
        return WriteUsage(*map(operator.add, astuple(self), astuple(other)))

    def __sub__(self, before: WriteUsage) -> WriteUsage:
        """What was consumed since an earlier reading."""
        return WriteUsage(*map(operator.sub, astuple(self), astuple(before)))
