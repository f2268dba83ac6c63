"""A VideoJob as people see it: its stored object as frozen values, whichever controller wrote it. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob.planning.state.last_status import seconds_of
from videojob.planning.state.pods import QUEUE_LABEL
from videojob.reasons import REASONS, Phase

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ConditionState:
    """One condition, as it is stored."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ProgressState:
    """How far a job is; None where it is not known yet."""

    frames_done: int
    frames_total: int | None
    segments_done: int
    segments_total: int | None
    remaining_s: float | None
    frames_per_s: float | None


@dataclass(frozen=True, slots=True)
class JobState:
    """One VideoJob.

    Attributes:
        suspend, resumes: what its spec asks for. queue: of Kueue, "" for none. deleting: it is on its way out.
        phase: None before a controller has reconciled it.
        reason, message: of the `Succeeded` condition; "" before.
        conditions: the others.
        created_s, started_s, ended_s: seconds since the epoch; None where it has not happened.
        progress: None before the videos were measured.
        table: that has the results of a finished job; "" before.
    """

    namespace: str
    name: str
    uid: str
    suspend: bool
    resumes: int
    queue: str
    deleting: bool
    phase: Phase | None
    reason: str
    message: str
    conditions: tuple[ConditionState, ...]
    created_s: float | None
    started_s: float | None
    ended_s: float | None
    progress: ProgressState | None
    table: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be done."""
        return self.phase in {Phase.SUCCEEDED, Phase.FAILED}

    def lasted_s(self, now_s: float) -> float | None:
        """Seconds from its start to its end or to now; None before the start."""
        if self.started_s is None:
            return None
        return max(0.0, (now_s if self.ended_s is None else self.ended_s) - self.started_s)


def job_state(value: Object) -> JobState:
    """The values of an object that the API server gave."""
    metadata, spec, status = value["metadata"], value.get("spec") or {}, value.get("status") or {}
    stored = [_condition(one) for one in status.get("conditions") or ()]
    succeeded = next((one for one in stored if one.type == "Succeeded"), None)
    return JobState(
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata["name"]),
        uid=str(metadata.get("uid", "")),
        suspend=bool(spec.get("suspend", False)),
        resumes=int(spec.get("resumes", 0)),
        queue=str((metadata.get("labels") or {}).get(QUEUE_LABEL, "")),
        deleting="deletionTimestamp" in metadata,
        phase=None if succeeded is None else _phase(succeeded),
        reason="" if succeeded is None else succeeded.reason,
        message=str(status.get("message") or ("" if succeeded is None else succeeded.message)),
        conditions=tuple(one for one in stored if one.type != "Succeeded"),
        created_s=_time(metadata.get("creationTimestamp")),
        started_s=_time(status.get("startTime")),
        ended_s=_time(status.get("completionTime")),
        progress=_progress(status),
        table=str((status.get("results") or {}).get("table") or ""),
    )


def _condition(value: Object) -> ConditionState:
    words = (str(value.get(name, "")) for name in ("type", "status", "reason", "message"))
    return ConditionState(*words)


def _phase(succeeded: ConditionState) -> Phase:
    """By the condition's status, which every version means alike; the reason only tells waiting from working."""
    if succeeded.status in {"True", "False"}:
        return Phase.SUCCEEDED if succeeded.status == "True" else Phase.FAILED
    info = REASONS.get(succeeded.reason)
    return Phase.WORKING if info is not None and info.phase is Phase.WORKING else Phase.WAITING


def _progress(status: Object) -> ProgressState | None:
    found = status.get("progress")
    if not found:
        return None
    rate = (status.get("throughput") or {}).get("framesPerSecond")
    remaining = found.get("estimatedRemainingSeconds")
    return ProgressState(
        frames_done=int(found.get("framesDone", 0)),
        frames_total=found.get("framesTotal"),
        segments_done=int(found.get("segmentsDone", 0)),
        segments_total=found.get("segmentsTotal"),
        remaining_s=None if remaining is None else float(remaining),
        frames_per_s=None if rate is None else float(rate),
    )


def _time(text: object) -> float | None:
    return seconds_of(text) if isinstance(text, str) and text else None
