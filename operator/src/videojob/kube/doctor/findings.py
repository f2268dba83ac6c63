"""The words that all checks share. PURE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Object = Mapping[str, Any]
Level = Literal["ok", "warning", "problem", "not checked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: what was checked, a few words that stay the same.
        level: "warning" is what may be meant so; "problem" is what keeps jobs from running; "not checked" is what this
            user, or nobody, can see from here.
        seen: what was found, or why nothing could be. advice: what to do; "" when nothing has to be done.
    """

    check: str
    level: Level
    seen: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """For scripts."""
        return {"check": self.check, "level": self.level, "seen": self.seen, "advice": self.advice}


@dataclass(frozen=True, slots=True)
class NotRead:
    """Something that could not be read; `missing` when the API server does not know its kind at all."""

    why: str
    missing: bool = False


def ok(check: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "ok", seen)


def warning(check: str, seen: str, advice: str) -> Finding:
    """It may be intentional."""
    return Finding(check, "warning", seen, advice)


def problem(check: str, seen: str, advice: str) -> Finding:
    """It keeps jobs from running."""
    return Finding(check, "problem", seen, advice)


def unchecked(check: str, why: str, advice: str = "") -> Finding:
    """It cannot be seen."""
    return Finding(check, "not checked", why, advice)


def name_of(value: Object) -> str:
    """An object's name."""
    return str(value["metadata"]["name"])


def is_true(value: Object, condition: str) -> bool:
    """Whether a condition of an object holds."""
    found = (value.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == condition and one.get("status") == "True" for one in found)


def condition_words(value: Object, condition: str) -> str:
    """Why a condition does not hold, as far as the object says."""
    for one in (value.get("status") or {}).get("conditions") or ():
        if one.get("type") == condition:
            return ": ".join(word for word in (str(one.get("reason", "")), str(one.get("message", ""))) if word)
    return "its status does not say"


def joined(words: Sequence[str], most: int = 5) -> str:
    """A list for a sentence, cut where it gets long."""
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")
