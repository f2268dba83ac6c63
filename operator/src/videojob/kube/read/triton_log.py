"""What a Triton server said when it ended in an error, out of the end of its log. Pure.

The kubelet keeps the last 2 KiB, or 80 lines, of the log as a container's termination message. In them are Triton's
reason two or three times, a Python stack, and errors that every server without a GPU logs. A person wants the reason,
once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_STAMPS = (
    re.compile(r"^\d{4}-\d\d-\d\dT\S+ (?P<level>[IWEF]) \d+ \S+:\d+\] ?(?P<words>.*)$", re.DOTALL),  # ISO8601
    re.compile(r"^(?P<level>[IWEF])\d{4} [\d:.]+ +\d+ \S+:\d+\] ?(?P<words>.*)$", re.DOTALL),
)
_OTHER_STARTS = re.compile(r"^(error: |\[libprotobuf |Signal \(\d+\) received|free\(\)|terminate called|Traceback )")
_BENIGN = ("CudaDriverHelper has not been initialized", "pinned system memory", "failed to load all models")
_REASONS = (
    re.compile(r"version \d+ is at UNAVAILABLE state: (?P<words>.+)", re.DOTALL),
    re.compile(r"failed to load '[^']*' version \d+: (?P<words>.+)", re.DOTALL),
    re.compile(r"load failed for model '[^']*': (?P<words>.+)", re.DOTALL),
    re.compile(r"Poll failed for model directory '[^']*': (?P<words>.+)", re.DOTALL),
    re.compile(r"failed to (?:poll|load) model '[^']*': (?P<words>.+)", re.DOTALL),
    re.compile(r"^error: (?P<words>.+)", re.DOTALL),
)
"""Most telling first."""
_PROTOBUF = re.compile(r"^\[libprotobuf .*?\] (?P<words>.+)", re.DOTALL)
_STATUS = re.compile(
    r"^(?:(?:creating server|Internal|Invalid argument|Unavailable|Not found|Unknown|Unsupported)(?:: | - )"
    r"|ERROR: Failed to create instance: |TritonModelException: )+"
)
_STACK = re.compile(r"\n\s*\n?At:\n.*", re.DOTALL)
_FRAME = re.compile(r"^\s*\d+# ")
_MOST_CHARACTERS = 1000


def triton_words(log: str) -> str:
    """The reason as Triton reports it, in one line; "" when the log says nothing.

    Args:
        log: the end of a server's output, its first line perhaps cut.
    """
    records = _records(log)
    reason = _reason([words for _, words in records])
    if not reason and all(level == "W" for level, _ in records):
        # Not a server's log, but that of another program in its pod.
        reason = " / ".join([line.strip() for line in log.splitlines() if line.strip()][-3:])
    elif not reason:
        errors = [words for level, words in records if level in "EF" and not _is_benign(words)] or [
            words for level, words in records if level != "I" and not _is_benign(words)
        ]
        reason = " / ".join(dict.fromkeys(_clean(words) for words in errors[-3:]))
    return reason[:_MOST_CHARACTERS]


def _reason(records: Sequence[str]) -> str:
    for pattern in _REASONS:
        for words in reversed(records):
            found = pattern.search(words)
            if found is not None and not _is_benign(words):
                place = [match["words"] for one in records if (match := _PROTOBUF.match(one)) is not None]
                return " / ".join(dict.fromkeys(map(_clean, (found["words"], *place[-1:]))))
    return ""


def _records(log: str) -> list[tuple[str, str]]:
    """(level, words) of each message, its further lines with it; "E" for what has no level."""
    records: list[tuple[str, str]] = []
    for line in log.splitlines():
        stamped = next((match for stamp in _STAMPS if (match := stamp.match(line)) is not None), None)
        if stamped is not None:
            records.append((stamped["level"], _unquoted(stamped["words"])))
        elif not records or _OTHER_STARTS.match(line):
            # The first line may be the rest of one that was cut off: it counts least.
            records.append(("E" if _OTHER_STARTS.match(line) else "W", line))
        elif not _FRAME.match(line):
            level, words = records[-1]
            records[-1] = (level, f"{words}\n{line}")
    return [(level, words) for level, words in records if words.strip()]


def _unquoted(words: str) -> str:
    """A message as it was before the log put it on one line, between quotation marks."""
    if len(words) < 2 or not words.startswith('"') or not words.endswith('"'):
        return words
    return words[1:-1].replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")


def _is_benign(words: str) -> bool:
    return any(mark in words for mark in _BENIGN)


def _clean(words: str) -> str:
    """One line without status codes, stack and the mark at the end."""
    without_stack = _STACK.sub("", words).strip().rstrip(";").strip()
    return " ".join(_STATUS.sub("", without_stack).split())
