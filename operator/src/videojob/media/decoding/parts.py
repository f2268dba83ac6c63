"""Reading a video to the end of its file, whatever demuxers take for the end. Runs in the decoder process only.

Each document of a joined file, and each stretch of a transport stream whose video is in a stream of its own, is opened
as a file of its own, and its packets follow those before it. What follows is found out where a demuxer ends; of a
transport stream also where it has jumped over something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import cast

import av
from av.packet import Packet
from av.video.stream import VideoStream

from videojob.errors import InputError
from videojob.media.containers import joins
from videojob.media.containers.joins import Rest
from videojob.media.decoding.corruption import Loss
from videojob.media.decoding.watch import CUT_SHORT, HOLE_STEPS, Watch
from videojob.media.files import sniff
from videojob.media.opening.container import Part, Source, VideoPacket, next_part

_SAME_CLOCK_S = 60
_NO_KEYFRAME = "the stream in which the video goes on has no keyframe there"


class Parts:
    """Reads a source and what follows it.

    Args:
        source: the opened file.

    Attributes:
        start: first byte of the part that the last packet came from.
        missing_ticks: of the part that ended last, how much is missing at its end, as far as that is known.
        complaint: what is damaged before the last packet; empty when nothing is.
        overlaps: the part that the last packet came from, or that follows the empty one, begins before the end of the
            one before it, by the same clock; its first packet is a keyframe.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open: list[Part] = []
        self.start = 0
        self.missing_ticks = 0
        self.complaint = ""
        self.overlaps = False

    def packets(self) -> Iterator[VideoPacket]:
        """Packets from where the source stands to the end of the file, with times in the source's ticks; those of each
        part have a stream of their own, and an empty one ends it: with a `Loss` where the rest of it cannot be read.

        Raises:
            InputUnavailable: the file's bytes could not be read.
        """
        source = self._source
        part = Part(source.container, source.stream, 0, source.end, source.is_cut_short, source.outline)
        watch = Watch(source, part)
        packets = source.packets()
        while True:
            self.start = part.start
            rest: Rest | None = None
            try:
                for packet in packets:
                    rest = watch.before(packet)
                    if rest is not None:
                        break
                    if is_end(packet) and packet.opaque is None:
                        continue
                    self.complaint = watch.complaint
                    if part.start:
                        _rescale(packet, part.stream, source.time_base)
                    yield packet
            except av.FFmpegError as error:
                source.video.check()
                rest = watch.broken(f"the container cannot be read on: {error.strerror}")
            rest = watch.rest() if rest is None else rest
            # What the demuxer said of this part, before the next one is opened.
            words = source.complaints.take(sniff.MATROSKA) if source.complaints.messages else None
            if words and not rest.unread:
                rest = replace(rest, unread=f"the container is damaged: {words}")
            following, rest = self._opened(part, rest)
            self.missing_ticks = round((rest.missing_s or watch.missing_s()) / source.time_base)
            self.overlaps = rest.overlaps
            yield _ending(part.stream, rest.unread)
            if following is None:
                return
            packets = source.packets(following)
            if rest.overlaps:
                packets = self._behind_overlap(packets, watch)
            watch = Watch(source, following, {part.stream.id} if rest.overlaps else None)
            part = following
            self._open.append(part)

    def _behind_overlap(self, packets: Iterator[VideoPacket], before: Watch) -> Iterator[VideoPacket]:
        """The packets of a part from a keyframe on that no picture is missing before, if there is one."""
        for packet in packets:
            if not packet.is_keyframe or packet.pts is None or before.newest_pts is None or before.last_at is None:
                continue
            since = packet.pts - before.newest_pts
            self.overlaps = abs(since) < before.ticks(_SAME_CLOCK_S)
            if not self.overlaps and self.start + (packet.pos or 0) < before.last_at:
                # By another clock nothing but its place tells what was there already.
                continue
            if not self.overlaps or since > HOLE_STEPS * before.last_step > 0:
                yield _ending(before.stream, _NO_KEYFRAME)
            yield packet
            break
        yield from packets

    def _opened(self, part: Part, rest: Rest) -> tuple[Part | None, Rest]:
        """(the next part that can be read, what is missing before it); None, and what is missing at the end."""
        source = self._source
        while rest.next_at is not None and rest.next_at > part.start:
            try:
                return next_part(source, rest.next_at, rest.stream_id), rest
            except InputError as error:
                source.video.check()
                unread = rest.unread or f"what follows at byte {rest.next_at} cannot be read: {error.message}"
                with source.video.reading() as file:
                    size = source.video.size_bytes()
                    beyond = joins.search_document(file, rest.next_at + 1, size, source.demuxer)
                rest = replace(rest, next_at=beyond, unread=unread)
        unread = rest.unread or (CUT_SHORT if part.is_cut_short else "")
        return None, replace(rest, next_at=None, unread=unread)

    def entered(self, stream: VideoStream) -> None:
        """Nothing before this stream's part is wanted any more."""
        while len(self._open) > 1 and self._open[0].stream is not stream:
            self._open.pop(0).container.close()

    def close(self) -> None:
        """Closes what was opened here."""
        for part in self._open:
            part.container.close()
        self._open = []


def is_end(packet: VideoPacket) -> bool:
    """Whether it is the empty packet behind the last one of a stream."""
    return not packet.size and packet.pts is None and packet.dts is None


def _ending(stream: VideoStream, unread: str) -> VideoPacket:
    packet = cast("VideoPacket", Packet())
    packet.stream = stream
    if unread:
        packet.opaque = Loss(unread, None, is_torn=False)
    return packet


def _rescale(packet: VideoPacket, stream: VideoStream, time_base: Fraction) -> None:
    if stream.time_base is None or stream.time_base == time_base:
        return
    scale = stream.time_base / time_base
    packet.pts = None if packet.pts is None else round(packet.pts * scale)
    packet.dts = None if packet.dts is None else round(packet.dts * scale)
