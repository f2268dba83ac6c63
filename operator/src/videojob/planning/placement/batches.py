"""How a job's segments are dealt out to pods: how many adjacent ones an index owns. Pure.

A pod costs its start before it does any work: the container, the interpreter, the connections and the container's
index of the video. So an index owns so many segments that its start is a small share of its work. Nothing is lost with
a pod but the segment that it is at: what is committed is skipped by its successor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from videojob.api.spec import VideoJobSpec
from videojob.planning.installation import Installation, ServerVariant, WorkerSettings
from videojob.planning.placement.choice import most_workers, workers_for
from videojob.video.plan import PlanHead

START_SHARE = Fraction(1, 20)
"""Most that the start of a pod may take, of the work of its index."""
_TURNS = 4  # so many indexes for each worker even out batches of unequal length
_LEAST_BACKSTOP_S, _BACKSTOP_TIMES = 2 * 86_400, 10
_MAX_COMPLETIONS = 10_000  # an Indexed Job takes 100,000; a tenth keeps its status and its controller quick


@dataclass(frozen=True, slots=True)
class Deal:
    """How segments lie in indexes.

    Attributes:
        batch: segments of one index.
        completions: indexes.
        least_workers: concurrent workers that the deadline needs with these batches; 1 without one.
    """

    batch: int
    completions: int
    least_workers: int = 1


def deal(
    head: PlanHead,
    spec: VideoJobSpec,
    installation: Installation,
    variant: ServerVariant,
    *,
    deadline_left_s: float | None,
) -> Deal:
    """Deals the segments of a plan out.

    An index is as small as keeps its pod's start at `START_SHARE` of its work, because small ones even out workers and
    let their number change. Where few segments would leave workers without an index, fewer workers run: low cost comes
    before speed. A deadline comes before both: batches get smaller until they end in time. Where a job is so large that
    every worker gets several turns all the same, or that its indexes would be too many, an index owns more.

    Args:
        head: of the plan.
        spec: of the job.
        installation: what a worker's start takes, and how fast it is.
        variant: of its server.
        deadline_left_s: seconds that are left for work; None without a deadline.
    """
    worker = installation.worker
    segment_s = _frames_of_segment(head) / _rate(worker, variant, in_time=deadline_left_s is not None)
    batch = min(max(1, head.segments), max(1, math.ceil(worker.start_s / (START_SHARE * segment_s))))
    least_workers = 1
    if deadline_left_s is None:
        workers = min(workers_for(variant.frames_per_second, worker), most_workers(spec, installation))
        batch = _even(head.segments, batch, workers)
    else:
        batch, least_workers = _in_time(head, worker, batch, most_workers(spec, installation), deadline_left_s)
    for_turns = head.segments // (worker.max_workers * _TURNS)
    batch = max(batch, for_turns, math.ceil(head.segments / _MAX_COMPLETIONS))
    return Deal(batch, indexes(head.segments, batch), least_workers)


def indexes(segments: int, batch: int) -> int:
    """Indexes of a Job whose indexes own so many segments each."""
    return math.ceil(segments / batch)


def segment_s(head: PlanHead, worker: WorkerSettings, variant: ServerVariant) -> float:
    """Seconds that one worker usually takes for the plan's longest segment.

    Plans of earlier releases do not say how long that is: a segment lies in one video, so the mean video stands in.
    """
    videos = max(1, head.videos - head.failed)
    share = Fraction(head.longest_ms, head.duration_ms) if head.longest_ms and head.duration_ms else Fraction(1, videos)
    mean = Fraction(max(1, head.frames), max(1, head.segments))
    frames = max(mean, head.frames * min(Fraction(1), share))
    return float(frames / _rate(worker, variant, in_time=False))


def backstop_s(head: PlanHead, worker: WorkerSettings, variant: ServerVariant, workers: int) -> int:
    """Seconds after which work is a fault: ten times what it usually takes with one replica, and two days."""
    speed = min(variant.frames_per_second, workers * _rate(worker, variant, in_time=False))
    return _LEAST_BACKSTOP_S + math.ceil(_BACKSTOP_TIMES * head.frames / speed)


def _frames_of_segment(head: PlanHead) -> Fraction:
    return Fraction(max(1, head.frames), max(1, head.segments))


def _rate(worker: WorkerSettings, variant: ServerVariant, *, in_time: bool) -> Fraction:
    """Frames per second of one worker: its own, or its part of what one replica answers where that is less.

    A job with a deadline gets as many replicas as it takes, so that its workers need not wait.
    """
    if in_time:
        return worker.frames_per_second
    return variant.frames_per_second / workers_for(variant.frames_per_second, worker)


def _even(segments: int, batch: int, workers: int) -> int:
    """A batch, no shorter, with which workers that get few turns end together: a last turn of some costs the server."""
    turns, rest = divmod(indexes(segments, batch), workers)
    return math.ceil(segments / (workers * turns)) if rest and 1 <= turns < _TURNS else batch


def _in_time(head: PlanHead, worker: WorkerSettings, batch: int, most: int, left_s: float) -> tuple[int, int]:
    """(batch, workers): the largest batch with which at most so many workers end in time; (1, 1) when none does."""
    segment_s = float(_frames_of_segment(head) / worker.frames_per_second)
    for size in range(batch, 0, -1):
        rounds = math.floor(left_s / (worker.start_s + size * segment_s))
        if rounds >= 1:
            needed = math.ceil(indexes(head.segments, size) / rounds)
            if needed <= most:
                return size, needed
    return 1, 1
