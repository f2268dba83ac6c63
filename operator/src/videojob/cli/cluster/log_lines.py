"""Lines of logs for people: our own, which are JSON, and Triton's; all others stay as they are. No terminal in here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from videojob.printable import printable

_TRITON = re.compile(r"^([IWEF])\d{4} (\d\d:\d\d:\d\d)\.\d+ \d+ ([\w.+-]+:\d+)\] (.*)$", re.DOTALL)
_TRITON_LEVELS = {"I": "info", "W": "warning", "E": "error", "F": "error"}
_HEAD = frozenset({"time", "level", "logger", "message", "exception"})
_BOUND = frozenset({"component", "namespace", "job", "uid"})
"""What every line of a job's pods says: the prefix says it already."""
_SHORT = {"warning": "WARN", "critical": "ERROR"}
_PLAIN_WORD = re.compile(r"^[^\s\"=]+$")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log.

    Attributes:
        time: as Kubernetes or the program wrote it, "" where nobody did.
        level: "debug", "info", "warning", "error", "critical"; "" for a line that has none.
        text: the words and then the facts; further lines of it are indented.
    """

    time: str
    level: str
    text: str


def log_line(text: str, time: str = "") -> LogLine:
    """A line as it was written -> its parts.

    Args:
        text: without its line's end.
        time: of Kubernetes, for a line that has none of its own.
    """
    values = _object(text)
    if values is not None and isinstance(values.get("message"), str) and isinstance(values.get("level"), str):
        return LogLine(str(values.get("time") or time), str(values["level"]), _words(values))
    triton = _TRITON.match(text)
    if triton is not None:
        return LogLine(time or f"T{triton[2]}", _TRITON_LEVELS[triton[1]], f"{triton[4]} ({triton[3]})")
    return LogLine(time, "", text.rstrip("\r"))


def line_text(line: LogLine) -> str:
    """The line for a person, printable: clock, level, words."""
    clock = line.time.partition("T")[2][:8] or "--:--:--"
    level = _SHORT.get(line.level, line.level.upper())
    body = printable(line.text, keep="\n").replace("\n", "\n    ")
    return f"{printable(clock)} {printable(level):<5} {body}"


def sort_key(time: str) -> tuple[str, str]:
    """Orders times as Kubernetes writes them, whose fractions have any number of digits."""
    whole, _, fraction = time.rstrip("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def _object(text: str) -> Mapping[str, object] | None:
    if not text.startswith("{"):
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _words(values: Mapping[str, object]) -> str:
    facts = [f"{name}={_fact(value)}" for name, value in values.items() if name not in _HEAD | _BOUND]
    exception = values.get("exception")
    lines = [" ".join([str(values["message"]), *facts]), *([str(exception)] if exception else [])]
    return "\n".join(lines)


def _fact(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if _PLAIN_WORD.match(text) else json.dumps(text, ensure_ascii=False)
