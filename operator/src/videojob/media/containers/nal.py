"""How the units (NAL) of H.264 and HEVC stand in a packet. Pure."""

from __future__ import annotations

from collections.abc import Iterator

START_CODE = b"\x00\x00\x01"


def units(packet: bytes, length_bytes: int) -> Iterator[bytes]:
    """The units, without start code or length; none is empty.

    Args:
        packet: one access unit.
        length_bytes: of the length ahead of each unit; 0 where start codes delimit them.
    """
    if not length_bytes:
        yield from (unit for unit in packet.split(START_CODE)[1:] if unit)
        return
    position = 0
    while position + length_bytes < len(packet):
        length = int.from_bytes(packet[position : position + length_bytes], "big")
        position += length_bytes
        if length:
            yield packet[position : position + length]
        position += length
