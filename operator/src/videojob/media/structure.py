"""Looking at a container's outermost structure without a demuxer: how long it says it is, and what it refers to.

A few dozen bytes per box are read, never the media. Runs in the decoder process only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from videojob.errors import FormatNotAllowed, InputContainerInvalid
from videojob.media import sniff

_MAX_BOXES = 100_000
_PATH = (b"moov", b"trak", b"mdia", b"minf", b"dinf")
_SELF_CONTAINED = 1
_MATROSKA_SEGMENT = 0x18538067
_RIFF_HEADER_BYTES = 8


def check(path: Path, demuxer: str, uri: str) -> bool:
    """Whether the container declares more bytes than the file has.

    Raises:
        InputContainerInvalid: an MP4 without its index.
        FormatNotAllowed: an MP4 whose media lie in another file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if demuxer == sniff.MOV:
            return _check_mov(file, size, uri)
        if demuxer == sniff.MATROSKA:
            return _matroska_end(file) > size
        if demuxer == sniff.AVI:
            head = file.read(_RIFF_HEADER_BYTES)
            return int.from_bytes(head[4:8], "little") + _RIFF_HEADER_BYTES > size
    return False


def _check_mov(file: BinaryIO, size: int, uri: str) -> bool:
    kinds: set[bytes] = set()
    end = 0
    for kind, start, stop in _boxes(file, 0, size):
        kinds.add(kind)
        end = max(end, stop)
        if kind == b"moov":
            _refuse_references(file, start, min(stop, size), uri, level=1)
    if b"moov" not in kinds:
        raise InputContainerInvalid("the MP4 has no moov box, the index of its pictures", uri=uri)
    return end > size


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, first byte of the content, end) of the boxes between two positions; an end may lie behind `stop`."""
    for _ in range(_MAX_BOXES):
        if stop - start < 8:
            return
        file.seek(start)
        head = file.read(16)
        length, kind, content = int.from_bytes(head[:4], "big"), head[4:8], start + 8
        if length == 1 and len(head) == 16:
            length, content = int.from_bytes(head[8:16], "big"), start + 16
        if length == 0:
            length = stop - start
        if start + length < content:
            return
        yield kind, content, start + length
        start += length


def _refuse_references(file: BinaryIO, start: int, stop: int, uri: str, level: int) -> None:
    """Follows the one path on which references lie; `level` is how many boxes of it were entered."""
    for kind, content, end in _boxes(file, start, stop):
        if level < len(_PATH) and kind == _PATH[level]:
            _refuse_references(file, content, min(end, stop), uri, level + 1)
        elif level == len(_PATH) and kind == b"dref":
            # Version, flags and count come before the entries, each a box with version and flags of its own.
            for _, entry, _ in _boxes(file, content + 8, min(end, stop)):
                file.seek(entry)
                if not int.from_bytes(file.read(4), "big") & _SELF_CONTAINED:
                    raise FormatNotAllowed("the MP4 refers to media in another file", uri=uri)


def _matroska_end(file: BinaryIO) -> int:
    """Where the Segment element ends; 0 when it does not say, as in a live recording."""
    position = 0
    for _ in range(8):
        file.seek(position)
        head = file.read(12)
        if len(head) < 12:
            return 0
        id_bytes = 9 - head[0].bit_length()
        if id_bytes > 4:
            return 0
        size_bytes = 9 - head[id_bytes].bit_length()
        if size_bytes > 8 or id_bytes + size_bytes > len(head):
            return 0
        raw = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big")
        length = raw & ((1 << 7 * size_bytes) - 1)
        position += id_bytes + size_bytes
        if int.from_bytes(head[:id_bytes], "big") == _MATROSKA_SEGMENT:
            unknown = length == (1 << 7 * size_bytes) - 1
            return 0 if unknown else position + length
        position += length
    return 0
