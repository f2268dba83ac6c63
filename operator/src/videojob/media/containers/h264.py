"""Just enough of H.264 to tell whether decoding may start at a picture. Pure.

Containers mark as keyframes also the pictures from which a decoder only recovers after a while (gradual refresh):
starting there would lose pictures, so no video is cut there.
"""

from __future__ import annotations

from videojob.media.containers import nal

_IDR = 5
_SEI = 6
_RECOVERY_POINT = 6
_LENGTH_AT = 4


def is_clean_entry(packet: bytes, extradata: bytes | None) -> bool:
    """Whether every picture from this one on, in time, can be decoded without what lies before.

    Args:
        packet: one access unit.
        extradata: the stream's configuration record; it tells how the units inside the packet are delimited.
    """
    return _pictures_to_recover(packet, extradata) == 0


def recovers_later(packet: bytes, extradata: bytes | None) -> bool:
    """Whether the picture says that from it on a decoder recovers bit by bit: it is no whole picture by itself.

    Args:
        packet: one access unit.
        extradata: as of `is_clean_entry`.
    """
    return bool(_pictures_to_recover(packet, extradata))


def _pictures_to_recover(packet: bytes, extradata: bytes | None) -> int | None:
    """How many pictures from this one on are incomplete where decoding begins with it; None when it does not say."""
    is_record = extradata is not None and len(extradata) > _LENGTH_AT and extradata[0] == 1
    length_bytes = (extradata[_LENGTH_AT] & 3) + 1 if extradata and is_record else 0
    for unit in nal.units(packet, length_bytes):
        kind = unit[0] & 31
        if kind == _IDR:
            return 0
        if kind == _SEI:
            count = _recovery_frame_count(unit[1:])
            if count is not None:
                return count
    return None


def _recovery_frame_count(payload: bytes) -> int | None:
    """recovery_frame_cnt of the recovery point message; None when there is none in this unit."""
    data = payload.replace(b"\x00\x00\x03", b"\x00\x00")
    position = 0
    while position + 2 < len(data):
        kind, position = _extended(data, position)
        size, position = _extended(data, position)
        if kind == _RECOVERY_POINT:
            return _exp_golomb(data[position : position + size])
        position += size
    return None


def _extended(data: bytes, position: int) -> tuple[int, int]:
    """A number written as a run of 255s and a rest, and the position behind it."""
    value = 0
    while position < len(data) and data[position] == 255:
        value += 255
        position += 1
    if position < len(data):
        value += data[position]
    return value, position + 1


def _exp_golomb(data: bytes) -> int:
    """The first unsigned Exp-Golomb number."""
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = len(bits) - len(bits.lstrip("0"))
    return int(bits[zeros : 2 * zeros + 1] or "1", 2) - 1
