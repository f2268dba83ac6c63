"""From the boxes of single frames to one segment's result. Called by the segment runner once per selected frame.

Everything kept is an integer, so the result does not depend on how a platform adds floats. A frame that repeats the
last frame's detections (motion gate) reuses what was reduced from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from videojob.errors import InvalidModelOutput
from videojob.results.aggregate.segment_results import ClassStats, Gap, Presence, SegmentResult, TrackSpan, Window
from videojob.video.info import Segment
from videojob.vision.tensors import Detections
from videojob.vision.tracking import FirstSighting

PPM = 1_000_000
"""Parts per million: the unit of every stored score."""

Box = tuple[int, int, int, int]


class _FrameClass(NamedTuple):
    """One class in one frame: how many boxes, their scores and the best box."""

    class_id: int
    boxes: int
    score_sum_ppm: int
    score_max_ppm: int
    best_box: Box


@dataclass(slots=True)
class _ClassSums:
    """`ClassStats` while it grows."""

    detections: int = 0
    frames: int = 0
    max_at_once: int = 0
    score_sum_ppm: int = 0
    score_max_ppm: int = 0

    def add(self, seen: _FrameClass) -> None:
        self.detections += seen.boxes
        self.frames += 1
        self.max_at_once = max(self.max_at_once, seen.boxes)
        self.score_sum_ppm += seen.score_sum_ppm
        self.score_max_ppm = max(self.score_max_ppm, seen.score_max_ppm)

    def freeze(self, class_id: int) -> ClassStats:
        return ClassStats(
            class_id, self.detections, self.frames, self.max_at_once, self.score_sum_ppm, self.score_max_ppm
        )


@dataclass(slots=True)
class _OpenWindow:
    frames: int
    classes: dict[int, _ClassSums]


@dataclass(slots=True)
class _OpenPresence:
    """`Presence` while it grows."""

    first_ms: int
    last_ms: int
    peak_ms: int
    peak_score_ppm: int
    peak_box: Box

    def freeze(self, class_id: int) -> Presence:
        return Presence(class_id, self.first_ms, self.last_ms, self.peak_ms, self.peak_score_ppm, self.peak_box)


@dataclass(slots=True)
class _OpenTrack:
    """`TrackSpan` while it grows."""

    class_id: int
    first_ms: int
    last_ms: int
    first_box: Box
    last_box: Box

    def freeze(self, track_id: int) -> TrackSpan:
        return TrackSpan(track_id, self.class_id, self.first_ms, self.last_ms, self.first_box, self.last_box)


class SegmentAccumulator:
    """Collects one segment's frames, in presentation order, into a `SegmentResult`.

    Args:
        segment: the stretch that is being worked on.
        window_ms: length of an aggregation window, in milliseconds of video time.
        presence_gap_ms: a class that is back within this time, in milliseconds, was never away.
    """

    def __init__(self, segment: Segment, *, window_ms: int, presence_gap_ms: int) -> None:
        if window_ms <= 0 or presence_gap_ms < 0:
            raise ValueError(
                f"window_ms {window_ms} must be positive and presence_gap_ms {presence_gap_ms} not negative"
            )
        self._segment = segment
        self._window_ms = window_ms
        self._presence_gap_ms = presence_gap_ms
        self._frames = 0
        self._gated = 0
        self._last_ms: int | None = None
        self._windows: dict[int, _OpenWindow] = {}
        self._open_presence: dict[int, _OpenPresence] = {}
        self._presence: list[Presence] = []
        self._tracks: dict[int, _OpenTrack] = {}
        self._seen: Detections | None = None
        self._seen_classes: tuple[_FrameClass, ...] = ()

    def add(
        self, time_ms: int, detections: Detections, *, gated: bool = False, begun: Sequence[FirstSighting] = ()
    ) -> None:
        """Takes one selected frame.

        Args:
            time_ms: its presentation time from the video's first frame; may not go back.
            detections: its boxes in source pixels; for a gated frame those of the frame it repeats.
            gated: the motion gate found it still, it was not inferred.
            begun: where the tracks began that this frame confirmed; others begin with their first box that has an id.

        Raises:
            InvalidModelOutput: a score outside 0..1 or a best box that is not finite.
        """
        if self._last_ms is not None and time_ms < self._last_ms:
            raise ValueError(f"frame at {time_ms} ms came after the one at {self._last_ms} ms")
        self._last_ms = time_ms
        self._frames += 1
        self._gated += gated
        index = time_ms // self._window_ms
        window = self._windows.get(index)
        if window is None:
            window = self._windows[index] = _OpenWindow(0, {})
        window.frames += 1
        if len(detections.scores):
            self._add_boxes(time_ms, detections, window)
        for sighting in begun:
            track = self._tracks[sighting.track_id]
            track.first_ms, track.first_box = sighting.time_ms, _whole_box(sighting.box)

    def finish(self, *, frames_decoded: int, gaps: Sequence[Gap] = ()) -> SegmentResult:
        """The result of all frames added.

        Args:
            frames_decoded: pictures decoded inside the segment, from the decoder's report.
            gaps: stretches that could not be decoded.
        """
        presence = [*self._presence, *(span.freeze(class_id) for class_id, span in self._open_presence.items())]
        return SegmentResult(
            segment=self._segment.index,
            video=self._segment.video,
            start_pts=self._segment.start_pts,
            end_pts=self._segment.end_pts,
            frames_decoded=frames_decoded,
            frames_selected=self._frames,
            frames_gated=self._gated,
            windows=tuple(
                Window(
                    index,
                    window.frames,
                    tuple(window.classes[class_id].freeze(class_id) for class_id in sorted(window.classes)),
                )
                for index, window in sorted(self._windows.items())
            ),
            presence=tuple(sorted(presence, key=lambda span: (span.class_id, span.first_ms))),
            tracks=tuple(self._tracks[track_id].freeze(track_id) for track_id in sorted(self._tracks)),
            gaps=tuple(sorted(gaps, key=lambda gap: (gap.start_ms, gap.end_ms, gap.reason))),
        )

    def _add_boxes(self, time_ms: int, detections: Detections, window: _OpenWindow) -> None:
        if detections is not self._seen:
            self._seen, self._seen_classes = detections, _reduce(detections)
        for seen in self._seen_classes:
            sums = window.classes.get(seen.class_id)
            if sums is None:
                sums = window.classes[seen.class_id] = _ClassSums()
            sums.add(seen)
            self._see(time_ms, seen)
        if detections.track_ids is not None:
            self._add_tracks(time_ms, detections, detections.track_ids.tolist())

    def _see(self, time_ms: int, seen: _FrameClass) -> None:
        """Opens, prolongs or replaces the class's presence interval."""
        span = self._open_presence.get(seen.class_id)
        if span is not None and time_ms - span.last_ms <= self._presence_gap_ms:
            span.last_ms = time_ms
            # Frames come in order: of equal peaks the earlier stays, and two frames at one time compare their boxes.
            if seen.score_max_ppm > span.peak_score_ppm or (
                seen.score_max_ppm == span.peak_score_ppm and span.peak_ms == time_ms and seen.best_box < span.peak_box
            ):
                span.peak_ms, span.peak_score_ppm, span.peak_box = time_ms, seen.score_max_ppm, seen.best_box
            return
        if span is not None:
            self._presence.append(span.freeze(seen.class_id))
        self._open_presence[seen.class_id] = _OpenPresence(time_ms, time_ms, time_ms, seen.score_max_ppm, seen.best_box)

    def _add_tracks(self, time_ms: int, detections: Detections, track_ids: Sequence[int]) -> None:
        rows = zip(track_ids, detections.class_ids.tolist(), detections.boxes.tolist(), strict=True)
        for track_id, class_id, corners in rows:
            if track_id < 0:
                continue
            box = _whole_box(corners)
            track = self._tracks.get(track_id)
            if track is None:
                self._tracks[track_id] = _OpenTrack(class_id, time_ms, time_ms, box, box)
            else:
                track.last_ms, track.last_box = time_ms, box


def _reduce(detections: Detections) -> tuple[_FrameClass, ...]:
    """One frame's boxes by class.

    A plain loop on purpose: a frame has tens of boxes and several classes, where numpy's cost per call and class is
    five times that of the loop (20 boxes of 20 classes: 380 against 25 microseconds).
    """
    sums: dict[int, tuple[int, int, int, int]] = {}
    boxes = detections.boxes
    for row, (class_id, score) in enumerate(
        zip(detections.class_ids.tolist(), detections.scores.tolist(), strict=True)
    ):
        # The comparison is also false for NaN.
        if not 0.0 <= score <= 1.0:
            raise InvalidModelOutput(f"a score of {score} lies outside 0..1", hint="Check the model's box decoder.")
        score_ppm = round(score * PPM)
        known = sums.get(class_id)
        if known is None:
            sums[class_id] = (1, score_ppm, score_ppm, row)
            continue
        count, total_ppm, top_ppm, best_row = known
        if score_ppm > top_ppm or (
            score_ppm == top_ppm and _whole_box(boxes[row].tolist()) < _whole_box(boxes[best_row].tolist())
        ):
            top_ppm, best_row = score_ppm, row
        sums[class_id] = (count + 1, total_ppm + score_ppm, top_ppm, best_row)
    return tuple(
        _FrameClass(class_id, count, total_ppm, top_ppm, _whole_box(boxes[row].tolist()))
        for class_id, (count, total_ppm, top_ppm, row) in sums.items()
    )


def _whole_box(box: Sequence[float]) -> Box:
    x_min, y_min, x_max, y_max = box
    if not math.isfinite(x_min + y_min + x_max + y_max):
        raise InvalidModelOutput("a box is not finite", hint="Check the model's box decoder.")
    return (round(x_min), round(y_min), round(x_max), round(y_max))
