"""The index of a Matroska file for some of its segments only: Cues that stand where the file's own stand.

An element is an id, a length and a content (RFC 8794); Cues hold a point for each keyframe that one may seek to (RFC
9559, 5.1.5). What is left of the place becomes a Void element. Runs in the decoder process only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from videojob.media.containers.mp4_tables import NoTables

_SEGMENT, _SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_AT = 0x18538067, 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_CUES, _POINT, _POSITIONS, _CLUSTER_AT, _VOID = 0x1C53BB6B, 0xBB, 0xB7, 0xF1, 0xEC
_CLUSTER, _CHECKSUM = 0x1F43B675, 0xBF
_HEAD_BYTES = 64 << 10
_MOST_INDEX_BYTES = 1 << 28
_HEADER = struct.Struct(">QQ")
_LONG = 1 << 56  # of an element's length in eight bytes
_CUES_HEADER_BYTES = 12
_VOID_BYTES = 9
_POINTS_AROUND = 2
_MOST_OWN_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class MatroskaIndex:
    """The Cues of one file.

    Attributes:
        at: first byte of the element. length: bytes of it.
        points: each keyframe's (place of its cluster in the file, the element whole).
    """

    at: int
    length: int
    points: tuple[tuple[int, bytes], ...]

    @property
    def common(self) -> bytes:
        """What all excerpts share."""
        return _HEADER.pack(self.at, self.length)

    def excerpt(self, first: int, stop: int) -> bytes:
        """What leads to the bytes from `first` to before `stop`, with some points around them.

        Raises:
            NoTables: it would not fit in the place of the whole index.
        """
        inside = [at for at, (place, _) in enumerate(self.points) if first <= place < stop]
        if not inside:
            raise NoTables("no point leads there")
        begin, end = max(0, inside[0] - _POINTS_AROUND), inside[-1] + 1 + _POINTS_AROUND
        # The first point of all tells FFmpeg where the video begins.
        chosen = [self.points[0]] if begin else []
        own = zlib.compress(b"".join(element for _, element in [*chosen, *self.points[begin:end]]), 9)
        restored(self.common, own)
        return own


def read_index(file: BinaryIO, size: int) -> MatroskaIndex:
    """The Cues of a file. Raises NoTables: it has none, or of a kind that is left alone."""
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    base, at = _found_cues(head)
    file.seek(at)
    start = file.read(16)
    kind, content, length = _element(start, 0)
    if kind != _CUES or length > _MOST_INDEX_BYTES or at + content + length > size:
        raise NoTables("no Cues where they are said to be")
    file.seek(at + content)
    cues = file.read(length)
    points = []
    for kind, begin, content, stop in _elements(cues, 0, len(cues)):
        if kind == _POINT:
            points.append((base + _cluster_at(cues, content, stop), cues[begin:stop]))
        elif kind not in {_VOID, _CHECKSUM}:
            raise NoTables("Cues of another kind")
    if points != sorted(points, key=lambda point: point[0]):
        raise NoTables("Cues in another order")
    return MatroskaIndex(at, content_end(start) + length, tuple(points))


def content_end(start: bytes) -> int:
    """Bytes of an element's id and length."""
    return _element(start, 0)[1]


def restored(common: bytes, own: bytes) -> tuple[int, bytes]:
    """(place in the file, bytes that stand there) of an excerpt.

    Raises:
        NoTables, ValueError, struct.error, zlib.error: it is none, or does not fit.
    """
    at, length = _HEADER.unpack(common)
    points = zlib.decompressobj().decompress(own, _MOST_OWN_BYTES)
    free = length - _CUES_HEADER_BYTES - len(points) - _VOID_BYTES
    if free < 0:
        raise NoTables("the excerpt is no smaller than the index")
    header = struct.pack(">IQ", _CUES, _LONG | len(points))
    return at, header + points + struct.pack(">BQ", _VOID, _LONG | free)


def _found_cues(head: bytes) -> tuple[int, int]:
    """(where the Segment's content begins, where its SeekHead says that Cues are)."""
    for kind, _, base, _ in _elements(head, 0, len(head)):
        if kind != _SEGMENT:
            continue
        for inner, _, content, stop in _elements(head, base, len(head)):
            if inner == _CLUSTER:
                break
            if inner == _SEEK_HEAD:
                seeks = [one for one in _elements(head, content, stop) if one[0] == _SEEK]
                for _, _, start, end in seeks:
                    values = {kind: head[begin:last] for kind, _, begin, last in _elements(head, start, end)}
                    if int.from_bytes(values.get(_SEEK_ID, b""), "big") == _CUES and _SEEK_AT in values:
                        return base, base + int.from_bytes(values[_SEEK_AT], "big")
    raise NoTables("no SeekHead leads to Cues")


def _cluster_at(cues: bytes, start: int, stop: int) -> int:
    for kind, _, content, end in _elements(cues, start, stop):
        if kind == _POSITIONS:
            for inner, _, begin, last in _elements(cues, content, end):
                if inner == _CLUSTER_AT:
                    return int.from_bytes(cues[begin:last], "big")
    raise NoTables("a point without a place")


def _elements(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """(id, first byte, first byte of the content, end) of the elements that follow one another."""
    while start < stop:
        kind, content, length = _element(data, start)
        yield kind, start, content, min(content + length, stop)
        start = content + length


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """(id, first byte of the content, length) of the element at a place. Raises NoTables at the end of the data."""
    if at >= len(data) or not data[at]:
        raise NoTables("no element")
    id_bytes = 9 - data[at].bit_length()
    if at + id_bytes >= len(data) or not data[at + id_bytes]:
        raise NoTables("no element")
    size_bytes = 9 - data[at + id_bytes].bit_length()
    content = at + id_bytes + size_bytes
    if content > len(data):
        raise NoTables("no element")
    raw = int.from_bytes(data[at + id_bytes : content], "big")
    return int.from_bytes(data[at : at + id_bytes], "big"), content, raw & ((1 << 7 * size_bytes) - 1)
