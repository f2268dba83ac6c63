"""What FFmpeg complains about: some damage it only logs and then works around. Runs in the decoder process only.

Logging reaches Python from the thread that calls FFmpeg only, which is why decoders here have no threads of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

# A decoder that goes on behind damage says so while it decodes the packet, long before it gives out the picture.
_DAMAGED = re.compile(
    r"concealing \d+|error while decoding MB|decode_slice_header error|reference picture missing"
    r"|Missing reference picture|Could not find ref with POC"
)
_BROKEN_UNIT = re.compile(r"Error parsing NAL unit #(\d+)")
_PICTURE_SIZE = re.compile(r"Picture size (\d+)x(\d+) (?:is invalid|exceeds)")

_SECOND_SEGMENT = re.compile(r"unknown-length element with ID 0x18538067 at pos\. 0x([0-9a-f]+)")


@contextmanager
def collected() -> Iterator[Complaints]:
    """FFmpeg's messages from here to the end of the block."""
    # What a decoder conceals is no error to it, but information.
    av.logging.set_level(av.logging.INFO)
    # Two damaged places may cause the same words.
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as log:
            yield Complaints(log)
    finally:
        av.logging.set_level(None)


class Complaints:
    """FFmpeg's messages, as `collected` gathers them.

    Attributes:
        messages: (level, part of FFmpeg, message); grows meanwhile. Empty as a rule, which is checked for every packet.
    """

    def __init__(self, messages: list[tuple[int, str, str]]) -> None:
        self.messages = messages

    def take(self, source: str) -> str | None:
        """The last message of one part of FFmpeg since the previous call; None when it was content."""
        if not self.messages:
            return None
        words = [
            message.strip() for level, name, message in self.messages if name == source and level <= av.logging.ERROR
        ]
        self.messages.clear()
        return words[-1] if words else None

    def forget(self) -> None:
        """Leaves behind what was said so far; call before a packet is decoded."""
        if self.messages:
            self.messages.clear()

    def of_damage(self) -> str | None:
        """What the decoder said of damage since `forget`; None when it was content."""
        for _, _, message in self.messages:
            if _DAMAGED.search(message):
                return message.strip()
        return None

    def broken_unit(self) -> int | None:
        """Which unit of a packet the decoder could not read, as it said since `forget`."""
        for _, _, message in self.messages:
            found = _BROKEN_UNIT.search(message)
            if found:
                return int(found[1])
        return None

    @property
    def has_joined(self) -> bool:
        """Whether `joined_at` would tell a place."""
        return any(_SECOND_SEGMENT.search(message) for _, _, message in self.messages)

    def joined_at(self) -> int | None:
        """Where, in Matroska without lengths, another document begins, since the last `take`: FFmpeg reads on into it,
        but with the codec and the clock of the one before.
        """
        for _, _, message in self.messages:
            found = _SECOND_SEGMENT.search(message)
            if found:
                self.messages.clear()
                return int(found[1], 16)
        return None

    def refused_size(self) -> tuple[int, int] | None:
        """(width, height) of a picture that FFmpeg found too large, since the last `take`."""
        for _, _, message in self.messages:
            found = _PICTURE_SIZE.search(message)
            if found:
                return int(found[1]), int(found[2])
        return None
