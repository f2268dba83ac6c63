"""What only the stored status of a VideoJob knows: when it began, since when something holds, how far it was. Pure.

All else is observed again each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from videojob.api.status import Condition, VideoJobStatus
from videojob.api.units import DecimalText
from videojob.planning.state.placement import RecordedPlacement, ServerKey
from videojob.planning.state.stall import NO_STALL, Stall
from videojob.reasons import REASONS


@dataclass(frozen=True, slots=True)
class LastStatus:
    """A stored status in numbers; times are seconds since the epoch, None where there is none.

    Attributes:
        conditions: by type.
        message: of the whole.
        started_s, ended_s: startTime and completionTime.
        resumed_s: when it was last resumed after a bad end.
        frames_total: estimate of all frames, as it was made with the plan.
        frames_done: at `updated_s`, when progress was last seen to move.
        frames_per_second: at that time.
        segments_done: the same of segments.
        stall: paid time without a commit.
        placement: the server that was chosen for a run; None before one was.
    """

    conditions: Mapping[str, Condition] = field(default_factory=dict)
    message: str = ""
    started_s: float | None = None
    ended_s: float | None = None
    resumed_s: float | None = None
    frames_total: int | None = None
    frames_done: int | None = None
    updated_s: float | None = None
    frames_per_second: Fraction | None = None
    segments_done: int = 0
    stall: Stall = NO_STALL
    placement: RecordedPlacement | None = None

    @property
    def counts_from_s(self) -> float | None:
        """Since when limits of time count: from the start, or the last resume after a bad end."""
        return self.started_s if self.resumed_s is None else self.resumed_s

    @property
    def frames_left(self) -> int:
        """Estimate as of `updated_s`; 0 when nothing is known."""
        return max(0, (self.frames_total or 0) - (self.frames_done or 0))

    @property
    def reason(self) -> str:
        """Of the `Succeeded` condition; "Queued" before there is one."""
        found = self.conditions.get("Succeeded")
        return found.reason if found is not None and found.reason in REASONS else "Queued"

    def status_of(self, kind: str) -> str:
        """Status of a condition; "" when it is not there."""
        found = self.conditions.get(kind)
        return "" if found is None else found.status

    def since_s(self, kind: str, status: str) -> float | None:
        """Since when a condition has this status; None when it has another one."""
        found = self.conditions.get(kind)
        return None if found is None or found.status != status else seconds_of(found.last_transition_time)


def last_status_of(status: VideoJobStatus | None) -> LastStatus:
    """The stored status, or an empty one."""
    if status is None:
        return LastStatus()
    progress, throughput = status.progress, status.throughput
    rate = None if throughput is None else throughput.frames_per_second
    return LastStatus(
        conditions={one.type: one for one in status.conditions},
        message=status.message,
        started_s=_seconds(status.start_time),
        ended_s=_seconds(status.completion_time),
        resumed_s=_seconds(status.resume_time),
        frames_total=None if progress is None else progress.frames_total,
        frames_done=None if progress is None else progress.frames_done,
        updated_s=None if progress is None else _seconds(progress.last_updated_time),
        frames_per_second=None if rate is None else DecimalText(rate).fraction,
        segments_done=0 if progress is None else progress.segments_done,
        stall=_stall(status),
        placement=_placement(status),
    )


def _stall(status: VideoJobStatus) -> Stall:
    found = status.stall
    if found is None:
        return NO_STALL
    times = _seconds(found.counted_time), _seconds(found.held_time)
    return Stall(found.seconds, *times, found.tries, found.cause)


def _placement(status: VideoJobStatus) -> RecordedPlacement | None:
    found = status.placement
    if found is None or found.server is None or found.epoch is None:
        return None
    server = found.server
    key = ServerKey(
        server.model,
        server.version,
        server.accelerator,
        tuple(server.capacity_types),
        tuple(server.instance_types),
        server.gpu,
    )
    rate = found.replica_frames_per_second
    speed = None if rate is None else DecimalText(rate).fraction
    return RecordedPlacement(key, found.epoch, found.why, speed or None)


def seconds_of(timestamp: str) -> float:
    """Seconds since the epoch of a time as Kubernetes writes it."""
    return datetime.fromisoformat(timestamp).timestamp()


def _seconds(timestamp: str | None) -> float | None:
    return None if timestamp is None else seconds_of(timestamp)
