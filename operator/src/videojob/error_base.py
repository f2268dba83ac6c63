"""What every error of the tree in `videojob.errors` has: reason, message, place, advice, and whether to try again.

All other modules import it from there.
"""

from __future__ import annotations

from typing import Any, ClassVar

from videojob.printable import printable
from videojob.reasons import REASONS, Where, here


class VideoJobError(Exception):
    """Base of the tree.

    Args:
        message: what is wrong, for a person, one sentence.
        uri: the object that it is about (a video's URI, a model's name, a file).
        segment: the job-wide index of the segment, when the place is inside a video.
        time_ms: presentation time inside the video, in milliseconds.
        hint: what to do about it, where that is more exact than the advice of the reason; "" for nothing at all.
        retryable: overrides the reason's.
    """

    reason: ClassVar[str] = "InternalError"
    """Users' API. A subclass that is named as a reason of the table has that one, others inherit theirs."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "reason" not in vars(cls) and cls.__name__ in REASONS:
            cls.reason = cls.__name__

    def __init__(
        self,
        message: str,
        *,
        uri: str | None = None,
        segment: int | None = None,
        time_ms: int | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.uri = uri
        self.segment = segment
        self.time_ms = time_ms
        self._own_hint = hint
        self.retryable = REASONS[self.reason].retryable if retryable is None else retryable

    @property
    def hint(self) -> str:
        """What to do about it, in the place that this process is about."""
        return self.advice(here())

    def advice(self, where: Where) -> str:
        """What to do about it in that place."""
        return REASONS[self.reason].advice(where) if self._own_hint is None else self._own_hint

    def __str__(self) -> str:
        """One line, safe for a terminal; further lines of a message are indented, so that none can pass for ours."""
        uri = printable(self.uri or "")
        place = [part for part in (uri, self._segment_text(), self._time_text()) if part]
        where = f" ({', '.join(place)})" if place else ""
        retry = "retryable" if self.retryable else "not retryable"
        hint = f" {printable(self.hint)}" if self.hint else ""
        message = printable(self.message, keep="\n").replace("\n", "\n    ")
        return f"{self.reason}: {message}{where}.{hint} ({retry})"

    def _segment_text(self) -> str:
        return "" if self.segment is None else f"segment {self.segment}"

    def _time_text(self) -> str:
        return "" if self.time_ms is None else f"at {self.time_ms / 1000:.3f} s"

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-able values, the same in each place; `error_from_dict` makes it whole again.

        `hint` is "" where the advice of the reason holds: who shows the error adds that of his place.
        """
        return {
            "reason": self.reason,
            "message": self.message,
            "uri": self.uri,
            "segment": self.segment,
            "time_ms": self.time_ms,
            "hint": self._own_hint or "",
            "retryable": self.retryable,
        }

    def as_shown(self) -> dict[str, Any]:
        """The same for a script that a person reads with: with the advice for the place that this process is about."""
        return self.as_dict() | {"hint": self.hint}
