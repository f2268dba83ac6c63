"""Runs one segment: decode -> prepare -> infer -> boxes -> windows -> commit, one straight pipe with bounded queues.

Called by the laptop's pool, by a Job's worker and by a function alike. Guarantees:
- the same task gives the same result, whatever the order of answers, the batch sizes or the transport;
- it ends with one conditional commit, or with an error and nothing stored;
- memory is bounded by the ring and `in_flight_frames`, however long the segment is.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import replace

from videojob.errors import (
    Cancelled,
    InferenceTimeout,
    InputChanged,
    InvalidModelOutput,
    ProcessingFault,
    VideoJobError,
)
from videojob.media.parent.rings import RingHolder
from videojob.media.protocol.messages import DecodeReport, DecodeRequest, Frame
from videojob.ports.decoding import FrameRing, SegmentFrames
from videojob.ports.inference import InferenceReply
from videojob.ports.results import CommitOutcome
from videojob.results.aggregate.accumulate import SegmentAccumulator
from videojob.results.aggregate.segment_results import Gap, SegmentCommit, SegmentResult
from videojob.results.stored.codec import digest
from videojob.video.identity import track_memory_ms
from videojob.vision.decoders import BoxDecoder, create_decoder
from videojob.vision.geometry import fit, to_source
from videojob.vision.prepare import prepare
from videojob.vision.select import class_ids, keep_classes
from videojob.vision.tensors import Detections
from videojob.vision.tracking import FirstSighting, MotionTracker, Tracker
from videojob.worker.segment.flow import FrameFlow, Group
from videojob.worker.segment.meter import ServerMeter
from videojob.worker.segment.stopwatch import Stopwatch
from videojob.worker.segment.task import FrameObserver, Progress, SegmentOutcome, SegmentTask, SegmentTools, file_stamp

_AHEAD_SLOTS = 8  # decoded frames that may wait while the window is full: hides the decoder's jitter between keyframes
_LEAST_SLOTS = 4  # fewer and decoder, wire and server would take turns
_RING_BYTES = 128 << 20  # a model of large pictures gets fewer slots, not more memory
_STALL_S = 120.0  # no answer for this long is an error even when the transport has not given up
_POLL_S = 0.5  # how often a wait checks the stop signal
_PROGRESS_S = 0.2  # a person sees no more than five updates per second


class SegmentRunner:
    """Runs segments one after another in one process; keeps the ring, the box decoder and the request ids between them.

    Args:
        tools: the process's ports; `close` does not close them.
    """

    def __init__(self, tools: SegmentTools) -> None:
        self._tools = tools
        self._rings = RingHolder()
        self._boxes: BoxDecoder = create_decoder(tools.inference.contract)
        # Unique over all segments of the process: a late answer to a dropped segment must not fit a new request.
        self._request_ids = itertools.count(1)
        self._meter = ServerMeter(tools.inference, tools.clock, tools.instance_type)
        self._meter.read()

    def run(self, task: SegmentTask) -> SegmentOutcome:
        """Runs one segment to its commit.

        Raises:
            VideoJobError: with uri and segment filled in; nothing is stored. `Cancelled` when `stopped` said so,
                `InputChanged` when the file is no longer the one that was planned.
        """
        try:
            _check_unchanged(task)
            return self._pipe(task).run()
        except VideoJobError as error:
            error.uri = error.uri or task.info.uri
            error.segment = task.segment.index if error.segment is None else error.segment
            raise

    def close(self) -> None:
        """Removes the ring."""
        self._rings.close()

    def _pipe(self, task: SegmentTask) -> _Pipe:
        pixels = self._tools.inference.contract.pixels
        geometry = fit(*task.info.display_size, pixels)
        slot_bytes = geometry.width * geometry.height * 3
        slots = max(_LEAST_SLOTS, min(self._tools.in_flight_frames + _AHEAD_SLOTS, _RING_BYTES // slot_bytes))
        ring = self._rings.ring(slots, slot_bytes)
        self._tools.inference.attach(ring)
        request = DecodeRequest(
            path=task.path,
            pages=task.pages,
            guide=task.guide,
            info=task.info,
            segment=task.segment,
            sampling=task.settings.sampling,
            geometry=geometry,
            colour=pixels.colour,
            pad_value=pixels.pad_value,
            skip_corrupt=task.settings.skip_corrupt,
        )
        flow = FrameFlow(
            slots=slots,
            in_flight=min(self._tools.in_flight_frames, slots),
            group=self._meter.group,
            request_ids=self._request_ids,
        )
        return _Pipe(task, self._tools, self._boxes, meter=self._meter, request=request, ring=ring, flow=flow)


def _check_unchanged(task: SegmentTask) -> None:
    if task.stamp is not None and file_stamp(task.path) != task.stamp:
        raise InputChanged("the file was replaced or written to while the job ran")


class _Pipe:
    """One segment on its way; holds what `SegmentRunner.run` needs for a single call."""

    def __init__(
        self,
        task: SegmentTask,
        tools: SegmentTools,
        boxes: BoxDecoder,
        *,
        meter: ServerMeter,
        request: DecodeRequest,
        ring: FrameRing,
        flow: FrameFlow,
    ) -> None:
        self._task = task
        self._tools = tools
        self._boxes = boxes
        self._meter = meter
        self._request = request
        self._ring = ring
        self._flow = flow
        self._watch = Stopwatch(tools.clock)
        settings = task.settings
        self._classes = class_ids(tools.inference.contract.labels, settings.classes)
        self._accumulator = SegmentAccumulator(
            task.segment,
            window_ms=settings.window_ms,
            presence_gap_ms=settings.presence_gap_ms,
        )
        self._observers: Sequence[FrameObserver] = ()
        memory_ms = track_memory_ms(settings, task.info)
        self._tracker: Tracker | None = MotionTracker(memory_ms) if settings.track else None
        self._last = Detections.empty()
        self._done = 0
        self._inferred = 0
        self._retries = 0
        self._reported_s = tools.clock.monotonic_s()

    def run(self) -> SegmentOutcome:
        try:
            self._observers = self._tools.observers(self._task, self._request.geometry)
            frames = self._tools.decoder.open(self._request, self._ring)
            self._stream(frames)
            outcome = self._commit(frames.report())
        except BaseException:
            self._abandon()
            raise
        self._tell(force=True)
        return outcome

    def _stream(self, frames: SegmentFrames) -> None:
        for frame in self._watch.each("decode_wait", frames):
            self._check_stop()
            self._flow.receive(frame)
            self._send(flush=False)
            self._collect_ready(frames)
            while self._flow.must_collect and self._flow.flying_requests:
                self._collect_one(frames)
            self._drain(frames)
        self._send(flush=True)
        while self._flow.flying_requests:
            self._collect_one(frames)
            self._send(flush=True)
        self._drain(frames)

    def _send(self, *, flush: bool) -> None:
        while (group := self._flow.next_group(flush=flush)) is not None:
            self._submit(group)

    def _submit(self, group: Group) -> None:
        geometry = self._request.geometry
        shape = (geometry.height, geometry.width, 3)
        pixels = self._ring.view(group.first_slot, len(group.frames), shape)
        with self._watch.lap("prepare"):
            wire = prepare(pixels, self._tools.inference.contract.pixels)
        # Only untouched pixels can be read from the ring itself; anything prepared is a copy elsewhere.
        slot = group.first_slot if wire is pixels else None
        with self._watch.lap("transport"):
            self._tools.inference.submit(group.request_id, wire, slot)

    def _collect_ready(self, frames: SegmentFrames) -> None:
        while self._flow.flying_requests:
            reply = self._tools.inference.collect(0.0)
            if reply is None:
                return
            self._take(reply, frames)

    def _collect_one(self, frames: SegmentFrames) -> None:
        started_s = self._tools.clock.monotonic_s()
        while True:
            self._check_stop()
            with self._watch.lap("wait"):
                reply = self._tools.inference.collect(_POLL_S)
            if reply is not None:
                self._take(reply, frames)
                return
            if self._tools.clock.monotonic_s() - started_s > _STALL_S:
                raise InferenceTimeout(f"the server gave no answer for {_STALL_S:.0f} s")

    def _take(self, reply: InferenceReply, frames: SegmentFrames) -> None:
        sent = self._flow.frames_of(reply.request_id)
        if not sent:
            return  # the late answer to a segment that was given up
        self._retries += reply.retries
        geometry = self._request.geometry
        with self._watch.lap("boxes"):
            try:
                found = self._boxes.decode(
                    reply.outputs, geometry.width, geometry.height, self._task.settings.threshold
                )
            except InvalidModelOutput as error:
                error.time_ms = sent[0].time_ms
                raise
            found = [keep_classes(to_source(boxes, geometry), self._classes) for boxes in found]
        self._flow.answer(reply.request_id, found)
        self._drain(frames)

    def _drain(self, frames: SegmentFrames) -> None:
        for frame, found in self._flow.drain():
            with self._watch.lap("aggregate"):
                if found is not None:
                    self._inferred += 1
                begun = self._follow(frame.time_ms, found)
                self._accumulator.add(frame.time_ms, self._last, gated=found is None, begun=begun)
            self._observe(frame)
            self._done += 1
            if frame.slot is not None:
                frames.release(frame.slot)
        self._tell(force=False)

    def _follow(self, time_ms: int, found: Detections | None) -> Sequence[FirstSighting]:
        """Makes `_last` what this frame shows, None standing for a still one; returns the tracks it confirmed."""
        if self._tracker is None:
            self._last = self._last if found is None else found
            return ()
        if found is None:
            self._tracker.hold(time_ms)
            return ()
        self._last = self._tracker.update(time_ms, found)
        return self._tracker.begun()

    def _observe(self, frame: Frame) -> None:
        if not self._observers:
            return
        geometry = self._request.geometry
        pixels = None
        if frame.slot is not None:
            pixels = self._ring.view(frame.slot, 1, (geometry.height, geometry.width, 3))[0]
        with self._watch.lap("aggregate"):
            for observer in self._observers:
                observer.frame(frame.time_ms, pixels, self._last)

    def _commit(self, report: DecodeReport) -> SegmentOutcome:
        gaps = tuple(Gap(gap.start_ms, gap.end_ms, gap.reason) for gap in report.gaps)
        result: SegmentResult = self._accumulator.finish(frames_decoded=report.frames_decoded, gaps=gaps)
        self._check_sums(result, report)
        _check_unchanged(self._task)
        for observer in self._observers:
            observer.finish()
        geometry = self._request.geometry
        timings = replace(
            self._watch.timings(),
            decode_s=report.busy_s,
            retries=self._retries,
            peak_rss_bytes=report.peak_rss_bytes + self._tools.own_peak_rss_bytes(),
            server=self._meter.read(geometry.width * geometry.height),
        )
        commit = SegmentCommit(result, digest(result), timings)
        outcome = self._tools.sink.commit(self._task.run, commit)
        # Files follow the stored result: those of a result that was not kept would tell of other boxes.
        for observer in self._observers:
            if outcome is CommitOutcome.OTHER_KEPT:
                observer.discard()
            else:
                observer.commit()
        return SegmentOutcome(commit, outcome)

    def _check_sums(self, result: SegmentResult, report: DecodeReport) -> None:
        counted = (result.frames_selected, result.frames_gated)
        if counted != (report.frames_selected, report.frames_gated):
            raise ProcessingFault(
                f"the decoder sent {report.frames_selected} frames, {report.frames_gated} of them still, "
                f"and {counted[0]} and {counted[1]} arrived"
            )

    def _abandon(self) -> None:
        self._tools.inference.abandon()
        for observer in self._observers:
            # What stopped the segment is being raised already; a file that cannot be removed must not hide it.
            with contextlib.suppress(VideoJobError, OSError):
                observer.discard()

    def _check_stop(self) -> None:
        if self._tools.stopped():
            raise Cancelled("asked to stop in the middle of the segment")

    def _tell(self, *, force: bool) -> None:
        now_s = self._tools.clock.monotonic_s()
        if force or now_s - self._reported_s >= _PROGRESS_S:
            self._reported_s = now_s
            segment = self._task.segment
            self._tools.progress(Progress(segment.index, segment.video, self._done, self._inferred))
