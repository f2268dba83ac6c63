"""Looking at a container's outermost structure without a demuxer: how long it says it is, and what it refers to.

A few dozen bytes per box are read, never the media. Runs in the decoder process only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from videojob.errors import FormatNotAllowed, InputContainerInvalid
from videojob.media.containers.limits import check_size
from videojob.media.files import sniff

_MAX_BOXES = 100_000
_TO_REFERENCES = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")
_TO_TRACKS = (b"moov", b"trak")
_TO_DESCRIPTIONS = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_TO_HANDLER = (b"trak", b"mdia", b"hdlr")
_MEDIA = (b"mdat", b"moof")
_DOCUMENT_STARTS = (b"ftyp", b"moov")
_SELF_CONTAINED = 1
_MATROSKA_SEGMENT = 0x18538067
_RIFF_HEADER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Outline:
    """What the outermost structure says.

    Attributes:
        is_cut_short: it declares more bytes than the file has; of a transport stream see `torn_packet`.
        end: where the file's first document ends, at most at the file's end; the file's end when it does not say.
        has_fragments: it is an MP4 in fragments.
        orphans: places of media in it whose fragment's head is lost, ascending.
        junk_at: where, in an MP4, something begins that is no box; None when nothing does.
    """

    is_cut_short: bool
    end: int
    has_fragments: bool = False
    orphans: tuple[int, ...] = ()
    junk_at: int | None = None


def check(file: BinaryIO, size: int, demuxer: str, uri: str) -> Outline:
    """Looks at the outermost structure.

    Args:
        file: the video, at its start.
        size: of the video in bytes.
        demuxer: FFmpeg's name, see `sniff`.
        uri: for messages.

    Raises:
        InputContainerInvalid: an MP4 without its index.
        FormatNotAllowed: an MP4 whose media lie in another file.
        ResolutionLimitExceeded: an MP4 or AVI header claims a picture that is too large. Other containers keep it
            where FFmpeg reads it before it decodes.
    """
    if demuxer == sniff.MOV:
        return _check_mov(file, size, uri)
    if demuxer == sniff.MATROSKA:
        end = _matroska_end(file)
        return Outline(end > size, min(end or size, size))
    if demuxer == sniff.AVI:
        end = _check_avi(file, uri)
        return Outline(end > size, _avi_end(file, end, size))
    return Outline(False, size)


def has_fragments(file: BinaryIO, size: int) -> bool:
    """Whether an MP4 is in fragments: then its index does not tell of all that it may have held."""
    return any(kind == b"moof" for kind, _, _ in boxes(file, 0, size))


def torn_packet(file: BinaryIO, size: int) -> bytes:
    """What there is of a transport stream's last packet when the file ends within it; else empty."""
    file.seek(0)
    length, start = sniff.ts_layout(file.read(sniff.HEAD_BYTES)) or (1, 0)
    if (size - start) % length == 0:
        return b""
    file.seek(max(0, size - sniff.TAIL_PACKETS * length))
    return sniff.torn_packet(file.read(sniff.TAIL_PACKETS * length), length)


def _check_avi(file: BinaryIO, uri: str) -> int:
    """Where the first RIFF chunk ends."""
    head = file.read(sniff.HEAD_BYTES)
    format_at = head.find(b"strf", max(0, head.find(b"vids")))
    if format_at > 0 and len(head) >= format_at + 20:
        width, height = struct.unpack_from("<ii", head, format_at + 12)
        # A negative height means rows from the top down.
        check_size(width, abs(height), uri)
    return int.from_bytes(head[4:8], "little") + _RIFF_HEADER_BYTES


def _avi_end(file: BinaryIO, end: int, size: int) -> int:
    """Where the last RIFF chunk of the first document ends; the others of a long recording are called AVIX."""
    while end > _RIFF_HEADER_BYTES and end < size:
        file.seek(end)
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:12] == b"AVI ":
            # What is no chunk may belong to the recording: the demuxer knows.
            return end if head[:4] == b"RIFF" else size
        end += int.from_bytes(head[4:8], "little") + _RIFF_HEADER_BYTES
    return size


def _check_mov(file: BinaryIO, size: int, uri: str) -> Outline:
    has_index = has_media = has_fragments = False
    end = last_stop = 0
    orphans: list[int] = []
    # The last box with pictures, or what stands behind it.
    before = b""
    # Where a second document may begin: media behind the place prove that it does.
    begins: int | None = None
    junk_at: int | None = None
    for kind, start, stop in boxes(file, 0, size):
        if junk_at is None and not _is_box(kind, stop, size):
            junk_at = last_stop
        if kind == b"moof" and stop > size and has_index and has_media:
            # FFmpeg refuses the whole file over a fragment's head that is cut off: those before it are sound.
            return Outline(True, last_stop, has_fragments, tuple(orphans))
        if kind in _MEDIA:
            if begins is not None:
                # Whoever reads on behind this one looks at the next.
                return Outline(False, begins, has_fragments, tuple(orphans))
            has_media = True
            if kind == b"mdat" and has_fragments and before not in _MEDIA:
                orphans.append(start)
            has_fragments = has_fragments or kind == b"moof"
            end = max(end, stop)
        if kind in _DOCUMENT_STARTS and has_index and has_media and begins is None:
            begins = last_stop
        # Between a fragment's head and its media others may stand.
        before = before if before == b"moof" and kind not in _MEDIA else kind
        last_stop = stop
        if kind == b"moov":
            has_index = True
            _check_references(file, (start, min(stop, size)), uri)
            _check_descriptions(file, (start, min(stop, size)), uri)
    if not has_index:
        raise InputContainerInvalid("the MP4 has no moov box, the index of its pictures", uri=uri)
    return Outline(end > size, size, has_fragments, tuple(orphans), junk_at)


def _is_box(kind: bytes, stop: int, size: int) -> bool:
    """Whether a box that ends at a place is one of which the file can be made, the last one cut off or not."""
    return kind in _MEDIA or kind in _DOCUMENT_STARTS or (stop <= size and kind.isalnum())


def _check_references(file: BinaryIO, moov: tuple[int, int], uri: str) -> None:
    for start, stop in at_path(file, moov, _TO_REFERENCES):
        # Version, flags and count come before the entries, each a box with version and flags of its own.
        for _, entry, _ in boxes(file, start + 8, stop):
            file.seek(entry)
            if not int.from_bytes(file.read(4), "big") & _SELF_CONTAINED:
                raise FormatNotAllowed("the MP4 refers to media in another file", uri=uri)


def _check_descriptions(file: BinaryIO, moov: tuple[int, int], uri: str) -> None:
    for track in at_path(file, moov, _TO_TRACKS):
        handlers = [bytes_at(file, start + 8, 4) for start, _ in at_path(file, track, _TO_HANDLER)]
        if b"vide" not in handlers:
            continue
        for start, stop in at_path(file, track, _TO_DESCRIPTIONS):
            for _, entry, _ in boxes(file, start + 8, stop):
                size = bytes_at(file, entry + 24, 4)
                check_size(int.from_bytes(size[:2], "big"), int.from_bytes(size[2:], "big"), uri)


def bytes_at(file: BinaryIO, position: int, count: int) -> bytes:
    """Some of the file; fewer bytes where it ends."""
    file.seek(position)
    return file.read(max(0, count))


def at_path(file: BinaryIO, inside: tuple[int, int], path: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Contents of all boxes at a path; `inside` is the content of its first box."""
    if len(path) == 1:
        yield inside
        return
    for kind, start, stop in boxes(file, *inside):
        if kind == path[1]:
            yield from at_path(file, (start, min(stop, inside[1])), path[1:])


def boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
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
