"""What FFmpeg complains about: some damage it only logs and then works around. Runs in the decoder process only.

Logging reaches Python from the thread that calls FFmpeg only, which is why decoders here have no threads of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

_PICTURE_SIZE = re.compile(r"Picture size (\d+)x(\d+) (?:is invalid|exceeds)")


@contextmanager
def collected() -> Iterator[Complaints]:
    """FFmpeg's error messages from here to the end of the block."""
    av.logging.set_level(av.logging.ERROR)
    # Two damaged places may cause the same words.
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as log:
            yield Complaints(log)
    finally:
        av.logging.set_level(None)


class Complaints:
    """Error messages, as `collected` gathers them.

    Args:
        log: (level, part of FFmpeg, message); grows meanwhile.
    """

    def __init__(self, log: list[tuple[int, str, str]]) -> None:
        self._log = log

    def take(self, source: str) -> str | None:
        """The last message of one part of FFmpeg since the previous call; None when it was content."""
        words = [message.strip() for level, name, message in self._log if name == source and level <= av.logging.ERROR]
        self._log.clear()
        return words[-1] if words else None

    def refused_size(self) -> tuple[int, int] | None:
        """(width, height) of a picture that FFmpeg found too large, since the last `take`."""
        for _, _, message in self._log:
            found = _PICTURE_SIZE.search(message)
            if found:
                return int(found[1]), int(found[2])
        return None
