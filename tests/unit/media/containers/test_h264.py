"""Where H.264 may be entered, from the bits of the format's description."""

from __future__ import annotations

import pytest

from videojob.media.containers.h264 import is_clean_entry, recovers_later

ANNEX_B = None
AVCC = bytes([1, 100, 0, 31, 0xFF])  # lengths of four bytes
SLICE = bytes([0x41, 0x9A, 0x00])
IDR = bytes([0x65, 0x88, 0x84])


def recovery(count_bits: str) -> bytes:
    """An SEI unit: a message of another kind, then a recovery point whose count has these bits."""
    bits = (count_bits + "1" * 8)[:8]
    return bytes([0x06, 0x05, 0x02, 0xAA, 0xBB, 0x06, 0x01, int(bits, 2), 0x80])


def start_codes(*units: bytes) -> bytes:
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


def lengths(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


CASES = [
    ([IDR], True),
    ([SLICE], False),
    ([recovery("1"), SLICE], True),  # 0 frames
    ([recovery("010"), SLICE], False),  # 1 frame
    ([recovery("0001010"), SLICE], False),  # 9 frames
    ([bytes([0x09, 0xF0]), IDR], True),
    ([], False),
]


@pytest.mark.parametrize(("units", "is_clean"), CASES)
def test_entry_is_clean_at_an_idr_or_an_immediate_recovery_point(units: list[bytes], is_clean: bool) -> None:
    assert is_clean_entry(start_codes(*units), ANNEX_B) is is_clean
    assert is_clean_entry(lengths(*units), AVCC) is is_clean


@pytest.mark.parametrize(
    ("units", "is_later"),
    [([IDR], False), ([SLICE], False), ([recovery("1"), SLICE], False), ([recovery("010"), SLICE], True), ([], False)],
)
def test_only_a_recovery_point_with_a_count_recovers_later(units: list[bytes], is_later: bool) -> None:
    assert recovers_later(start_codes(*units), ANNEX_B) is is_later
    assert recovers_later(lengths(*units), AVCC) is is_later


@pytest.mark.parametrize("packet", [b"", b"\x00", b"\x00\x00\x01", b"\xff" * 40, lengths(IDR)[:5], bytes(60)])
def test_broken_packets_are_no_entry_and_no_crash(packet: bytes) -> None:
    is_clean_entry(packet, ANNEX_B)
    assert not is_clean_entry(packet[:4], AVCC)
