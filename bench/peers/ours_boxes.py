"""Ours again, one runner that notes every box: for comparing outputs, not for time."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.typing import NDArray

from bench.agreement import FrameBoxes, save
from bench.child import measured
from bench.peers.ours import connect_to, job_of, run_record, worker_config
from bench.tasks import Sample, Task
from videojob.adapters.clock import SystemClock
from videojob.local.sinks import open_sink
from videojob.media.parent.decoder import DecoderProcess
from videojob.vision.tensors import Detections, Geometry
from videojob.worker.segment.runner import SegmentRunner
from videojob.worker.segment.task import FrameObserver, SegmentTask, SegmentTools


class _Notes:
    """A `FrameObserver` that keeps the boxes."""

    def __init__(self) -> None:
        self.frames: list[FrameBoxes] = []

    def frame(self, time_ms: int, pixels: NDArray[np.uint8] | None, found: Detections) -> None:  # noqa: ARG002
        """One frame."""
        self.frames.append(np.column_stack([found.boxes, found.scores]).astype(np.float32))

    def finish(self) -> None:
        """Nothing to complete."""

    def commit(self) -> None:
        """Nothing to make visible."""

    def discard(self) -> None:
        """Nothing to remove."""


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    notes = _Notes()

    def observers(task: SegmentTask, geometry: Geometry) -> list[FrameObserver]:  # noqa: ARG001
        return [notes]

    with contextlib.ExitStack() as stack:
        inference = connect_to(task)
        stack.callback(inference.close)
        job = job_of(task, inference.contract)
        config = worker_config(task, inference.contract, 1)
        sink = open_sink(config.sink)
        stack.callback(sink.close)
        decoder = DecoderProcess()
        stack.callback(decoder.close)
        tools = SegmentTools(
            decoder,
            inference,
            sink,
            SystemClock(),
            config.in_flight_frames,
            stopped=lambda: False,
            progress=lambda _: None,
            observers=observers,
        )
        runner = SegmentRunner(tools)
        stack.callback(runner.close)
        record = sink.begin(run_record("boxes", len(job.segments)))
        with measured(task) as measurement:
            for segment in job.segments:
                runner.run(SegmentTask(record, task.clip, job.info, segment, job.settings))
            measurement.frames = len(notes.frames)
    if task.boxes is not None:
        save(task.boxes, notes.frames)
    return measurement.sample()
