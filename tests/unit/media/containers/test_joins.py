"""What stands behind the place where a demuxer ended, told from heads of elements, tags and packets alone."""

from __future__ import annotations

import io

import pytest

from videojob.media.containers import joins, ts_scan

_EBML = bytes.fromhex("1a45dfa3 84 01020304")
_SEGMENT = bytes.fromhex("18538067 01ffffffffffffff")
_CLUSTER = bytes.fromhex("1f43b675 01ffffffffffffff")
_CUES = bytes.fromhex("1c53bb6b 83 010203")


def block(track: int) -> bytes:
    return bytes([0xA3, 0x86, 0x80 | track, 0, 0, 0x80, 1, 2])


def behind(*elements: bytes) -> joins.Rest:
    """What follows the first block of track 1."""
    data = _EBML + _SEGMENT + _CLUSTER + block(1)
    file = io.BytesIO(data + b"".join(elements))
    return joins.rest_of_matroska(file, len(data) - 6, len(file.getvalue()))


@pytest.mark.parametrize(
    ("elements", "has_next", "has_unread"),
    [
        ((), False, False),
        ((block(2), _CUES), False, False),
        ((bytes(100),), False, False),
        ((block(2), _CLUSTER, block(1)), False, True),
        ((_CUES, _EBML, _SEGMENT), True, False),
        ((_CLUSTER, block(2), _EBML), True, False),
        ((bytes(100), _EBML), True, False),
    ],
)
def test_behind_the_last_block_of_a_matroska(elements: tuple[bytes, ...], has_next: bool, has_unread: bool) -> None:
    rest = behind(*elements)
    assert (rest.next_at is not None, bool(rest.unread)) == (has_next, has_unread)


def tag(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "big") + bytes(7) + content + bytes(4)


@pytest.mark.parametrize(
    ("behind", "has_next", "has_unread"),
    [
        (b"", False, False),
        (tag(8, b"sound") + tag(9, b"\x17\x02\0\0\0"), False, False),
        (tag(8, b"sound") + tag(9, b"\x27\x01\0\0\0picture"), False, True),
        (tag(18, b"script") + b"FLV\x01\x01\0\0\0\x09", True, False),
        (bytes(50), False, False),
    ],
)
def test_behind_the_last_tag_of_a_flash_video(behind: bytes, has_next: bool, has_unread: bool) -> None:
    file = io.BytesIO(tag(9, b"\x17\x01\0\0\0picture") + behind)
    rest = joins.rest_of_flv(file, 0, len(file.getvalue()))
    assert (rest.next_at is not None, bool(rest.unread)) == (has_next, has_unread)


def packet(pid: int, begins: bool = True) -> bytes:
    payload = b"\0\0\1\xe0" if pid else b"\0"
    return bytes([0x47, (0x40 if begins else 0) | pid >> 8, pid & 255, 0x10]) + payload.ljust(184, b"\xff")


def stream(*pids: int) -> tuple[io.BytesIO, int]:
    data = b"".join(map(packet, pids))
    return io.BytesIO(data), len(data)


def test_video_that_begins_behind_the_last_packet_is_a_successor() -> None:
    file, size = stream(0, 256, 256, 0, 400, 400)
    assert ts_scan.successor(file, 188, 2 * 188, size, 256) == (3 * 188, 400)


def test_video_that_ran_beside_the_stream_is_none() -> None:
    file, size = stream(0, 256, 400, 256, 0, 400, 400)
    assert ts_scan.successor(file, 188, 3 * 188, size, 256) is None


def test_packets_out_of_step_are_found_again() -> None:
    data = b"".join(map(packet, (0, 256, 256)))
    file = io.BytesIO(data + bytes(100) + b"".join(map(packet, (0, 400, 400, 400, 400, 400))))
    assert ts_scan.successor(file, 188, 2 * 188, len(file.getvalue()), 256) == (3 * 188 + 100, 400)


def test_video_that_goes_on_where_the_stream_comes_back_is_another_camera() -> None:
    file, _ = stream(0, 256, 400, 400, 256, 400, 256)
    assert joins.rest_of_ts(file, 188, 188, 4 * 188, 256).next_at is None
    file, _ = stream(0, 256, 400, 400, 256, 256)
    assert joins.rest_of_ts(file, 188, 188, 4 * 188, 256).next_at == 188
