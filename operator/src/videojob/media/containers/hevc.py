"""Just enough of HEVC to leave out what is no picture. Pure."""

from __future__ import annotations

from videojob.media.containers import nal

_MESSAGES = (39, 40)
_FIRST_NON_SLICE = 32
_LENGTH_AT = 21


def without_messages(packet: bytes, extradata: bytes | None, broken: int) -> bytes | None:
    """What is left to decode of a packet in which the decoder gave up on a message (SEI).

    A message adds something to the pictures, such as a vendor's own data: without it they are the same.

    Args:
        packet: one access unit.
        extradata: the stream's configuration record; it tells how the units inside the packet are delimited.
        broken: which of its units the decoder could not read.

    Returns:
        The packet without its messages; empty when the picture was complete before the broken one; None when the
        broken unit is no message.
    """
    length_bytes = (extradata[_LENGTH_AT] & 3) + 1 if _is_record(extradata) and extradata else 0
    units = list(nal.units(packet, length_bytes))
    kinds = [unit[0] >> 1 & 63 for unit in units]
    if broken >= len(units) or kinds[broken] not in _MESSAGES:
        return None
    if any(kind < _FIRST_NON_SLICE for kind in kinds[:broken]):
        return None if any(kind < _FIRST_NON_SLICE for kind in kinds[broken:]) else b""
    kept = [unit for unit, kind in zip(units, kinds, strict=True) if kind not in _MESSAGES]
    return b"".join(
        (len(unit).to_bytes(length_bytes, "big") if length_bytes else nal.START_CODE) + unit for unit in kept
    )


def _is_record(extradata: bytes | None) -> bool:
    return extradata is not None and len(extradata) > _LENGTH_AT and extradata[0] == 1
