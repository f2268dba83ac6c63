"""Messages about what failed: what, where, and what to do on a cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob.errors import VideoJobError
from videojob.reasons import REASONS, Phase, Where


def error_words(error: Mapping[str, Any]) -> str:
    """`VideoJobError.as_dict()` for people: what, and where."""
    place = [str(error["uri"])] if error.get("uri") else []
    if error.get("segment") is not None:
        place.append(f"segment {error['segment']}")
    where = f" ({', '.join(place)})" if place else ""
    return f"{error.get('message', '')}{where}"


def advice(error: Mapping[str, Any]) -> str:
    """What to do on a cluster about `VideoJobError.as_dict()`: its own hint, else what its reason advises there."""
    return str(error.get("hint") or REASONS[failure_reason(str(error.get("reason")))].cluster)


def described(error: VideoJobError) -> str:
    """An error as part of a message: what, where, and what to do on a cluster."""
    return sentence(error_words(error.as_dict()), error.advice(Where.CLUSTER))


def sentence(message: str, next_step: str) -> str:
    """The message, and then what to do, unless it says so already."""
    text = message.rstrip(".")
    return f"{text}. {next_step}" if text and next_step and next_step not in text else (message or next_step)


def failure_reason(reason: str) -> str:
    """The word itself when it is one for a bad end."""
    return reason if reason in REASONS and REASONS[reason].phase is Phase.FAILED else "InternalError"
