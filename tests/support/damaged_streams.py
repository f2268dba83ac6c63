"""Streams with packets that are lost, joined or odd, made on the spot from small sound ones."""

from __future__ import annotations

import random
from pathlib import Path

import av

PACKET_BYTES = 188
VIDEO_PROGRAM = 0x100
_MESSAGE = b"\x05\x40VENDOR-OSD\x80"
"""User data that says it is longer than it is."""
MESSAGE_UNITS = {"hevc": b"\x4e\x01" + _MESSAGE, "h264": b"\x06" + _MESSAGE}
LATE_MESSAGE_UNIT = b"\x50\x01" + _MESSAGE
"""In HEVC, one that comes behind the picture."""


def packets_of(data: bytes) -> list[bytes]:
    """The packets of a transport stream."""
    return [data[at : at + PACKET_BYTES] for at in range(0, len(data), PACKET_BYTES)]


def program(packet: bytes) -> int:
    """Which stream a packet belongs to."""
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def begins(packet: bytes) -> bool:
    """Whether a picture begins in it."""
    return bool(packet[1] & 0x40)


def with_losses(data: bytes, rate: float, seed: int) -> bytes:
    """A transport stream that lost a share of its video packets, none of the first picture."""
    rng = random.Random(seed)
    kept, pictures = [], 0
    for packet in packets_of(data):
        is_video = program(packet) == VIDEO_PROGRAM
        pictures += is_video and begins(packet)
        if not (is_video and pictures > 1 and rng.random() < rate):
            kept.append(packet)
    return b"".join(kept)


def without_packet(data: bytes, picture: int, number: int) -> bytes:
    """A transport stream without one packet of one picture; -1 is the picture's last."""
    packets = packets_of(data)
    starts = [at for at, packet in enumerate(packets) if _is_start(packet)]
    stop = starts[picture + 1] if picture + 1 < len(starts) else len(packets)
    own = [at for at in range(starts[picture], stop) if program(packets[at]) == VIDEO_PROGRAM]
    del packets[own[number]]
    return b"".join(packets)


def _is_start(packet: bytes) -> bool:
    return program(packet) == VIDEO_PROGRAM and begins(packet)


def recounted(data: bytes, at_pictures: dict[int, int]) -> bytes:
    """The stream with its video's counters moved on from some pictures on, as where segments were joined."""
    shift, pictures, packets = 0, -1, []
    for packet in packets_of(data):
        changed = bytearray(packet)
        if program(packet) == VIDEO_PROGRAM:
            pictures += begins(packet)
            shift = at_pictures.get(pictures, shift) if begins(packet) else shift
            changed[3] = changed[3] & 0xF0 | (changed[3] + shift) & 0x0F
        packets.append(bytes(changed))
    return b"".join(packets)


def in_blu_ray_packets(data: bytes) -> bytes:
    """The stream in packets of 192 bytes, a timecode in front of each."""
    return b"".join(bytes(4) + packet for packet in packets_of(data))


def with_units(source: Path, path: Path, unit: bytes, *, is_late: bool = False) -> Path:
    """A copy whose every packet, of H.264 or HEVC in MP4, has one more unit: in front, or at its end.

    The container follows from the path's suffix.
    """
    prefixed = len(unit).to_bytes(4, "big") + unit
    with av.open(str(source)) as sound, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(sound.streams.video[0])
        for packet in sound.demux(video=0):
            if packet.size:
                data = bytes(packet) + prefixed if is_late else prefixed + bytes(packet)
                changed = av.Packet(data)
                changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
                changed.is_keyframe, changed.stream = packet.is_keyframe, stream
                copy.mux(changed)
    return path
