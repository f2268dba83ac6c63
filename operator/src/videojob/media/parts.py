"""Reading a video to the end of its file, whatever demuxers take for the end. Runs in the decoder process only.

Each document of a joined file, and each stretch of a transport stream whose video is in a stream of its own, is opened
as a file of its own, and its packets follow those before it. What follows is found out where a demuxer ends; of a
transport stream also where it has jumped over something.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

from av.video.stream import VideoStream

from videojob.errors import InputError
from videojob.media import joins, sniff
from videojob.media.container import Part, Source, VideoPacket, next_part
from videojob.media.joins import Rest

_CUT_SHORT = "the file ends before its container does"
_JUMP_S = 1
# Between two pictures of a transport stream lie the packets of other streams, but hardly more than this.
_JUMP_BYTES = 1 << 19


class Parts:
    """Reads a source and what follows it.

    Args:
        source: the opened file.

    Attributes:
        start: first byte of the part that the last packet came from.
        unread: why pictures at the end of the file are missing, known behind the last packet; empty when none are.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open: list[Part] = []
        self.start = 0
        self.unread = ""

    def packets(self) -> Iterator[VideoPacket]:
        """Packets from where the source stands to the end of the file, with times in the source's ticks; those of each
        part have a stream of their own, and an empty one stands between.

        Raises:
            av.FFmpegError: a demuxer gives up.
            InputUnavailable: the file's bytes could not be had.
        """
        source = self._source
        part = Part(source.container, source.stream, 0, source.end, source.is_cut_short)
        while True:
            watch, self.start = _Watch(source, part), part.start
            rest: Rest | None = None
            for packet in source.packets(part if part.start else None):
                rest = watch.before(packet)
                if rest is not None:
                    break
                if part.start:
                    _rescale(packet, part.stream, source.time_base)
                yield packet
            rest = watch.rest() if rest is None else rest
            if rest.next_at is None or rest.next_at <= part.start:
                self.unread = rest.unread or (_CUT_SHORT if part.is_cut_short else "")
                return
            try:
                part = next_part(source, rest.next_at, rest.stream_id)
            except InputError as error:
                source.video.check()
                self.unread = f"what follows at byte {rest.next_at} cannot be read: {error.message}"
                return
            self._open.append(part)

    def entered(self, stream: VideoStream) -> None:
        """Nothing before this stream's part is wanted any more."""
        while len(self._open) > 1 and self._open[0].stream is not stream:
            self._open.pop(0).container.close()

    def close(self) -> None:
        """Closes what was opened here."""
        for part in self._open:
            part.container.close()
        self._open = []


def _rescale(packet: VideoPacket, stream: VideoStream, time_base: Fraction) -> None:
    if stream.time_base is None or stream.time_base == time_base:
        return
    scale = stream.time_base / time_base
    packet.pts = None if packet.pts is None else round(packet.pts * scale)
    packet.dts = None if packet.dts is None else round(packet.dts * scale)


class _Watch:
    """Follows where in the file a part's packets come from."""

    def __init__(self, source: Source, part: Part) -> None:
        self._source, self._part = source, part
        self._first_at: int | None = None
        self._last_at: int | None = None
        self._last_dts: int | None = None
        self._last_bytes = 0
        self._is_ts, self._is_matroska = source.demuxer == sniff.MPEG_TS, source.demuxer == sniff.MATROSKA
        self._jump_ticks = int(_JUMP_S / (part.stream.time_base or source.time_base))

    def before(self, packet: VideoPacket) -> Rest | None:
        """What is to be read instead of this packet and all behind it; None as a rule."""
        at, size_bytes, dts = packet.pos, packet.size, packet.dts
        if at is None or not size_bytes:
            return None
        at += self._part.start
        if self._is_matroska and self._source.complaints.messages:
            joined_at = self._source.complaints.joined_at()
            if joined_at is not None:
                return self._document_before(self._part.start + joined_at)
        if self._is_ts and self._has_jumped(at, dts):
            rest = self._successor(at)
            if rest.next_at is not None:
                return rest
        if self._first_at is None:
            self._first_at = at
        self._last_at, self._last_bytes = at, size_bytes
        if dts is not None:
            self._last_dts = dts
        return None

    def _has_jumped(self, at: int, dts: int | None) -> bool:
        if self._last_at is None:
            return False
        if at - self._last_at > 2 * self._last_bytes + _JUMP_BYTES:
            return True
        return dts is not None and self._last_dts is not None and abs(dts - self._last_dts) > self._jump_ticks

    def _document_before(self, segment_at: int) -> Rest | None:
        """The document whose Segment begins at a place."""
        with self._source.video.reading() as file:
            begin = joins.document_before(file, segment_at)
        return None if begin is None or begin <= self._part.start else Rest(begin)

    def _successor(self, stop: int) -> Rest:
        if self._first_at is None or self._last_at is None:
            return Rest()
        with self._source.video.reading() as file:
            return joins.rest_of_ts(file, self._first_at, self._last_at, stop, self._part.stream.id)

    def rest(self) -> Rest:
        """What follows the part's last packet."""
        source, end = self._source, self._part.end
        size = source.video.size_bytes()
        with source.video.reading() as file:
            if end < size:
                return self._document_behind(file, end, size)
            if self._last_at is None:
                return Rest()
            if self._is_ts:
                return self._successor(size)
            if source.demuxer == sniff.MATROSKA:
                return joins.rest_of_matroska(file, self._last_at, size)
            if source.demuxer == sniff.FLV:
                return joins.rest_of_flv(file, self._last_at, size)
        return Rest(unread=self._unread(end))

    def _document_behind(self, file: BinaryIO, end: int, size: int) -> Rest:
        """What follows a part whose end is known."""
        if self._source.demuxer == sniff.MATROSKA and self._last_at is not None:
            left = joins.rest_of_matroska(file, self._last_at, end)
            if left.unread:
                return left
        unread = _CUT_SHORT if self._part.is_cut_short else self._unread(end)
        return Rest(unread=unread) if unread else Rest(joins.next_document(file, end, size, self._source.demuxer))

    def _unread(self, end: int) -> str:
        """Why pictures of the index are missing."""
        entries = self._part.stream.index_entries
        if self._source.demuxer != sniff.MOV or not len(entries) or self._last_dts is None:
            return ""
        missing = entries[-1].timestamp - self._last_dts if entries[-1].size else 0
        return f"the demuxer ended before its index, at byte {end}" if missing > self._jump_ticks else ""
