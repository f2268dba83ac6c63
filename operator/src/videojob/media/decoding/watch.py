"""Following a part's packets through the file: what is lost between them, and what follows the last one.

Runs in the decoder process only. A few bytes of heads are read along with the demuxer, never the media.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import BinaryIO

import av
from av.video.stream import VideoStream

from videojob.media.containers import joins, mp4_fragments, ogg_pages, ts_scan
from videojob.media.containers.joins import Rest
from videojob.media.containers.ts_scrambled import (
    SCRAMBLED,
    ScrambledPictures,
    first_byte,
    packet_bytes,
    seconds_between,
)
from videojob.media.files import sniff
from videojob.media.opening.container import Part, Source, VideoPacket

CUT_SHORT = "the file ends before its container does"
_LEFT = "the demuxer ended before pictures that follow in the file"
_DAMAGED = "the container's structure is damaged"
_NO_HEAD = "media without a fragment's head"
_JUMP_S = 1
HOLE_STEPS = 2
"""A step of the time of decoding that is longer than so many before it is a hole."""
# Between two pictures of a transport stream lie the packets of other streams, but hardly more than this.
_JUMP_BYTES = 1 << 19


class Watch:
    """Follows where in the file a part's packets come from.

    Args:
        source: the opened file.
        part: of it.
        known: PIDs whose video is no successor of this part's.

    Attributes:
        last_at: place of the last packet.
        newest_pts: the latest time of presentation, in the part's ticks.
        last_step: ticks between the last two packets.
    """

    def __init__(self, source: Source, part: Part, known: set[int] | None = None) -> None:
        self._source, self._part = source, part
        self.complaint = ""
        self._pictures: ts_scan.Pictures | None = None
        self._page: ogg_pages.Page | None = None
        self._orphans = deque(part.outline.orphans)
        self._known = {part.stream.id} if known is None else known | {part.stream.id}
        self._first_at: int | None = None
        self.last_at: int | None = None
        self._last_dts: int | None = None
        self.last_step = 0
        self.newest_pts: int | None = None
        self._last_bytes = 0
        self._is_ts = source.demuxer == sniff.MPEG_TS
        self._jump_ticks = self.ticks(_JUMP_S)

    @property
    def stream(self) -> VideoStream:
        """The part's."""
        return self._part.stream

    def ticks(self, seconds: int) -> int:
        """The same in ticks of the part's stream."""
        return int(seconds / (self.stream.time_base or self._source.time_base))

    def before(self, packet: VideoPacket) -> Rest | None:
        """What is to be read instead of this packet and all behind it; None as a rule."""
        at = packet.pos
        if at is None or not packet.size:
            return None
        at += self._part.start
        self.complaint = ""
        rest = self._document_at(at, packet.dts)
        if rest is None:
            self._find_damage_before(at)
            self._note(at, packet)
        return rest

    def _document_at(self, at: int, dts: int | None) -> Rest | None:
        """The document that begins before a packet, or the stream that goes on there; None as a rule."""
        demuxer = self._source.demuxer
        if demuxer == sniff.OGG:
            return self._pages_before(at)
        if demuxer == sniff.MATROSKA:
            complaints = self._source.complaints
            joined_at = complaints.joined_at() if complaints.messages else None
            return None if joined_at is None else self._document_before(self._part.start + joined_at)
        if not self._is_ts:
            return None
        has_jumped = self._has_jumped(at, dts)
        if has_jumped or self._has_other_before(at):
            rest = self._successor(at)
            # While the stream itself comes, it is read.
            is_taken = rest.next_at is not None and (has_jumped or not rest.overlaps)
            return self._with_scrambled(rest) if is_taken else None
        return None

    def _has_other_before(self, at: int) -> bool:
        """Whether pictures of a stream begin before a packet that none began of until then."""
        if self.last_at is None:
            return False
        if self._pictures is None:
            self._pictures = ts_scan.Pictures(self._source.video, self.last_at)
        others = self._pictures.until(at, self._known)
        self._known |= others
        return bool(others)

    def _find_damage_before(self, at: int) -> None:
        while self._orphans and self._part.start + self._orphans[0] < at:
            # The first of them may be the packet's own.
            self.complaint = _NO_HEAD if self._orphans.popleft() + self._part.start > (self.last_at or at) else ""
        if self._source.demuxer == sniff.FLV and self.last_at is not None and not self._is_run_to(at):
            self.complaint = _DAMAGED

    def _note(self, at: int, packet: VideoPacket) -> None:
        if self._first_at is None:
            self._first_at = at
        self.last_at, self._last_bytes = at, packet.size
        if packet.pts is not None:
            self.newest_pts = packet.pts if self.newest_pts is None else max(self.newest_pts, packet.pts)
        if packet.dts is not None:
            step = 0 if self._last_dts is None else packet.dts - self._last_dts
            self.last_step = step if step > 0 else self.last_step
            self._last_dts = packet.dts

    def _pages_before(self, at: int) -> Rest | None:
        """The document that begins before a packet of a page; notes whether pages are missing before it."""
        with self._source.video.reading() as file:
            page = ogg_pages.page_at(file, at)
            if page is None or (self._page is not None and page.at <= self._page.at):
                return None
            before, self._page = self._page, page
            if before is None:
                return None
            found = ogg_pages.stretch(file, before, at + 1)
            if found.document_at is not None:
                self._page = found.last
                # Pages that end a document without its mark are none that is known to be missing.
                return Rest(found.document_at, unread=found.reason)
        self.complaint = found.reason
        return None

    def _pages_behind(self, file: BinaryIO, size: int) -> Rest:
        if self._page is None:
            return Rest()
        found = ogg_pages.stretch(file, self._page, size)
        unread = found.reason
        if found.document_at is None:
            unread = unread or ogg_pages.unread_at_end(file, found.last, size)
        return Rest(found.document_at, unread=unread)

    def _is_run_to(self, at: int) -> bool:
        with self._source.video.reading() as file:
            return joins.is_run_of_tags(file, at if self.last_at is None else self.last_at, at)

    def _has_jumped(self, at: int, dts: int | None) -> bool:
        if self.last_at is None:
            return False
        if at - self.last_at > 2 * self._last_bytes + _JUMP_BYTES:
            return True
        if dts is None or self._last_dts is None:
            return False
        step = dts - self._last_dts
        return abs(step) > self._jump_ticks or 0 < HOLE_STEPS * self.last_step < step

    def _document_before(self, segment_at: int) -> Rest | None:
        """The document whose Segment begins at a place."""
        with self._source.video.reading() as file:
            begin = joins.document_before(file, segment_at)
        return None if begin is None or begin <= self._part.start else Rest(begin)

    def _successor(self, stop: int) -> Rest:
        if self._first_at is None or self.last_at is None:
            return Rest()
        with self._source.video.reading() as file:
            return joins.rest_of_ts(file, self._first_at, self.last_at, stop, self._part.stream.id)

    def _with_scrambled(self, rest: Rest) -> Rest:
        """The same with what is scrambled between the part's last packet and what follows it."""
        if self.last_at is None:
            return rest
        video = self._source.video
        stop = video.size_bytes() if rest.next_at is None else rest.next_at
        with video.reading() as file:
            length = packet_bytes(file)
            last_at = first_byte(self.last_at, length)
            pictures = ScrambledPictures(video, last_at, self._part.stream.id, length)
            pictures.flags_at(last_at)
            if not pictures.follow(stop):
                return rest
            return replace(rest, unread=SCRAMBLED, missing_s=seconds_between(file, last_at, stop))

    def broken(self, reason: str) -> Rest:
        """What follows behind the place where the demuxer gave up."""
        source, end, size = self._source, self._part.end, self._source.video.size_bytes()
        behind = self._part.start if self.last_at is None else self.last_at
        with source.video.reading() as file:
            begin = joins.search_document(file, end if end < size else behind + 1, size, source.demuxer)
        return Rest(begin, unread=reason, missing_s=self.missing_s())

    def missing_s(self) -> float:
        """How much of the part is missing behind its last packet, as its index or its header says."""
        stream = self._part.stream
        if stream.time_base is None:
            return 0.0
        entries = stream.index_entries
        if self._source.demuxer in (sniff.MOV, sniff.AVI) and len(entries):
            missing = entries[-1].timestamp - (self._last_dts or 0)
        else:
            duration = stream.duration or int((self._part.container.duration or 0) / av.time_base / stream.time_base)
            missing = self._missing_to((stream.start_time or 0) + duration)
        # A header may claim any length.
        read_s = float((self.newest_pts or 0) * stream.time_base)
        return max(0.0, min(float(missing * stream.time_base), 2 * read_s + 60))

    def _missing_to(self, end: int) -> int:
        """Ticks of pictures that are missing between the last one and the end of the part."""
        return max(0, end - self.last_step - (self.newest_pts or 0))

    def rest(self) -> Rest:
        """What follows the part's last packet."""
        source, end = self._source, self._part.end
        size = source.video.size_bytes()
        with source.video.reading() as file:
            if end < size:
                return self._document_behind(file, end, size)
            return Rest() if self.last_at is None else self._behind(file, self.last_at, size)

    def _behind(self, file: BinaryIO, last_at: int, size: int) -> Rest:
        """What follows in a part that reaches to the end of the file."""
        if self._is_ts:
            return self._with_scrambled(self._successor(size))
        if self._source.demuxer == sniff.MATROSKA:
            return joins.rest_of_matroska(file, last_at, size)
        if self._source.demuxer == sniff.FLV:
            return joins.rest_of_flv(file, last_at, size)
        if self._source.demuxer == sniff.OGG:
            return self._pages_behind(file, size)
        return self._behind_boxes(file, size)

    def _document_behind(self, file: BinaryIO, end: int, size: int) -> Rest:
        """What follows a part whose end is known."""
        unread, missing_s = "", 0.0
        if self._source.demuxer == sniff.MATROSKA and self.last_at is not None:
            unread = joins.rest_of_matroska(file, self.last_at, end).unread
        elif self._source.demuxer == sniff.AVI:
            unread = self._left_of_chunks(file, end)
        elif self._source.demuxer == sniff.MOV:
            unread, missing_s = self._left_of_index(file, size if self._part.is_cut_short else end)
        if self._part.is_cut_short:
            return Rest(unread=CUT_SHORT, missing_s=missing_s or self.missing_s())
        if unread:
            missing_s = missing_s or self.missing_s()
        next_at = joins.next_document(file, end, size, self._source.demuxer)
        if self._source.demuxer == sniff.MATROSKA and joins.holds_cluster(file, end, next_at or size):
            # A document without its head.
            next_at = next_at or joins.search_document(file, end, size, self._source.demuxer)
            unread = unread or _DAMAGED
        return Rest(next_at, unread=unread, missing_s=missing_s)

    def _behind_boxes(self, file: BinaryIO, end: int) -> Rest:
        """The same of an MP4 or AVI, as far as its structure tells."""
        junk_at, next_at = self._part.outline.junk_at, None
        if junk_at is not None:
            behind = max(self._part.start + junk_at, (self.last_at or 0) + 1)
            next_at = joins.search_document(file, behind, end, self._source.demuxer)
        unread, missing_s = self._left_of_index(file, next_at or end)
        if junk_at is not None and not unread and (next_at or mp4_fragments.has_index(file, behind, end)):
            unread = _DAMAGED
        return Rest(next_at, unread=unread, missing_s=missing_s)

    def _left_of_chunks(self, file: BinaryIO, end: int) -> str:
        """Why pictures of an AVI are missing; empty when none are known to be."""
        if self.last_at is None:
            return ""
        return _DAMAGED if joins.has_broken_chunks(file, self.last_at, end) else ""

    def _left_of_index(self, file: BinaryIO, end: int) -> tuple[str, float]:
        """(why pictures of the index are missing, how many seconds of them); empty and 0 when none are."""
        time_base = self._part.stream.time_base
        if self._source.demuxer != sniff.MOV or self._last_dts is None or self.last_at is None or time_base is None:
            return "", 0.0
        if self._part.outline.has_fragments:
            stop_dts = mp4_fragments.end_of_last(file, (self.last_at, end), self._part.stream.id)
            if stop_dts is not None:
                return _LEFT, max(0.0, float((stop_dts - self.last_step - self._last_dts) * time_base))
        entries = self._part.stream.index_entries
        missing = entries[-1].timestamp - self._last_dts if len(entries) and entries[-1].size else 0
        return (_LEFT, float(missing * time_base)) if missing > 0 else ("", 0.0)
