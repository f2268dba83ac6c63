"""What an MP4's header declares against what the file can hold, before a demuxer allocates anything for it.

FFmpeg makes an entry of 24 bytes for each sample that a header declares, also for those that the file has no byte for.
The limit is the file's size, never the table's own: a recording that was cut off stays readable. A few dozen bytes are
read of each table, and the small boxes in front of each fragment. Runs in the decoder process only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from videojob.errors import InputContainerInvalid
from videojob.media.containers.structure import at_path, boxes, bytes_at

_TO_TRACKS = (b"moov", b"trak")
_TO_TABLES = (b"trak", b"mdia", b"minf", b"stbl")
_TO_EDITS = (b"trak", b"edts", b"elst")
# Where the count stands in a table's content, and the least bytes of an entry.
_TABLES = {
    b"stts": (4, 8),
    b"ctts": (4, 8),
    b"stss": (4, 4),
    b"stps": (4, 4),
    b"stsc": (4, 12),
    b"stco": (4, 4),
    b"co64": (4, 8),
    b"sbgp": (8, 8),
}
_EDIT_BYTES = 12
_MOST_FRAGMENT_BYTES = 16 << 20
# Uncompressed sound: a sample is one number, FFmpeg makes one entry of so many.
_SOUND_SAMPLES = 1024


def check(file: BinaryIO, size: int, uri: str) -> list[tuple[int, int]]:
    """Refuses an MP4 whose header declares more than the file has bytes for.

    Args:
        file: the video.
        size: of it in bytes.
        uri: for the message.

    Returns:
        (first byte of the content, end) of each of the file's indexes.

    Raises:
        InputContainerInvalid: it does.
    """
    indexes = []
    in_fragments = 0
    for kind, start, stop in boxes(file, 0, size):
        if kind == b"moov":
            indexes.append((start, min(stop, size)))
            for track in at_path(file, indexes[-1], _TO_TRACKS):
                _check_track(file, track, size, uri)
        elif kind == b"moof":
            in_fragments += sum(
                _run_lengths(bytes_at(file, start, min(stop, size, start + _MOST_FRAGMENT_BYTES) - start))
            )
            if in_fragments > size:
                raise _impossible("its fragments", in_fragments, "samples", size, uri)
    return indexes


def _check_track(file: BinaryIO, track: tuple[int, int], size: int, uri: str) -> None:
    for start, _ in at_path(file, track, _TO_EDITS):
        _check_count(b"elst", _number(file, start + 4), _EDIT_BYTES, size, uri)
    for inside in at_path(file, track, _TO_TABLES):
        tables = {kind: (start, stop) for kind, start, stop in boxes(file, *inside)}
        for kind, (start, _) in tables.items():
            if kind in _TABLES:
                count_at, entry_bytes = _TABLES[kind]
                _check_count(kind, _number(file, start + count_at), entry_bytes, size, uri)
        _check_samples(file, tables, size, uri)


def _check_samples(file: BinaryIO, tables: dict[bytes, tuple[int, int]], size: int, uri: str) -> None:
    """One size may stand for any number of samples: each takes a byte, but for uncompressed sound."""
    for kind in (b"stsz", b"stz2"):
        if kind in tables:
            samples = _number(file, tables[kind][0] + 8)
            if samples > size * (_SOUND_SAMPLES if _is_plain_sound(file, tables) else 1):
                raise _impossible(f"its {kind.decode()} table", samples, "samples", size, uri)
    if _is_plain_sound(file, tables) and _in_chunks(file, tables) > size * _SOUND_SAMPLES:
        raise _impossible("its stsc table", _in_chunks(file, tables), "samples", size, uri)


def _is_plain_sound(file: BinaryIO, tables: dict[bytes, tuple[int, int]]) -> bool:
    """Whether a track has one tick for every sample, as FFmpeg tells uncompressed sound from all else."""
    if b"stts" not in tables:
        return False
    return bytes_at(file, tables[b"stts"][0] + 4, 4) == b"\0\0\0\1" and _number(file, tables[b"stts"][0] + 12) == 1


def _in_chunks(file: BinaryIO, tables: dict[bytes, tuple[int, int]]) -> int:
    """How many samples the chunks of a track hold together."""
    places = tables.get(b"co64", tables.get(b"stco"))
    if places is None or b"stsc" not in tables:
        return 0
    start, stop = tables[b"stsc"]
    content = bytes_at(file, start + 8, min(stop - start - 8, 12 * _number(file, start + 4)))
    entries = np.frombuffer(content[: len(content) // 12 * 12], ">u4").reshape(-1, 3).astype(np.float64)
    lengths = np.diff(entries[:, 0], append=_number(file, places[0] + 4) + 1)
    return int((np.maximum(lengths, 0) * entries[:, 1]).sum())


def _run_lengths(fragment: bytes) -> Iterator[int]:
    """How many samples each run of a fragment declares; found by name, since there may be very many fragments."""
    at = fragment.find(b"trun")
    while at >= 0:
        # Behind the name: version and flags, count.
        yield int.from_bytes(fragment[at + 8 : at + 12], "big")
        at = fragment.find(b"trun", at + 4)


def _number(file: BinaryIO, position: int) -> int:
    return int.from_bytes(bytes_at(file, position, 4), "big")


def _check_count(kind: bytes, count: int, entry_bytes: int, size: int, uri: str) -> None:
    if count * entry_bytes > size:
        raise _impossible(f"its {kind.decode()} table", count, "entries", size, uri)


def _impossible(where: str, count: int, what: str, size: int, uri: str) -> InputContainerInvalid:
    return InputContainerInvalid(
        f"the MP4's header is damaged or forged: {count} {what} in {where}, too many for a file of {size} bytes",
        uri=uri,
        hint="Export the recording again, or remux it from its source.",
    )
