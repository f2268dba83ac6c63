"""Following boxes from frame to frame: what makes "3 people" out of "90 boxes of a person".

A tracker lives inside one segment and starts afresh in the next, so that a segment stays pure work; `aggregate.tracks`
stitches what crosses a border. Deterministic: elementary float64 operations in a fixed order, no randomness, no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob.vision.tensors import Detections

UNTRACKED = -1
"""The track id of a box that belongs to no track (yet)."""

_MIN_IOU = 0.25
"""Overlap with the predicted box from which a box continues a track at once."""

_BUFFER = 0.5
"""Second look: boxes grown on each side by this share of their size, for small or fast things and few frames."""

_MIN_BUFFERED_IOU = 0.15

_VELOCITY_WEIGHT = 0.6
"""Share of the newest step in a track's velocity; the rest smooths a detector's jitter."""

_HITS_TO_COUNT = 2
"""Sightings from which a track gets an id: a single false alarm is not a thing."""


@dataclass(frozen=True, slots=True)
class FirstSighting:
    """Where a track began, reported when its second sighting confirms it.

    Attributes:
        track_id: the id that it just got.
        time_ms: presentation time of the first sighting.
        box: (x_min, y_min, x_max, y_max) of it, in source pixels.
    """

    track_id: int
    time_ms: int
    box: tuple[float, float, float, float]


class Tracker(Protocol):
    """Gives boxes of the same thing the same track id."""

    def update(self, time_ms: int, detections: Detections) -> Detections:
        """The same boxes in the same order, with `track_ids`; `UNTRACKED` where there is no track (yet).

        Args:
            time_ms: presentation time of the frame; rises from call to call.
            detections: the frame's boxes in source pixels. Frames that were not inferred go to `hold`.
        """
        ...

    def hold(self, time_ms: int) -> None:
        """Takes a frame that was not inferred since nothing moved: what the last frame showed is still there."""
        ...

    def begun(self) -> Sequence[FirstSighting]:
        """The tracks that the last `update` gave an id, ascending by id."""
        ...

    def reset(self) -> None:
        """Forgets everything: the next frame belongs to another segment. Ids start again at 1."""
        ...


class MotionTracker(Tracker):
    """Follows boxes of one class by overlap with where they should be by now, at constant velocity.

    In every frame the best overlapping pairs are matched first; what is left is looked at again with grown boxes, where
    it should be and where it was seen last. Works on presentation times, so a variable frame rate, gated frames and
    sparse sampling need no setting.

    Args:
        max_lost_ms: a track that was not seen for longer has ended, in milliseconds. Give at least twice the distance
            of two sampled frames.
    """

    def __init__(self, max_lost_ms: int) -> None:
        if max_lost_ms <= 0:
            raise ValueError(f"max_lost_ms {max_lost_ms} must be positive")
        self._max_lost_ms = max_lost_ms
        self.reset()

    def reset(self) -> None:
        self._next_id = 1
        self._boxes = np.empty((0, 4))
        self._velocity = np.empty((0, 2))
        self._seen_ms = np.empty(0, np.int64)
        self._first_ms = np.empty(0, np.int64)
        self._first_boxes = np.empty((0, 4))
        self._hits = np.empty(0, np.int64)
        self._ids = np.empty(0, np.int32)
        self._class_ids = np.empty(0, np.int32)
        self._newest_ms = 0
        self._begun: tuple[FirstSighting, ...] = ()

    def hold(self, time_ms: int) -> None:
        self._seen_ms[self._seen_ms == self._newest_ms] = time_ms
        self._newest_ms = time_ms

    def begun(self) -> Sequence[FirstSighting]:
        return self._begun

    def update(self, time_ms: int, detections: Detections) -> Detections:
        self._newest_ms = time_ms
        self._keep(self._seen_ms >= time_ms - self._max_lost_ms)
        boxes = detections.boxes.astype(np.float64)
        tracks, found = self._match(time_ms, boxes, detections.class_ids)
        self._move(time_ms, tracks, boxes[found])
        track_ids = np.full(len(boxes), UNTRACKED, np.int32)
        track_ids[found] = self._ids[tracks]
        self._start(time_ms, np.setdiff1d(np.arange(len(boxes)), found), boxes, detections.class_ids)
        return replace(detections, track_ids=track_ids)

    def _match(
        self, time_ms: int, boxes: NDArray[np.float64], class_ids: NDArray[np.int32]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions of matched tracks and of their boxes, pair by pair."""
        if not len(boxes) or not len(self._boxes):
            return np.empty(0, np.intp), np.empty(0, np.intp)
        elapsed_ms = (time_ms - self._seen_ms)[:, None]
        predicted = self._boxes + np.tile(self._velocity * elapsed_ms, 2)
        same_class = self._class_ids[:, None] == class_ids[None, :]
        pairs = _best_pairs(np.where(same_class, overlaps(predicted, boxes), 0.0), _MIN_IOU)
        if len(pairs) < min(same_class.shape):
            # Where it was seen last counts as well: what was hidden has often slowed down or stopped.
            near = np.maximum(overlaps(_grown(predicted), _grown(boxes)), overlaps(_grown(self._boxes), _grown(boxes)))
            second = np.where(same_class, near, 0.0)
            for track, found in pairs:
                second[track, :] = 0.0
                second[:, found] = 0.0
            pairs += _best_pairs(second, _MIN_BUFFERED_IOU)
        matched = np.array(pairs, np.intp).reshape(-1, 2)
        return matched[:, 0], matched[:, 1]

    def _move(self, time_ms: int, tracks: NDArray[np.intp], boxes: NDArray[np.float64]) -> None:
        """Puts matched tracks where they were seen, and learns how fast they go."""
        elapsed_ms = np.maximum(time_ms - self._seen_ms[tracks], 1)[:, None]
        step = (_centres(boxes) - _centres(self._boxes[tracks])) / elapsed_ms
        weight = np.where(self._hits[tracks] == 1, 1.0, _VELOCITY_WEIGHT)[:, None]
        self._velocity[tracks] = weight * step + (1 - weight) * self._velocity[tracks]
        self._boxes[tracks] = boxes
        self._seen_ms[tracks] = time_ms
        self._hits[tracks] += 1
        self._begun = tuple(
            self._confirm(track)
            for track in sorted(tracks.tolist())
            if self._ids[track] == UNTRACKED and self._hits[track] >= _HITS_TO_COUNT
        )

    def _confirm(self, track: int) -> FirstSighting:
        x_min, y_min, x_max, y_max = self._first_boxes[track].tolist()
        sighting = FirstSighting(self._next_id, int(self._first_ms[track]), (x_min, y_min, x_max, y_max))
        self._ids[track] = self._next_id
        self._next_id += 1
        return sighting

    def _start(
        self, time_ms: int, rows: NDArray[np.intp], boxes: NDArray[np.float64], class_ids: NDArray[np.int32]
    ) -> None:
        count = len(rows)
        if not count:
            return
        self._boxes = np.concatenate([self._boxes, boxes[rows]])
        self._velocity = np.concatenate([self._velocity, np.zeros((count, 2))])
        self._seen_ms = np.concatenate([self._seen_ms, np.full(count, time_ms, np.int64)])
        self._first_ms = np.concatenate([self._first_ms, np.full(count, time_ms, np.int64)])
        self._first_boxes = np.concatenate([self._first_boxes, boxes[rows]])
        self._hits = np.concatenate([self._hits, np.ones(count, np.int64)])
        self._ids = np.concatenate([self._ids, np.full(count, UNTRACKED, np.int32)])
        self._class_ids = np.concatenate([self._class_ids, class_ids[rows]])

    def _keep(self, alive: NDArray[np.bool_]) -> None:
        if alive.all():
            return
        self._boxes, self._velocity = self._boxes[alive], self._velocity[alive]
        self._seen_ms, self._hits = self._seen_ms[alive], self._hits[alive]
        self._first_ms, self._first_boxes = self._first_ms[alive], self._first_boxes[alive]
        self._ids, self._class_ids = self._ids[alive], self._class_ids[alive]


def overlaps(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every pair: (N, 4) and (M, 4) boxes to (N, M); 0 where both are without area."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    sides = np.maximum(high - low, 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    union = _areas(one)[:, None] + _areas(other)[None, :] - intersection
    overlap: NDArray[np.float64] = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return overlap


def _best_pairs(overlap: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) by falling overlap, no row and no column twice; ties by row, then column."""
    rows, columns = np.nonzero(overlap >= least)
    order = np.argsort(-overlap[rows, columns], kind="stable")
    pairs: list[tuple[int, int]] = []
    taken_rows: set[int] = set()
    taken_columns: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in taken_rows and column not in taken_columns:
            taken_rows.add(row)
            taken_columns.add(column)
            pairs.append((row, column))
    return pairs


def _grown(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    margin = (boxes[:, 2:] - boxes[:, :2]) * _BUFFER
    return np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], axis=1)


def _centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = boxes[:, 2:] - boxes[:, :2]
    areas: NDArray[np.float64] = sides[:, 0] * sides[:, 1]
    return areas
