"""Which demuxer a file gets, decided by its first bytes and by nothing else.

FFmpeg's own probing takes names, playlists and scripts into account and knows some 300 formats, several of which open
other files or the network. Here a file gets one of a few self-contained demuxers, or a named error. Pure.
"""

from __future__ import annotations

from videojob.errors import FormatNotAllowed, InputNotVideo
from videojob.media.files import foreign

HEAD_BYTES = 4096
"""How much of a file's beginning `demuxer_for` wants to see."""

TAIL_PACKETS = 6
"""How many packets of a file's end `torn_packet` wants to see."""

MOV = "mov,mp4,m4a,3gp,3g2,mj2"
MATROSKA = "matroska,webm"
AVI = "avi"
MPEG_TS = "mpegts"
FLV = "flv"
OGG = "ogg"

_MOV_FIRST_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"moof", b"styp", b"sidx"))
_TS_SYNC = 0x47
_TS_PACKET_BYTES = 188
# So many in a row, from the start of the file on; or anywhere in its beginning.
_TS_FEW_SYNCS = 3
_TS_MANY_SYNCS = 5
# Plain, with a 4-byte timecode in front (Blu-ray), with a checksum behind: (packet length, offset of the sync byte).
_TS_LAYOUTS = ((188, 0), (192, 4), (204, 0))
_PLAYLISTS: tuple[tuple[bytes, str], ...] = (
    (b"#extm3u", "an HLS playlist"),
    (b"ffconcat", "an FFmpeg concat script"),
    (b"v=0", "an SDP description"),
    (b"[playlist]", "a PLS playlist"),
    (b"[reference]", "an ASX playlist"),
    (b"<asx", "an ASX playlist"),
    (b"<smil", "a SMIL presentation"),
    (b"<mpd", "a DASH manifest"),
    (b"<smoothstreamingmedia", "a Smooth Streaming manifest"),
    (b"<manifest", "an F4M manifest"),
    (b"rtmp://", "a stream address"),
    (b"rtsp://", "a stream address"),
    (b"rtsptext", "a QuickTime stream reference"),
    (b"file ", "an FFmpeg concat script"),
)
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def demuxer_for(head: bytes, uri: str) -> str:
    """FFmpeg's name of the one demuxer that may read the file.

    Args:
        head: the file's first `HEAD_BYTES`, or all of it when it is shorter.
        uri: for the message.

    Raises:
        FormatNotAllowed: a playlist or script, which would make a demuxer open something else.
        InputNotVideo: empty, text, or nothing that a supported container starts with; where it is of a known kind,
            with its name and the command that converts it.
    """
    if not head:
        raise InputNotVideo("the file is empty", uri=uri)
    if head[4:8] in _MOV_FIRST_BOXES:
        return MOV
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return MATROSKA
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return AVI
    if head.startswith(b"FLV\x01"):
        return FLV
    if head.startswith(b"OggS"):
        return OGG
    _refuse_playlists(head, uri)
    if ts_layout(head) is not None:
        return MPEG_TS
    if foreign.is_text(head):
        # In the words of the release before: a summary does not depend on which of them made the plan.
        raise InputNotVideo("text is not the start of a supported container", uri=uri)
    what, advice = foreign.describe(head, uri)
    raise InputNotVideo(f"the file is {what}, which is not read", uri=uri, hint=advice)


def ts_layout(head: bytes) -> tuple[int, int] | None:
    """(packet length, start of the first whole packet) of a transport stream; None when it is none.

    A recording may begin in the middle of a packet, or with a damaged one.
    """
    for length, offset in _TS_LAYOUTS:
        syncs = head[offset::length]
        if len(syncs) >= _TS_FEW_SYNCS and all(byte == _TS_SYNC for byte in syncs):
            return length, 0
    for length, offset in _TS_LAYOUTS:
        for start in range(len(head) - length * (_TS_MANY_SYNCS - 1)):
            if all(head[start + length * count] == _TS_SYNC for count in range(_TS_MANY_SYNCS)):
                return length, (start - offset) % length
    return None


def torn_packet(tail: bytes, length: int) -> bytes:
    """What there is of a transport stream's last packet when the file ends within it; empty when it does not.

    Bytes that are no packet may stand behind a complete stream: a packet begins in step with those before it.

    Args:
        tail: the file's last `TAIL_PACKETS` packets, or all of it when it is shorter.
        length: of a packet, see `ts_layout`.
    """
    for at in range(max(length, len(tail) - _TS_PACKET_BYTES + 1), len(tail)):
        if all(byte == _TS_SYNC for byte in tail[at % length : at + 1 : length]):
            return tail[at:]
    return b""


def _refuse_playlists(head: bytes, uri: str) -> None:
    text = _as_text(head).lstrip().lower()
    if text.startswith(b"<"):
        for mark, what in _PLAYLISTS:
            if mark.startswith(b"<") and mark in text:
                raise FormatNotAllowed(f"the file is {what}", uri=uri)
    for mark, what in _PLAYLISTS:
        if text.startswith(mark):
            raise FormatNotAllowed(f"the file is {what}", uri=uri)


def _as_text(head: bytes) -> bytes:
    """The bytes without byte order mark and without the zeros of UTF-16."""
    for mark in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return head[len(mark) :].replace(b"\x00", b"")
    return head
