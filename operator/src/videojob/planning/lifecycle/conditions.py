"""Desired states as text: reason, message and conditions that belong together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from videojob.errors import InputError, VideoJobError, WorkerLost, error_from_dict
from videojob.planning.diagnosis.messages import advice, error_words, failure_reason, sentence
from videojob.planning.state.desired import ConditionDesired, ConditionStatus, Desired
from videojob.planning.state.snapshot import Snapshot
from videojob.reasons import REASONS, Phase


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition but for its type."""

    status: ConditionStatus
    reason: str
    message: str = ""


def works(
    snapshot: Snapshot,
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
        snapshot: of the job.
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
    if snapshot.job.spec.suspend:
        unasked, suspended = Fact("False", "Suspended", "released"), Fact("True", "Suspended", "by spec.suspend")
    elif queued:
        suspended = Fact("True", "Queued", "by Kueue")
    return _desired(Fact("Unknown", reason, text), capacity or unasked, server or unasked, suspended)


def fails(reason: str, message: str) -> Desired:
    """A job that ended badly; what is committed stays. What to do next is added to the message."""
    word = failure_reason(reason)
    return _ends(Fact("False", word, sentence(message, REASONS[word].cluster)))


def fails_with(error: Mapping[str, Any], reason: str = "") -> Desired:
    """The same with `VideoJobError.as_dict()`, whose own hint goes before the advice of its reason.

    Args:
        error: what happened.
        reason: of the job; by default the error's own.
    """
    word = failure_reason(reason or str(error.get("reason")))
    return _ends(Fact("False", word, sentence(error_words(error), advice(error))))


def succeeds(reason: str, message: str) -> Desired:
    """A job that ended well."""
    return _ends(Fact("True", reason, message or REASONS[reason].meaning))


def concerns_one_video(error: Mapping[str, Any] | None) -> bool:
    """Whether `VideoJobError.as_dict()` is about a video and about nothing else: the job can do without it."""
    if error is None:
        return False
    found = error_from_dict(error)
    return isinstance(found, InputError | WorkerLost) or error.get("reason") == VideoJobError.reason


def _ends(succeeded: Fact) -> Desired:
    over = Fact("False", succeeded.reason, "the job is over")
    desired = _desired(succeeded, over, over, Fact("False", succeeded.reason))
    return replace(desired, started=True, ended=True)


def _desired(succeeded: Fact, capacity: Fact, server: Fact, suspended: Fact) -> Desired:
    return Desired(
        reason=succeeded.reason,
        message=succeeded.message,
        conditions=(
            ConditionDesired("Succeeded", succeeded.status, succeeded.reason, succeeded.message),
            ConditionDesired("CapacityReady", capacity.status, capacity.reason, capacity.message),
            ConditionDesired("ServerReady", server.status, server.reason, server.message),
            ConditionDesired("Suspended", suspended.status, suspended.reason, suspended.message),
        ),
    )
