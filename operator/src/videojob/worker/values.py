"""What the runner is given, and what it says while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob.planning.settings import RunSettings
from videojob.planning.video import Segment, VideoInfo
from videojob.ports import Clock, CommitOutcome, Decoder, Inference, Sink
from videojob.results.values import RunRecord, SegmentCommit
from videojob.vision.values import Detections, Geometry


@dataclass(frozen=True, slots=True)
class SegmentTask:
    """One segment to run.

    Attributes:
        run: as the sink's `begin` returned it.
        path: local file with the video.
        info: what probing said of the video.
        segment: the stretch.
        settings: how.
    """

    run: RunRecord
    path: Path
    info: VideoInfo
    segment: Segment
    settings: RunSettings


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a segment is: frames in the results so far, of which `frames_inferred` went through the model."""

    segment: int
    video: int
    frames_done: int
    frames_inferred: int


@dataclass(frozen=True, slots=True)
class SegmentOutcome:
    """A finished segment."""

    commit: SegmentCommit
    outcome: CommitOutcome


class FrameObserver(Protocol):
    """Sees every selected frame with its boxes in presentation order, as the preview and the per-frame file do."""

    def frame(self, time_ms: int, pixels: NDArray[np.uint8] | None, found: Detections) -> None:
        """One frame.

        Args:
            time_ms: from the video's first frame.
            pixels: (height, width, 3) uint8 at model size, valid during the call; None for a gated frame.
            found: boxes in upright source pixels.
        """
        ...

    def commit(self) -> None:
        """All frames were seen: makes the output visible, before the segment's own commit."""
        ...

    def discard(self) -> None:
        """The segment is given up: leaves nothing behind."""
        ...


class ObserverFactory(Protocol):
    """Makes the observers of one segment."""

    def __call__(self, task: SegmentTask, geometry: Geometry) -> list[FrameObserver]:
        """New observers for one segment."""
        ...


def no_observers(task: SegmentTask, geometry: Geometry) -> list[FrameObserver]:  # noqa: ARG001 - an ObserverFactory
    """The usual case: aggregates only."""
    return []


@dataclass(frozen=True, slots=True)
class SegmentTools:
    """The runner's hands, made once per process.

    Attributes:
        decoder, inference, sink, clock: the ports.
        in_flight_frames: most frames with the server at once, from this runner.
        stopped: says whether the process was asked to stop; the runner then drops the segment with Cancelled.
        progress: called a few times per second.
        observers: see `FrameObserver`.
    """

    decoder: Decoder
    inference: Inference
    sink: Sink
    clock: Clock
    in_flight_frames: int
    stopped: Callable[[], bool]
    progress: Callable[[Progress], None]
    observers: ObserverFactory = no_observers
