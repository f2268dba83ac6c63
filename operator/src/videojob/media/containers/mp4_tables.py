"""The sample tables of an MP4's video track: taken apart into columns, and put together again for some of its samples.

A box is 4 bytes of length, 4 of kind and a content; numbers are big-endian. ISO/IEC 14496-12 names the tables: "stts"
has the decoding times, "ctts" what the presentation comes later, "stss" the keyframes, "stsz" the sizes, "stsc" and
"stco" or "co64" the places. Runs in the decoder process only.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
_Change = Callable[[bytes], bytes]

_TABLES = frozenset((b"stts", b"ctts", b"stss", b"stsz", b"stsc", b"stco", b"co64"))
_DROPPED = frozenset((b"sdtp",))
"""Of no use to a decoder."""
_KEPT = frozenset((b"stsd", b"cslg", b"sgpd"))
_TO_TABLES = (b"mdia", b"minf", b"stbl")
_NO_FLAGS = bytes(4)
_FLAGS = 4
_COLUMNS = 5


class NoTables(Exception):
    """The index is of a kind that this module does not take apart."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples in decoding order, a column each.

    Attributes:
        at: first byte in the file. size: bytes.
        dts: decoding time in the track's ticks. later: ticks from there to the presentation.
        key: 1 for a keyframe.
    """

    at: Column
    size: Column
    dts: Column
    later: Column
    key: Column

    def __len__(self) -> int:
        return len(self.at)

    def take(self, chosen: Column) -> Samples:
        """Some of them, by position."""
        return Samples(*(column[chosen] for column in self.columns))

    @property
    def columns(self) -> tuple[Column, ...]:
        """All of it."""
        return (self.at, self.size, self.dts, self.later, self.key)


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, content) of the boxes that follow one another. Raises NoTables when they do not fill `data`."""
    start = 0
    while start < len(data):
        length, kind, content = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], start + 8
        if length == 1:
            length, content = int.from_bytes(data[start + 8 : start + 16], "big"), start + 16
        if start + length > len(data) or start + length < content or len(kind) < 4:
            raise NoTables("boxes that do not fit")
        yield kind, data[content : start + length]
        start += length


def box(kind: bytes, content: bytes) -> bytes:
    """One box."""
    return struct.pack(">I4s", len(content) + 8, kind) + content


def track_of(moov: bytes, number: int) -> bytes:
    """Content of the track with this number. Raises NoTables."""
    for kind, content in boxes(moov):
        if kind == b"trak" and _track_number(content) == number:
            return content
    raise NoTables("no such track")


def _track_number(trak: bytes) -> int:
    head = next((content for kind, content in boxes(trak) if kind == b"tkhd"), b"")
    at = 20 if head[:1] == b"\x01" else 12
    return int.from_bytes(head[at : at + 4], "big")


def samples_of(trak: bytes) -> Samples:
    """What a track's tables say. Raises NoTables: they are of a kind that is left alone, or contradict each other."""
    tables = dict(boxes(_descend(trak)))
    unknown = set(tables) - _TABLES - _DROPPED - _KEPT
    if unknown or not {b"stts", b"stsz", b"stsc"} <= set(tables):
        raise NoTables(f"tables of another kind: {sorted(unknown)}")
    try:
        size = _sizes(tables[b"stsz"])
        count = len(size)
        deltas = _runs(tables[b"stts"], ">u4", count)
        later = _runs(tables[b"ctts"], ">i4", count) if b"ctts" in tables else np.zeros(count, np.int64)
        dts = np.concatenate((np.zeros(1, np.int64), np.cumsum(deltas)[:-1]))
        key = np.ones(count, np.int64)
        if b"stss" in tables:
            key[:] = 0
            key[_entries(tables[b"stss"], ">u4", 1)[:, 0] - 1] = 1
        return Samples(_places(tables, size), size, dts, later, key)
    except (IndexError, ValueError) as error:
        raise NoTables("tables that do not fit") from error


def _descend(trak: bytes) -> bytes:
    for step in _TO_TABLES:
        found = [content for kind, content in boxes(trak) if kind == step]
        if len(found) != 1:
            raise NoTables(f"no single {step!r}")
        trak = found[0]
    return trak


def _entries(table: bytes, kind: str, width: int, skip: int = _FLAGS) -> Column:
    count = int.from_bytes(table[skip : skip + 4], "big")
    return np.frombuffer(table, kind, count * width, skip + 4).astype(np.int64).reshape(count, width)


def _runs(table: bytes, kind: str, count: int) -> Column:
    """A table of (how often, value) as one value for each sample."""
    entries = _entries(table, kind, 2)
    often = entries[:, 0] & 0xFFFFFFFF
    if often.sum() != count:
        raise ValueError("another number of samples")
    return np.repeat(entries[:, 1], often)


def _sizes(table: bytes) -> Column:
    same, count = struct.unpack_from(">II", table, _FLAGS)
    if same:
        raise NoTables("samples of one size")
    size = np.frombuffer(table, ">u4", count, 12).astype(np.int64)
    if not count:
        raise NoTables("no samples")
    return size


def _places(tables: dict[bytes, bytes], size: Column) -> Column:
    chunks = _entries(tables[b"co64"], ">u8", 1) if b"co64" in tables else _entries(tables[b"stco"], ">u4", 1)
    groups = _entries(tables[b"stsc"], ">u4", 3)
    if (groups[:, 2] != 1).any() or groups[0, 0] != 1:
        raise NoTables("several sample descriptions")
    lengths = np.diff(np.append(groups[:, 0] - 1, len(chunks)))
    if (lengths < 0).any():
        # Nothing is made of numbers that the table itself has no room for.
        raise ValueError("another number of chunks")
    per_chunk = np.repeat(groups[:, 1], lengths)
    if per_chunk.sum() != len(size):
        raise ValueError("another number of samples")
    before = np.cumsum(size) - size
    first = np.cumsum(per_chunk) - per_chunk
    places: Column = np.repeat(chunks[:, 0] - before[first], per_chunk) + before
    return places


def skeleton_of(moov: bytes, number: int) -> bytes:
    """The moov box's content without other tracks and without the tables of this one; see `with_samples`."""
    kept = []
    for kind, content in boxes(moov):
        if kind == b"mvex":
            raise NoTables("pictures outside the index")
        if kind != b"trak":
            kept.append(box(kind, content))
        elif _track_number(content) == number:
            kept.append(box(kind, _replaced(content, _TO_TABLES, _without_tables)))
    return b"".join(kept)


def with_samples(skeleton: bytes, samples: Samples) -> bytes:
    """The moov box with these samples in its one track. Raises NoTables."""
    tables = _tables(samples)
    filled = [
        box(kind, _replaced(content, _TO_TABLES, lambda inner: inner + tables) if kind == b"trak" else content)
        for kind, content in boxes(skeleton)
    ]
    return box(b"moov", b"".join(filled))


def _replaced(content: bytes, path: tuple[bytes, ...], change: _Change) -> bytes:
    if not path:
        return change(content)
    return b"".join(
        box(kind, _replaced(inner, path[1:], change) if kind == path[0] else inner) for kind, inner in boxes(content)
    )


def _without_tables(stbl: bytes) -> bytes:
    return b"".join(box(kind, content) for kind, content in boxes(stbl) if kind in _KEPT)


def _tables(samples: Samples) -> bytes:
    deltas = np.diff(samples.dts, append=samples.dts[-1] + 1)
    # Neighbours in the file are one chunk.
    begins = np.append(True, samples.at[1:] != (samples.at + samples.size)[:-1])
    chunks = np.flatnonzero(begins)
    lengths = np.diff(np.append(chunks, len(samples)))
    changes = np.flatnonzero(np.append(True, lengths[1:] != lengths[:-1]))
    groups = np.stack((changes + 1, lengths[changes], np.ones_like(changes)), axis=1)
    places = samples.at[chunks]
    is_long = bool(places.max() >= 1 << 32)
    keys = np.flatnonzero(samples.key) + 1
    return b"".join(
        (
            _table(b"stts", _as_runs(deltas), ">u4"),
            # Version 1: what comes later may come earlier.
            _table(b"ctts", _as_runs(samples.later), ">i4", b"\x01\0\0\0") if samples.later.any() else b"",
            _table(b"stss", keys, ">u4") if len(keys) < len(samples) else b"",
            box(b"stsz", bytes(8) + struct.pack(">I", len(samples)) + samples.size.astype(">u4").tobytes()),
            _table(b"stsc", groups, ">u4"),
            _table(b"co64" if is_long else b"stco", places, ">u8" if is_long else ">u4"),
        )
    )


def _table(kind: bytes, entries: Column, number: str, flags: bytes = _NO_FLAGS) -> bytes:
    return box(kind, flags + struct.pack(">I", len(entries)) + entries.astype(number).tobytes())


def _as_runs(values: Column) -> Column:
    begins = np.flatnonzero(np.append(True, values[1:] != values[:-1]))
    return np.stack((np.diff(np.append(begins, len(values))), values[begins]), axis=1)


def pack(samples: Samples) -> bytes:
    """The columns, small; `unpack` reads them back. Each number is stored as its difference from the expected one."""
    behind = np.append(0, (samples.at + samples.size)[:-1])
    steps = np.diff(samples.dts, prepend=0)
    columns = (samples.at - behind, samples.size, np.diff(steps, prepend=0), samples.later, samples.key)
    # The bytes of equal weight beside each other: the high ones are nearly always the same.
    planes = np.stack(columns).astype("<i8").view(np.uint8).reshape(_COLUMNS, len(samples), 8)
    return zlib.compress(np.ascontiguousarray(planes.transpose(0, 2, 1)).tobytes(), 9)


def unpack(data: bytes) -> Samples:
    """The inverse of `pack`. Raises ValueError or zlib.error on anything else."""
    raw = np.frombuffer(zlib.decompress(data), np.uint8)
    planes = raw.reshape(_COLUMNS, 8, len(raw) // (_COLUMNS * 8)).transpose(0, 2, 1)
    gaps, size, turns, later, key = np.ascontiguousarray(planes).view("<i8")[..., 0].astype(np.int64)
    at = np.cumsum(gaps) + np.cumsum(size) - size
    return Samples(at, size, np.cumsum(np.cumsum(turns)), later, key)
