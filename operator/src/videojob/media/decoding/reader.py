"""The pictures of one segment, in presentation order. Runs in the decoder process only.

Exactly the pictures whose presentation time lies in the segment come out, whatever the segment's neighbours do:
decoding starts at a keyframe at or before the start and runs on past the end until a picture behind it appears, as
pictures that precede a keyframe in time may follow it in the file.

One thread decodes: several segments run in processes of their own, which needs no locks and costs less work in all,
and a damaged file then gives the same pictures every time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import cast

import av
from av.video.stream import VideoStream

from videojob.errors import DecodeTimeout, InputCorrupt
from videojob.media.decoding.clock import RunningClock
from videojob.media.decoding.corruption import Beginning, GapTracker, Loss
from videojob.media.decoding.losses import LossMarks
from videojob.media.decoding.parts import Parts, is_end
from videojob.media.decoding.view import View, Views
from videojob.media.files import sniff
from videojob.media.opening.container import Source, VideoPacket
from videojob.media.protocol.messages import DecodeGap, DecodeRequest
from videojob.media.sandbox.restrict import check_room
from videojob.video.packet_filter import Planned, keyframes, plan

Picture = tuple[int, av.VideoFrame]

_SEEK_TRIES = 6
# A demuxer that has given out more than this many times the file is going round in circles.
_ENDLESS_FACTOR = 8
_ENDLESS_SLACK_BYTES = 1 << 18


class CannotSeek(Exception):
    """Seeking does not lead to a keyframe before the segment: read from the start of the file instead."""


class SegmentReader:
    """Reads one segment.

    Args:
        source: the opened file.
        request: what to read, and whether to go on behind damage.
        on_packet: called before each packet is decoded; may raise to stop.
        selects: which pictures are asked for, when that is known from their times alone; then only what they need is
            decoded, and others may come out, too. None decodes everything.
    """

    def __init__(
        self,
        source: Source,
        request: DecodeRequest,
        on_packet: Callable[[], None],
        selects: Callable[[int], bool] | None = None,
    ) -> None:
        self._source = source
        self._info = request.info
        self._segment = request.segment
        self._skip_corrupt = request.skip_corrupt
        self._on_packet = on_packet
        self._selects = selects
        self._views = Views(request.info)
        self._interval = _interval_ticks(request)
        self._tracker = GapTracker(self._interval)
        self._beginning = Beginning(source.may_begin_anywhere)
        self._last_pts: int | None = None
        self._last_packet_pts = self._first_possible
        self._last_packet_dts: int | None = None
        self._floor_pts: int | None = None
        self._keyframes_only = request.sampling.keyframes_only
        self._parts = Parts(source)
        self._stream = source.stream
        self._bytes_left = _ENDLESS_FACTOR * self._info.size_bytes + _ENDLESS_SLACK_BYTES
        source.prepare_decoder()

    @property
    def view(self) -> View:
        """How the picture that came out last is to be looked at."""
        return self._views.view

    @property
    def gaps(self) -> tuple[DecodeGap, ...]:
        """What could not be decoded, after the last picture."""
        return tuple(self._gap(*gap) for gap in self._inside(self._tracker.gaps))

    def _inside(self, gaps: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
        """What of some gaps lies in the segment; the rest is its neighbours' to tell."""
        first, stop = self._segment.start_pts, self._segment.end_pts
        for start, end, reason in gaps:
            inside = start if first is None else max(start, first), end if stop is None else min(end, stop)
            if inside[0] < inside[1]:
                yield *inside, reason

    def _gap(self, start: int, end: int, reason: str) -> DecodeGap:
        start_ms = max(0, self._info.time_ms(start))
        return DecodeGap(start_ms, max(self._info.time_ms(end), start_ms + 1), reason)

    @property
    def _first_possible(self) -> int:
        start = self._segment.start_pts
        return self._info.start_pts if start is None else start

    def pictures(self, *, seek: bool = True) -> Iterator[Picture]:
        """(pts, picture) in presentation order; times never go back.

        Where the recording's clock starts again, it is put forward to go on behind the last picture.

        Args:
            seek: False reads from where the file stands, which is its start when it was just opened.

        Raises:
            InputCorrupt: damage inside the segment, and the request does not say to skip it.
            CannotSeek: before the first picture only.
            DecodeTimeout: the demuxer goes round in circles.
        """
        end = self._segment.end_pts
        latest: int | None = None
        for pts, picture in self._decoded(seek=seek):
            if end is not None and pts >= end:
                break
            if self._segment.contains(pts) and (picture.key_frame or not self._keyframes_only):
                # Times that a muxer counted badly: the order in which the decoder gives pictures is the right one.
                latest = pts if latest is None else max(latest, pts)
                yield latest, picture
        self._tracker.finish(self._end_of_segment())
        self._refuse_gaps()

    def _refuse_gaps(self) -> None:
        """Raises InputCorrupt where the request says to skip nothing, and a gap in the segment is certain."""
        if not self._skip_corrupt and self._tracker.has_settled:
            for start, _, reason in self._inside(self._tracker.settled):
                raise InputCorrupt(reason, uri=self._info.uri, time_ms=max(0, self._info.time_ms(start)))

    def _decoded(self, *, seek: bool) -> Iterator[Picture]:
        start = self._segment.start_pts
        packets = self._demuxed() if start is None or not seek else self._packets_from(start)
        for planned in self._planned(packets):
            packet = planned.packet
            if packet.stream is not self._stream:
                yield from self._drained()
                self._enter(packet.stream)
            opaque, pts = packet.opaque, packet.pts
            loss = None if opaque is None else cast("Loss", opaque)
            if not packet.size and is_end(packet):
                yield from self._ended() if loss is None else self._broken_off(loss)
                continue
            is_key = packet.is_keyframe and packet.size > 0 and pts is not None
            if loss is not None:
                self._missing(loss)
            if planned.is_fresh or (is_key and self._tracker.is_open and not packet.is_corrupt):
                yield from self._drained()
            if is_key or loss is not None or self._tracker.start is not None:
                self._track(packet, loss, is_key=is_key)
            frames = self._decode(packet)
            if is_key and pts is not None:
                self._views.keyframe(pts, self._stream.codec_context)
            for frame in frames:
                time = self._time_of(frame)
                if self._is_sound(time, frame):
                    yield time, frame
        yield from self._drained()
        self._parts.close()

    def _ended(self) -> Iterator[Picture]:
        """What the decoder still holds of a part of the file; where the next one overlaps it, up to the first hole."""
        held = self._held()
        if self._parts.overlaps and self._selects is None:
            times = [self._last_pts, *map(self._source.time_of, held)]
            whole = itertools.takewhile(lambda pair: not self._is_hole(*pair), itertools.pairwise(times))
            held = held[: sum(1 for _ in whole)]
        yield from self._sound(held)

    def _is_hole(self, before: int | None, pts: int | None) -> bool:
        return before is not None and pts is not None and 2 * (pts - before) > 3 * self._interval

    def _broken_off(self, loss: Loss) -> Iterator[Picture]:
        """What the decoder still holds of a part of the file whose rest is lost."""
        held = self._held()
        before = self._last_pts
        for pts in (self._source.time_of(frame) for frame in held):
            # One that is presented before others that came may follow them.
            if before is not None and self._is_hole(before, pts):
                self._lost(before + self._interval, loss.reason)
                break
            before = pts
        yield from self._sound(held)
        self._lost(min(self._behind_packets(), self._behind_sound()), loss.reason)

    def _enter(self, stream: VideoStream) -> None:
        """Packets of another part of the file come from here on."""
        self._stream = stream
        if self._parts.overlaps:
            counted = self._tracker.last_pts if self._selects is None else None
            self._floor_pts = self._last_packet_pts if counted is None else counted
        self._parts.entered(stream)
        self._source.prepare_decoder(stream)

    def _track(self, packet: VideoPacket, loss: Loss | None, *, is_key: bool) -> None:
        """Takes down what a packet that is about to be decoded says of gaps."""
        pts = packet.pts
        if is_key and pts is not None:
            self._beginning.keyframe(pts)
            if self._segment.start_pts is None:
                self._tracker.begins_at = self._beginning.keyframe_at
        if loss is not None and loss.is_torn:
            self._lost(self._next_pts() if pts is None else pts, loss.reason)
        elif pts is not None and is_key:
            self._tracker.keyframe(pts, is_entry=not self._tracker.is_open or self._source.is_entry(packet))
        elif pts is not None:
            self._tracker.packet(pts)

    def _planned(self, packets: Iterator[VideoPacket]) -> Iterator[Planned[VideoPacket]]:
        """What is to be decoded, the decoder set for each packet."""
        if self._keyframes_only and self._source.has_presentation_times:
            return keyframes(packets, self._source.stands_alone, self._segment.end_pts, self._left_out)
        if self._selects is None or not self._source.has_presentation_times:
            # Without times of presentation, which picture a packet holds is known once it is decoded.
            return map(Planned, packets)
        return self._chosen(packets, self._selects)

    def _chosen(self, packets: Iterator[VideoPacket], selects: Callable[[int], bool]) -> Iterator[Planned[VideoPacket]]:
        """What the pictures that are asked for need."""
        contains, end_pts = self._segment.contains, self._segment.end_pts
        is_entry, left_out = self._source.is_entry, self._left_out
        chosen = plan(packets, lambda pts: contains(pts) and selects(pts), is_entry, end_pts, left_out)
        for planned in chosen:
            context = planned.packet.stream.codec_context
            context.skip_frame = "DEFAULT" if planned.is_selected else "NONREF"
            yield planned

    def _left_out(self, packet: VideoPacket) -> None:
        """A packet that is not decoded may still tell that others, and keyframes among them, are missing."""
        loss = cast("Loss | None", packet.opaque)
        if loss is not None:
            self._missing(loss)
        self._note_times(packet)

    def _sound(self, frames: list[av.VideoFrame]) -> Iterator[Picture]:
        """The pictures outside gaps, with their times."""
        for frame in frames:
            pts = self._time_of(frame)
            if self._is_sound(pts, frame):
                yield pts, frame

    def _is_sound(self, pts: int, frame: av.VideoFrame) -> bool:
        """Whether a picture lies outside gaps and overlaps; raises InputCorrupt as `_refuse_gaps` does."""
        if self._floor_pts is not None and pts <= self._floor_pts:
            return False
        self._views.see(pts, frame)
        if frame.is_corrupt:
            self._lost(pts, "a picture is damaged")
        is_admitted = self._tracker.admits(pts)
        if self._tracker.gaps or not is_admitted:
            self._refuse_gaps()
        return is_admitted

    def _time_of(self, frame: av.VideoFrame) -> int:
        pts = self._source.time_of(frame)
        if pts is None:
            pts = self._next_pts()
        self._last_pts = pts
        return pts

    def _note_times(self, packet: VideoPacket) -> None:
        if packet.pts is not None:
            self._last_packet_pts = max(self._last_packet_pts, packet.pts)
        self._last_packet_dts = packet.dts

    def _behind_sound(self) -> int:
        """When the first picture may be missing behind those that came out; none is presented before it is decoded."""
        counted, decoded = self._tracker.last_pts, self._last_packet_dts
        known = [pts for pts in (counted, decoded) if pts is not None]
        return max(known, default=self._last_packet_pts) + self._interval

    def _behind_packets(self) -> int:
        return self._last_packet_pts + self._interval

    def _next_pts(self) -> int:
        return self._first_possible if self._last_pts is None else self._last_pts + self._interval

    def _decode(self, packet: VideoPacket) -> list[av.VideoFrame]:
        pts = packet.pts
        if packet.size:
            self._note_times(packet)
        error: av.FFmpegError | None = None
        try:
            frames = self._source.decode(packet)
            if not self._source.complaints.messages:
                return frames
            complaint = self._source.complaints.of_damage()
        except av.FFmpegError as this:
            frames, error, complaint = [], this, f"a packet cannot be decoded: {this.strerror}"
        if complaint:
            self._lost(self._next_pts() if pts is None else pts, complaint, error)
        return frames

    def _drained(self) -> Iterator[Picture]:
        """The same as pictures."""
        yield from self._sound(self._held())

    def _held(self) -> list[av.VideoFrame]:
        """What the decoder still holds; it then starts again."""
        context = self._stream.codec_context
        try:
            frames = context.decode(None)
        except av.FFmpegError as error:
            check_room(self._info.width * self._info.height, error)
            # It has been drained already, or more of the damage that opened a gap shows.
            frames = []
        context.flush_buffers()
        return frames

    def _lost(self, pts: int, reason: str, error: av.FFmpegError | None = None) -> None:
        """The picture at `pts` is damaged; in a neighbour of the segment, too, as it may be referred to from here."""
        check_room(self._info.width * self._info.height, error)
        if self._is_damage(pts):
            self._tracker.begin(pts, reason)

    def _missing(self, loss: Loss) -> None:
        """Pictures may be gone before the packet that comes."""
        if loss.since is not None and self._is_damage(loss.since):
            (self._tracker.begin if loss.is_certain else self._tracker.lose)(loss.since, loss.reason)

    def _is_damage(self, pts: int) -> bool:
        return self._segment.start_pts is not None or self._beginning.is_damage(pts)

    def _end_of_segment(self) -> int:
        if self._segment.end_pts is not None:
            return self._segment.end_pts
        declared = self._info.start_pts + int(Fraction(self._info.duration_ms, 1000) / self._info.time_base)
        return max(declared, self._behind_packets() + self._parts.missing_ticks)

    def _packets_from(self, start: int) -> Iterator[VideoPacket]:
        """Packets from the last keyframe at or before `start`, as far as seeking finds it, and on."""
        step = max(1, int(1 / self._info.time_base))
        target = start
        for attempt in range(_SEEK_TRIES):
            try:
                self._source.container.seek(target, stream=self._source.stream)
            except av.FFmpegError as error:
                raise CannotSeek from error
            packets = self._demuxed()
            first = next((packet for packet in packets if packet.is_keyframe and packet.size), None)
            if first is not None and first.pts is not None and first.pts <= start:
                # Damage that was stepped over on the way here is none of this segment's.
                if not first.is_corrupt:
                    first.opaque = None
                return itertools.chain((first,), packets)
            target -= step * 4**attempt
        raise CannotSeek

    def _demuxed(self) -> Iterator[VideoPacket]:
        """Packets, the empty one included that makes the decoder give out its last pictures.

        One that is damaged, or comes behind damage to the container, carries its `Loss`.
        """
        packets, stream = self._parts.packets(), self._source.stream
        clock = RunningClock(self._interval, max(1, int(1 / self._info.time_base)))
        clock.has_pts = self._source.has_presentation_times
        marks = LossMarks(self._source, self._interval, self._first_possible)
        complaints, parts = self._source.complaints, self._parts
        is_broken = False
        for packet in packets:
            has_entered = packet.stream is not stream
            if has_entered:
                stream = packet.stream
                missing = max(parts.missing_ticks, self._interval) if is_broken else 0
                clock.join(missing, is_same=parts.overlaps)
            # The Matroska demuxer only logs the damage that it steps over. Others tell it, or log what is none.
            words = complaints.take(sniff.MATROSKA) if complaints.messages and not is_end(packet) else None
            clock.run_on(packet)
            if has_entered:
                marks = LossMarks(self._source, self._interval, packet.pts or packet.dts or 0, parts.start)
            is_broken = packet.opaque is not None
            if not is_broken:
                marks.mark(packet, words or parts.complaint, is_certain=bool(parts.complaint))
            # Most packets may be left out of decoding: all count.
            self._on_packet()
            self._bytes_left -= packet.size
            if self._bytes_left < 0:
                raise DecodeTimeout("the container returns the same data again and again", uri=self._info.uri)
            yield packet


def _interval_ticks(request: DecodeRequest) -> int:
    rate, time_base = request.info.frame_rate, request.info.time_base
    return max(1, round(1 / rate / time_base)) if rate else 1
