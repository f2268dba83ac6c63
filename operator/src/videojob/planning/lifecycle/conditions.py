"""Desired states in words: reason, message and conditions that belong together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videojob.api.videojob import VideoJob
from videojob.errors import InputError, VideoJobError, WorkerLost, error_from_dict
from videojob.planning.installation import Catalogue
from videojob.planning.state.desired import ConditionStatus, ConditionWanted, Desired
from videojob.planning.state.last_status import Recorded
from videojob.planning.state.observed import JobSeen, Observed
from videojob.reasons import REASONS, Phase, Where


@dataclass(frozen=True, slots=True)
class Look:
    """All that a decision takes.

    Attributes:
        is_resumed: the job ended badly, and goes on from this look on; `recorded` is then as if it had not ended.
    """

    job: VideoJob
    observed: Observed
    catalogue: Catalogue
    recorded: Recorded
    now_s: float
    is_resumed: bool = False

    def jobs(self, kind: str) -> list[JobSeen]:
        """The job's Jobs of a kind, oldest attempt first, also those on their way out."""
        return sorted((one for one in self.observed.jobs if one.kind == kind), key=lambda one: one.attempt)

    @property
    def is_over_time(self) -> bool:
        """Whether activeDeadlineSeconds are over: counted from the start, anew from each resume, not while held."""
        limit_s, started_s = self.job.spec.active_deadline_seconds, self.recorded.counts_from_s
        if limit_s is None or started_s is None or self.job.spec.suspend:
            return False
        if self.recorded.status_of("Suspended") == "True":
            return False  # resumed just now
        let_go_s = self.recorded.since_s("Suspended", "False")
        since_s = started_s if let_go_s is None else max(started_s, let_go_s)
        return self.now_s - since_s >= limit_s

    @property
    def over_time_words(self) -> str:
        """Why `is_over_time`."""
        limit_s = self.job.spec.active_deadline_seconds
        return f"the job ran longer than its activeDeadlineSeconds of {limit_s}"

    @property
    def is_working(self) -> bool:
        """Whether workers may be at it."""
        jobs = self.observed.jobs
        return any(one.kind == "work" and one.finished is None and not one.suspended for one in jobs)

    @property
    def unfinished_jobs(self) -> tuple[str, ...]:
        """Names of Jobs that would go on working."""
        return tuple(one.name for one in self.observed.jobs if one.finished is None and not one.deleting)


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition but for its type."""

    status: ConditionStatus
    reason: str
    message: str = ""


def works(
    look: Look,
    reason: str,
    message: str,
    *,
    capacity: Fact | None = None,
    server: Fact | None = None,
    advise: bool = True,
    queued: bool = False,
) -> Desired:
    """A job on its way: it waits or works.

    Args:
        look: at the job.
        reason: of videojob.reasons.
        message: for people; what to do next is added when it waits, unless `advise` is False.
        capacity: what is known of nodes; None for nothing yet.
        server: the same of the inference server.
        advise: the message lacks what to do.
        queued: Kueue holds it.
    """
    info = REASONS[reason]
    text = sentence(message, info.cluster) if advise and info.phase is Phase.WAITING else message
    unasked, suspended = Fact("Unknown", reason), Fact("False", reason)
    if look.job.spec.suspend:
        unasked, suspended = Fact("False", "Suspended", "given back"), Fact("True", "Suspended", "by spec.suspend")
    elif queued:
        suspended = Fact("True", "Queued", "by Kueue")
    return _desired(Fact("Unknown", reason, text), capacity or unasked, server or unasked, suspended)


def fails(look: Look, reason: str, message: str) -> Desired:
    """A job that ended badly; its Jobs go, what is committed stays. What to do next is added to the message."""
    word = _failure(reason)
    return _ends(look, Fact("False", word, sentence(message, REASONS[word].cluster)))


def fails_with(look: Look, error: Mapping[str, Any], reason: str = "") -> Desired:
    """The same with `VideoJobError.as_dict()`, whose own hint goes before the advice of its reason.

    Args:
        look: at the job.
        error: what happened.
        reason: of the job; by default the error's own.
    """
    word = _failure(reason or str(error.get("reason")))
    return _ends(look, Fact("False", word, sentence(error_words(error), advice(error))))


def succeeds(look: Look, reason: str, message: str) -> Desired:
    """A job that ended well."""
    return _ends(look, Fact("True", reason, message or REASONS[reason].meaning))


def error_words(error: Mapping[str, Any]) -> str:
    """`VideoJobError.as_dict()` for people: what, and where."""
    place = [str(error["uri"])] if error.get("uri") else []
    if error.get("segment") is not None:
        place.append(f"segment {error['segment']}")
    where = f" ({', '.join(place)})" if place else ""
    return f"{error.get('message', '')}{where}"


def advice(error: Mapping[str, Any]) -> str:
    """What to do on a cluster about `VideoJobError.as_dict()`: its own hint, else what its reason advises there."""
    return str(error.get("hint") or REASONS[_failure(str(error.get("reason")))].cluster)


def told(error: VideoJobError) -> str:
    """An error as part of a message: what, where, and what to do on a cluster."""
    return sentence(error_words(error.as_dict()), error.advice(Where.CLUSTER))


def sentence(message: str, next_step: str) -> str:
    """The message, and then what to do, unless it says so already."""
    text = message.rstrip(".")
    return f"{text}. {next_step}" if text and next_step and next_step not in text else (message or next_step)


def concerns_one_video(error: Mapping[str, Any] | None) -> bool:
    """Whether `VideoJobError.as_dict()` is about a video and about nothing else: the job can do without it."""
    if error is None:
        return False
    found = error_from_dict(error)
    return isinstance(found, InputError | WorkerLost) or error.get("reason") == VideoJobError.reason


def _failure(reason: str) -> str:
    """The word itself when it is one for a bad end."""
    return reason if reason in REASONS and REASONS[reason].phase is Phase.FAILED else "InternalError"


def _ends(look: Look, succeeded: Fact) -> Desired:
    over = Fact("False", succeeded.reason, "the job is over")
    desired = _desired(succeeded, over, over, Fact("False", succeeded.reason))
    return Desired(
        reason=desired.reason,
        message=desired.message,
        conditions=desired.conditions,
        started=True,
        ended=True,
        # Workers that have nothing left to do end by themselves, and leave their logs.
        remove_jobs=look.unfinished_jobs if succeeded.status == "False" else (),
    )


def _desired(succeeded: Fact, capacity: Fact, server: Fact, suspended: Fact) -> Desired:
    return Desired(
        reason=succeeded.reason,
        message=succeeded.message,
        conditions=(
            ConditionWanted("Succeeded", succeeded.status, succeeded.reason, succeeded.message),
            ConditionWanted("CapacityReady", capacity.status, capacity.reason, capacity.message),
            ConditionWanted("ServerReady", server.status, server.reason, server.message),
            ConditionWanted("Suspended", suspended.status, suspended.reason, suspended.message),
        ),
    )
