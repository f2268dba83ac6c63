"""What stands in a file behind the place where its demuxer ended, or jumped over. Runs in the decoder process only.

The end of a demuxer is not the end of the file: recorders and stores join whole documents, and a broadcast moves its
video to another stream. Then a demuxer ends without a word, and all that follows would be missing without a gap. So the
bytes behind the last packet are looked at: a few of each element's or packet's head, never the media.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from videojob.media.containers import ts_scan, ts_tables
from videojob.media.files import sniff

_EBML = b"\x1a\x45\xdf\xa3"
_FLV = b"FLV\x01"
_SEARCH_BYTES, _HEAD_BYTES = 1 << 16, 1 << 12
_MOST_ELEMENTS = 1_000_000
_OVERLAP_BYTES = 4 << 20
_BESIDE_BYTES = 1 << 20
_SEGMENT, _CLUSTER, _GROUP = 0x18538067, 0x1F43B675, 0xA0
_BLOCKS = (0xA3, 0xA1)
_TAG_HEAD_BYTES, _TAG_TAIL_BYTES = 11, 4
_TAG_VIDEO = 9
_TAGS = (8, _TAG_VIDEO, 18)
_CHUNK_BYTES, _LONGEST_HEAD_BYTES = 1 << 20, 256
_DOCTYPE = b"\x42\x82"
# What stands in every document's head, and how many bytes before that it begins.
_HEADS = {sniff.MATROSKA: (_EBML, 0), sniff.FLV: (_FLV, 0), sniff.AVI: (b"RIFF", 0), sniff.MOV: (b"ftyp", 4)}
_CHUNK_HEAD_BYTES, _LIST_HEAD_BYTES, _LISTS = 8, 12, (b"LIST", b"RIFF")
_SEGMENT_CLUSTER = b"\x1f\x43\xb6\x75"
_LEFT = "the demuxer ended before pictures that follow in the file"


@dataclass(frozen=True, slots=True)
class Rest:
    """What follows.

    Attributes:
        next_at: first byte of what is to be read on as a file of its own; None when there is nothing.
        stream_id: of the video there, in a transport stream its PID; None for the best one.
        unread: why pictures are missing before that, when some follow that cannot be reached; else empty.
        missing_s: how many seconds of them, where that is known; else 0.
        overlaps: what is to be read on begins before the last packet that was read, by the same clock.
    """

    next_at: int | None = None
    stream_id: int | None = None
    unread: str = ""
    missing_s: float = 0.0
    overlaps: bool = False


def next_document(file: BinaryIO, at: int, size: int, demuxer: str) -> int | None:
    """Where another document of the same kind begins, at a place or soon behind it; None when none does."""
    file.seek(at)
    head = file.read(min(_SEARCH_BYTES, max(0, size - at)))
    if demuxer == sniff.MATROSKA:
        found = head.find(_EBML)
    elif demuxer == sniff.FLV:
        found = head.find(_FLV)
    else:
        # The ends of these are known to the byte.
        found = 0 if head else -1
    return None if found < 0 else at + found


def search_document(file: BinaryIO, at: int, size: int, demuxer: str) -> int | None:
    """Where another document of the same kind begins, anywhere behind a place; None when none does."""
    if demuxer not in _HEADS:
        return None
    mark, before = _HEADS[demuxer]
    first = at = max(0, at)
    while at < size:
        file.seek(at)
        data = file.read(_CHUNK_BYTES)
        found = data.find(mark)
        while found >= 0:
            begin = at + found - before
            if begin >= first and _is_head(file, begin, demuxer):
                return begin
            found = data.find(mark, found + 1)
        # A mark may stand across the end of what was read.
        at += max(1, len(data) - len(mark) + 1)
    return None


def holds_cluster(file: BinaryIO, start: int, stop: int) -> bool:
    """Whether a Matroska cluster begins between two places."""
    mark, at = _SEGMENT_CLUSTER, start
    while at < stop:
        file.seek(at)
        data = file.read(min(_CHUNK_BYTES, stop - at))
        if mark in data:
            return True
        at += max(1, len(data) - len(mark) + 1)
    return False


def is_run_of_tags(file: BinaryIO, tag_at: int, stop: int) -> bool:
    """Whether tags of an FLV follow one another from a place to another: a demuxer that lost its way finds the next."""
    at = tag_at
    for _ in range(_MOST_ELEMENTS):
        if at >= stop:
            break
        file.seek(at)
        head = file.read(_TAG_HEAD_BYTES)
        if len(head) < _TAG_HEAD_BYTES:
            return False
        at += _TAG_HEAD_BYTES + int.from_bytes(head[1:4], "big") + _TAG_TAIL_BYTES
    return at == stop


def has_broken_chunks(file: BinaryIO, data_at: int, stop: int) -> bool:
    """Whether chunks of an AVI do not follow one another from the last picture's data to the end of the document.

    Zeros do not count, as recorders fill up with them.
    """
    at = data_at - _CHUNK_HEAD_BYTES
    for _ in range(_MOST_ELEMENTS):
        if at + _CHUNK_HEAD_BYTES > stop:
            return False
        file.seek(at)
        head = file.read(_CHUNK_HEAD_BYTES)
        if head[:4] in _LISTS:
            at += _LIST_HEAD_BYTES
            continue
        if not head[:4].isalnum():
            return any(head)
        length = int.from_bytes(head[4:], "little")
        at += _CHUNK_HEAD_BYTES + length + length % 2
    return False


def _is_head(file: BinaryIO, begin: int, demuxer: str) -> bool:
    """Whether a document's head stands at a place where its mark does: media may hold the same few bytes."""
    file.seek(begin)
    head = file.read(_LONGEST_HEAD_BYTES)
    if demuxer == sniff.MATROSKA:
        return _DOCTYPE in head
    if demuxer == sniff.FLV:
        return head[5:9] == b"\0\0\0\x09"
    if demuxer == sniff.AVI:
        return head[8:12] == b"AVI "
    return 8 <= int.from_bytes(head[:4], "big") <= _LONGEST_HEAD_BYTES and head[8:12].isascii()


def document_before(file: BinaryIO, segment_at: int) -> int | None:
    """Where the document begins whose Segment stands at a place; None when there is no head of one before it."""
    start = max(0, segment_at - _HEAD_BYTES)
    file.seek(start)
    found = file.read(segment_at - start).rfind(_EBML)
    return None if found < 0 else start + found


def rest_of_matroska(file: BinaryIO, block_at: int, size: int) -> Rest:
    """What follows a block.

    Args:
        file: the whole file.
        block_at: first byte of the last block's content, its track's number.
        size: of the file in bytes.
    """
    track, at = _behind_block(file, block_at)
    for _ in range(_MOST_ELEMENTS):
        if at is None or at >= size:
            return Rest()
        file.seek(at)
        head = file.read(16)
        if head.startswith(_EBML):
            return Rest(at)
        element = _element(head)
        if element is None:
            break
        kind, head_bytes, length = element
        if kind in _BLOCKS and head[head_bytes : head_bytes + 1] == track:
            return Rest(unread=_LEFT)
        # What has parts is gone into; an unknown length is that of something with parts.
        at += head_bytes + (0 if kind in (_SEGMENT, _CLUSTER, _GROUP) or length is None else length)
    return Rest(None if at is None else next_document(file, at, size, sniff.MATROSKA))


def _behind_block(file: BinaryIO, block_at: int) -> tuple[bytes, int | None]:
    """(the track's number as it is written, where the block ends); None for the end of what is no block."""
    file.seek(max(0, block_at - 9))
    before = file.read(min(9, block_at))
    track = file.read(1)
    for size_bytes in range(1, min(8, len(before) - 1) + 1):
        start = before[-1 - size_bytes :]
        if start[0] in _BLOCKS and 9 - start[1].bit_length() == size_bytes:
            length = int.from_bytes(start[1:], "big") & ((1 << 7 * size_bytes) - 1)
            return track, block_at + length
    return track, None


def _element(head: bytes) -> tuple[int, int, int | None] | None:
    """(id, bytes of id and length, length or None when it is unknown) of an element; None when it is none."""
    if len(head) < 2 or head[0] < 0x10:
        return None
    id_bytes = 9 - head[0].bit_length()
    if len(head) <= id_bytes or not head[id_bytes]:
        return None
    size_bytes = 9 - head[id_bytes].bit_length()
    raw = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big")
    most = (1 << 7 * size_bytes) - 1
    length = None if raw & most == most else raw & most
    return int.from_bytes(head[:id_bytes], "big"), id_bytes + size_bytes, length


def rest_of_flv(file: BinaryIO, tag_at: int, size: int) -> Rest:
    """What follows a tag, that of the last packet."""
    at, is_last = tag_at, True
    for _ in range(_MOST_ELEMENTS):
        file.seek(at)
        head = file.read(_TAG_HEAD_BYTES + 2)
        if head.startswith(_FLV):
            return Rest(at)
        if len(head) < _TAG_HEAD_BYTES:
            return Rest()
        length = int.from_bytes(head[1:4], "big")
        if head[0] not in _TAGS or at + _TAG_HEAD_BYTES + length > size:
            break
        if not is_last and head[0] == _TAG_VIDEO and _is_picture(head[_TAG_HEAD_BYTES:], length):
            return Rest(unread=_LEFT)
        at, is_last = at + _TAG_HEAD_BYTES + length + _TAG_TAIL_BYTES, False
    return Rest(next_document(file, at, size, sniff.FLV))


def _is_picture(start: bytes, length: int) -> bool:
    """Whether a video tag holds one: others hold the codec's configuration, or say that the stream ends."""
    if length <= 5 or len(start) < 2:
        return False
    is_extended = bool(start[0] & 0x80)
    return start[0] & 0x0F in (1, 3) if is_extended else (start[0] & 0x0F != 7 or start[1] == 1)


def rest_of_ts(file: BinaryIO, first_at: int, last_at: int, stop: int, pid: int) -> Rest:
    """Video under another PID between the last packet of a stream and `stop`; one that ran beside it is no successor.

    Args:
        file: the whole file.
        first_at: first packet of the stream that was read.
        last_at: the last one.
        stop: the place to look to.
        pid: of the stream.
    """
    found = ts_scan.successor(file, first_at, last_at, stop, pid)
    listed = ts_tables.Listed.between(file, last_at, stop)
    # Where the stream itself comes back, one that goes on beside it is not a part of the same video.
    if (
        found is not None
        and found[1] not in ts_scan.pictures(file, stop, stop + _BESIDE_BYTES)
        and not listed.are_apart(pid, found[1])
    ):
        return Rest(*found)
    successors = listed.successors(pid) & ts_scan.pictures(file, last_at, stop)
    begin = ts_scan.beginning(file, max(first_at, last_at - _OVERLAP_BYTES), stop, successors)
    return Rest() if begin is None else Rest(*begin, overlaps=True)
