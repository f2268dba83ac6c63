"""Leaving out messages that the decoder gives up on."""

from __future__ import annotations

from videojob.media.containers.hevc import without_messages

SEI, LATE_SEI, SLICE = b"\x4e\x01bad", b"\x50\x01bad", b"\x02\x01picture"
RECORD = b"\x01" + bytes(20) + b"\x03" + bytes(4)


def prefixed(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def started(*units: bytes) -> bytes:
    return b"".join(b"\x00\x00\x01" + unit for unit in units)


def test_a_message_before_the_picture_is_left_out() -> None:
    assert without_messages(prefixed(SEI, SLICE), RECORD, 0) == prefixed(SLICE)
    assert without_messages(started(SEI, SLICE, LATE_SEI), None, 0) == started(SLICE)


def test_behind_the_picture_there_is_nothing_left_to_decode() -> None:
    assert without_messages(prefixed(SLICE, LATE_SEI), RECORD, 1) == b""


def test_a_picture_that_cannot_be_read_is_no_message() -> None:
    assert without_messages(prefixed(SEI, SLICE), RECORD, 1) is None
    assert without_messages(prefixed(SLICE, SEI, SLICE), RECORD, 1) is None
    assert without_messages(prefixed(SLICE), RECORD, 7) is None
