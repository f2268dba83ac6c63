"""How far a job is and how long it will take, from its commits and its last status. Pure."""

from __future__ import annotations

import math
from fractions import Fraction

from videojob.planning.state.desired import ProgressDesired
from videojob.planning.state.last_status import LastStatus
from videojob.video.plan import PlanHead

_MEMORY_S = 60  # the rate is a mean over about the last minute


def frames_left(head: PlanHead, committed: int) -> int:
    """Estimate of the frames whose segments are not committed: all segments count as equally long."""
    return math.ceil(head.frames * (head.segments - committed) / max(1, head.segments))


def progress_of(
    head: PlanHead, committed: int, recorded: LastStatus, *, working_since_s: float | None, now_s: float
) -> ProgressDesired:
    """The figures for the status.

    Args:
        head: of the plan.
        committed: segments that are stored.
        recorded: what the status says, which gives the rate since then.
        working_since_s: since when workers have been let go; None while none are.
        now_s: seconds since the epoch.
    """
    done = head.frames - frames_left(head, committed)
    rate = _rate(done, recorded, working_since_s, now_s)
    left_s = math.ceil((head.frames - done) / rate) if rate and working_since_s is not None else None
    return ProgressDesired(done, head.frames, committed, head.segments, left_s, rate)


def _rate(done: int, recorded: LastStatus, working_since_s: float | None, now_s: float) -> Fraction | None:
    """Frames per second: what came since the last progress, mixed with the rate before by how long that took.

    While nothing moves the old rate stands: a segment takes its time, and an unchanged figure is no write.
    """
    before, since_s = recorded.frames_done, recorded.updated_s
    if working_since_s is None or done == 0:
        return None
    if before is None or since_s is None or not before:
        return _per_second(done, now_s - working_since_s)
    if done <= before:
        return recorded.frames_per_second
    # What came before a pause of the workers says nothing about how long these took.
    passed_s = now_s - max(since_s, working_since_s)
    rate = _per_second(done - before, passed_s)
    if recorded.frames_per_second is None:
        return rate
    weight = Fraction(1) - Fraction(math.exp(-max(1.0, passed_s) / _MEMORY_S)).limit_denominator(1000)
    return rate * weight + recorded.frames_per_second * (1 - weight)


def _per_second(frames: int, seconds: float) -> Fraction:
    return Fraction(frames) / Fraction(max(1.0, seconds)).limit_denominator(1000)
