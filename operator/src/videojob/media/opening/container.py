"""Opening a file that comes from outside. Runs in the decoder process only.

The demuxer is pinned by the file's first bytes, only the `file` protocol exists, references to other files are not
followed, and a picture larger than the limit is refused from the header, before a decoder allocates anything for it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, TypeAlias, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from videojob.errors import InputContainerInvalid, InputError, NoVideoStream
from videojob.media.containers import declared, encryption, h264, hevc, joins, structure
from videojob.media.containers.limits import MAX_PIXELS, check_size
from videojob.media.containers.structure import Outline
from videojob.media.files import sniff
from videojob.media.files.video_file import FFMPEG_BUFFER_BYTES, VideoFile
from videojob.media.files.window import Window
from videojob.media.opening import streams
from videojob.media.opening.complaints import Complaints, collected
from videojob.media.sandbox.restrict import check_room

VideoPacket: TypeAlias = "Packet[VideoStream]"

# Damaged pictures of other codecs are marked as such by their decoders; these tell only when asked to give up on it.
# The H.264 decoder must not be asked: it then refuses sound pictures behind a seek to an open group of pictures.
_STRICT_CODECS = ("hevc", "mjpeg")
_REORDERED_CODECS = ("h264", "hevc")
_DEMUXER_OPTIONS = {
    "protocol_whitelist": "file",
    # Only as many packets as it takes to learn the stream's parameters are read.
    "probesize": "5000000",
    "analyzeduration": "5000000",
    "max_streams": "64",
    "max_pixels": str(MAX_PIXELS),
}
_TS_PID, _TS_HEADER_BYTES = 0x1FFF, 4
_PER_DEMUXER = {
    sniff.MOV: {"enable_drefs": "0", "use_absolute_path": "0"},
}


@dataclass(frozen=True, slots=True)
class Part:
    """A document within a file, opened.

    Attributes:
        container, stream: FFmpeg's; every stream but this one is switched off.
        start, end: where it lies in the file, in bytes.
        is_cut_short: it declares more bytes than the file has.
        outline: what its outermost structure says.
    """

    container: InputContainer
    stream: VideoStream
    start: int
    end: int
    is_cut_short: bool
    outline: Outline


@dataclass(frozen=True, slots=True)
class Source:
    """An opened file.

    Attributes:
        container, stream: FFmpeg's; every stream but this one is switched off.
        demuxer: its name, see `sniff`.
        time_base: seconds per tick of the stream.
        is_cut_short: the container declares more bytes than the file has.
        has_presentation_times: whether packets carry times of presentation. AVI has none: for reordered codecs FFmpeg's
            guess is wrong.
        outline: of the first document, see `Part`.
        complaints: what FFmpeg logs while the file is open.
        video: the file itself.
        end: where the file's first document ends, which is what `container` reads; others may follow.
        uri: of the video, for messages.
        notices: sentences that a person should read, such as that another video stream is left out.
    """

    container: InputContainer
    stream: VideoStream
    demuxer: str
    time_base: Fraction
    is_cut_short: bool
    has_presentation_times: bool
    outline: Outline
    complaints: Complaints
    video: VideoFile
    end: int
    uri: str
    notices: tuple[str, ...] = ()

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec, whichever decoder is used for it."""
        return self.stream.codec_context.codec.canonical_name

    def is_joined(self) -> bool:
        """Whether other documents follow the first one, as far as was seen until now."""
        size = self.video.size_bytes()
        if self.complaints.has_joined or self.is_cut_short or self.end >= size:
            return self.complaints.has_joined
        with self.video.reading() as file:
            return joins.next_document(file, self.end, size, self.demuxer) is not None

    @property
    def may_begin_anywhere(self) -> bool:
        """Whether a sound file of this kind may begin between two keyframes, as a recorded broadcast does."""
        return self.demuxer == sniff.MPEG_TS

    def prepare_decoder(self, stream: VideoStream | None = None) -> None:
        """Makes a decoder, by default that of the first document, tell of damage, without threads of its own; call
        before the first packet is decoded.
        """
        context = (stream or self.stream).codec_context
        context.thread_count = 1
        detect = "crccheck+explode" if context.codec.canonical_name in _STRICT_CODECS else "crccheck"
        context.options = {"err_detect": detect, "max_pixels": str(MAX_PIXELS)}

    def packets(self, part: Part | None = None) -> Iterator[VideoPacket]:
        """Packets from where the file stands, at last the empty one that ends the stream; of the first document, or of
        another part.

        Raises:
            av.FFmpegError: the demuxer gives up.
            InputUnavailable: the file's bytes could not be read.
        """
        packets = self.container.demux(self.stream) if part is None else part.container.demux(part.stream)
        check = self.video.check
        # PyAV stumbles at the end over streams that appeared on the way, as they do in FLV and MPEG-TS.
        with suppress(IndexError):
            for packet in packets:
                check()
                yield packet
        check()

    def decode(self, packet: VideoPacket) -> list[av.VideoFrame]:
        """The pictures that come out when a packet goes in.

        Raises:
            av.FFmpegError: it cannot be decoded.
        """
        stream = packet.stream
        if self.complaints.messages:
            self.complaints.forget()
        try:
            return stream.decode(packet)
        except av.FFmpegError:
            broken = (
                self.complaints.broken_unit()
                if packet.size and stream.codec_context.codec.canonical_name == "hevc"
                else None
            )
            if broken is None:
                raise
            rest = hevc.without_messages(bytes(packet), stream.codec_context.extradata, broken)
            if rest is None:
                raise
            self.complaints.forget()
            return stream.decode(_copied(packet, rest)) if rest else []

    def is_entry(self, packet: VideoPacket) -> bool:
        """Whether decoding can begin at a packet without losing a picture that is presented behind it."""
        if not packet.is_keyframe or packet.is_corrupt:
            return False
        context = packet.stream.codec_context
        return context.codec.canonical_name != "h264" or h264.is_clean_entry(bytes(packet), context.extradata)

    def stands_alone(self, packet: VideoPacket) -> bool:
        """Whether a packet is a keyframe whose picture can be decoded without any other."""
        if not packet.is_keyframe:
            return False
        context = packet.stream.codec_context
        return context.codec.canonical_name != "h264" or not h264.recovers_later(bytes(packet), context.extradata)

    def packet_time(self, packet: VideoPacket) -> int | None:
        """When the packet's picture is presented, by the same clock as `time_of`; None when nothing tells."""
        if self.has_presentation_times and packet.pts is not None:
            return packet.pts
        return packet.dts

    def time_of(self, picture: av.VideoFrame) -> int | None:
        """The picture's time of presentation; None when nothing tells."""
        pts = picture.pts if self.has_presentation_times else None
        return picture.dts if pts is None else pts


def _copied(packet: VideoPacket, data: bytes) -> VideoPacket:
    """Other bytes at the packet's place."""
    copy = cast("VideoPacket", Packet(data))
    copy.stream, copy.time_base = packet.stream, packet.time_base
    copy.pts, copy.dts, copy.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
    return copy


@contextmanager
def opened(video: VideoFile, uri: str) -> Iterator[Source]:
    """The container and its video stream, closed at the end.

    Raises:
        InputNotFound, InputUnavailable: its bytes cannot be read.
        InputNotVideo, FormatNotAllowed: see `sniff.demuxer_for`.
        InputContainerInvalid: the demuxer cannot make sense of it, its header declares more than the file can hold, or
            there is no decoder for what is in it.
        InputEncrypted: its pictures are.
        NoVideoStream: there is no picture in it, or only a cover picture.
        ResolutionLimitExceeded: the header claims a picture larger than `limits.MAX_SIDE`.
    """
    try:
        with _opened(video, uri) as source:
            yield source
    finally:
        # Whatever was made of bytes that did not come: that they did not come is the reason.
        video.check()


@contextmanager
def _opened(video: VideoFile, uri: str) -> Iterator[Source]:
    demuxer = sniff.demuxer_for(video.head(uri), uri)
    with collected() as complaints:
        part = _part(video, uri, demuxer, complaints, (0, None))
        with part.container:
            time_base = part.stream.time_base or Fraction(1, av.time_base)
            notices = streams.left_out(part.stream, part.container)
            codec = part.stream.codec_context.codec.canonical_name
            yield Source(
                part.container,
                part.stream,
                demuxer,
                time_base,
                part.is_cut_short,
                not (demuxer == sniff.AVI and codec in _REORDERED_CODECS),
                part.outline,
                complaints,
                video,
                part.end,
                uri,
                notices,
            )


def next_part(source: Source, start: int, stream_id: int | None) -> Part:
    """Opens what begins at a byte of the file; whoever calls this closes its container.

    Args:
        source: the file.
        start: the byte.
        stream_id: of the video stream in it; None for the best one.

    Raises:
        InputError: see `opened`.
    """
    return _part(source.video, source.uri, source.demuxer, source.complaints, (start, stream_id))


def _part(video: VideoFile, uri: str, demuxer: str, complaints: Complaints, where: tuple[int, int | None]) -> Part:
    start, stream_id = where
    size = video.size_bytes()
    with _from(video, start) as file:
        outline = structure.check(file, size - start, demuxer, uri)
        torn = structure.torn_packet(file, size - start) if demuxer == sniff.MPEG_TS else b""
        indexes = declared.check(file, outline.end, uri) if demuxer == sniff.MOV else []
        encryption.check(file, outline.end, demuxer, indexes, uri)
        has_all_indexed = (
            demuxer == sniff.MOV and outline.is_cut_short and not structure.has_fragments(file, outline.end)
        )
    end = start + outline.end
    name = demuxer.split(",", maxsplit=1)[0]
    options = _DEMUXER_OPTIONS | {"format_whitelist": demuxer} | _PER_DEMUXER.get(demuxer, {})
    file_or_path, named = video.for_ffmpeg()
    if (start, end) != (0, size):
        file_or_path, named = Window(video.reading(), start, end), {"buffer_size": FFMPEG_BUFFER_BYTES}
    try:
        container = av.open(file_or_path, format=name, options=options, metadata_errors="replace", **named)
    except av.FFmpegError as error:
        _check_refused(complaints, uri)
        check_room(0, error)
        raise InputContainerInvalid(f"the {name} structure cannot be read: {error.strerror}", uri=uri) from error
    try:
        _check_refused(complaints, uri)
        stream = _video_stream(container, uri, stream_id)
    except InputError:
        container.close()
        raise
    is_cut_short = _reaches_behind(stream, outline.end) if has_all_indexed else outline.is_cut_short
    return Part(container, stream, start, end, is_cut_short or _is_part_of(torn, stream), outline)


def _from(video: VideoFile, start: int) -> BinaryIO:
    """The file from a byte on, as a file."""
    file = video.reading()
    return io.BufferedReader(Window(file, start, video.size_bytes())) if start else file


def _reaches_behind(stream: VideoStream, end: int) -> bool:
    """Whether a picture of an index that has them all lies behind a place, in part or whole. Where not, the file lacks
    sound alone.
    """
    entries = stream.index_entries
    return not len(entries) or any(entry.pos + entry.size > end for entry in entries)


def _is_part_of(torn: bytes, stream: VideoStream) -> bool:
    """Whether a transport stream's torn packet belongs to a stream, or may do so."""
    if len(torn) < _TS_HEADER_BYTES:
        return bool(torn)
    return int.from_bytes(torn[1:3], "big") & _TS_PID == stream.id


def _check_refused(complaints: Complaints, uri: str) -> None:
    refused = complaints.refused_size()
    if refused is not None:
        check_size(*refused, uri)


def _video_stream(container: InputContainer, uri: str, stream_id: int | None) -> VideoStream:
    candidates = [one for one in streams.ranked(container) if stream_id is None or one.id == stream_id]
    if not candidates:
        raise NoVideoStream("the container has no video stream", uri=uri)
    stream = candidates[0]
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    _check_header(stream, uri)
    return stream


def _check_header(stream: VideoStream, uri: str) -> None:
    # A codec that FFmpeg does not know has no context, against what the type stubs say.
    context: VideoCodecContext | None = stream.codec_context
    if context is None:
        raise InputContainerInvalid(
            "the video's codec is not one that can be decoded",
            uri=uri,
            hint="Transcode the video to H.264, HEVC, VP9 or AV1.",
        )
    check_size(context.width, context.height, uri)


def last_pts_before(source: Source, start_pts: int) -> int | None:
    """Presentation time of the picture before `start_pts`, from packets alone; None when seeking does not tell.

    Reads, but does not decode, the stretch between two keyframes.
    """
    latest: int | None = None
    try:
        source.container.seek(start_pts - 1, stream=source.stream)
        for packet in source.packets():
            if packet.dts is not None and packet.dts >= start_pts:
                return latest
            if packet.pts is not None and packet.pts < start_pts and not packet.is_discard:
                latest = packet.pts if latest is None else max(latest, packet.pts)
    except av.FFmpegError:
        return None
    return latest
