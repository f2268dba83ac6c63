"""What a video is, from its header and a handful of packets. Runs in the decoder process only.

Never reads the whole file: one packet per possible cut, found by seeking, and the first picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import av

from videojob.errors import InputCorrupt, NoFrames
from videojob.media.containers import encryption, ogg_pages
from videojob.media.decoding.corruption import Beginning
from videojob.media.decoding.view import orientation_of
from videojob.media.files import sniff
from videojob.media.files.video_file import VideoFile
from videojob.media.opening.container import Source, VideoPacket, opened
from videojob.media.sandbox.restrict import check_room
from videojob.video.info import VideoInfo
from videojob.video.rates import short_rate

# How many packets may go by between the first keyframe and the first picture, and before a keyframe behind a seek.
_MAX_PACKETS = 500
# How much may go by before the first picture: a recording may begin long before its first keyframe.
_MAX_BYTES_BEFORE_PICTURE = 64 << 20
_RATE_PACKETS = 48
_REORDER_DEPTH = 16
_MAX_HUNTED_PACKETS = 10_000
_MAX_CUTS = 5_000
_CLOCK_SAMPLES = 32
_MOST_ABSENT_SAMPLES, _MOST_ABSENT_BYTES = 4, 64 << 20
_FAR_PTS = 1 << 62
_LEAST_RATE = Fraction(1, 10**9)


@dataclass(frozen=True, slots=True)
class _Extent:
    """How long a stream is: seconds, pictures (0 when nothing tells) and pictures per second."""

    duration_s: Fraction
    frames: int
    rate: Fraction | None


def examine(video: VideoFile, uri: str, cut_every_ms: int) -> VideoInfo:
    """Everything the planner needs to know of a video.

    Args:
        video: the file.
        uri: for messages and the result.
        cut_every_ms: how far apart possible cuts are looked for.

    Raises:
        InputError: the subclass that names what is wrong.
    """
    with opened(video, uri) as source:
        stream = source.stream
        source.prepare_decoder()
        first, start_pts = _first_picture(source, uri)
        coded_aspect = stream.codec_context.sample_aspect_ratio or Fraction(0)
        rotation_deg, is_mirrored = orientation_of(first) or (0, False)
        extent = _extent(source, start_pts)
        cuts = _cut_points(source, start_pts, extent.duration_s, cut_every_ms)
        extent = _of_all(extent, source)
        return VideoInfo(
            uri=uri,
            size_bytes=video.size_bytes(),
            demuxer=source.demuxer,
            codec=source.codec,
            pixel_format=first.format.name,
            width=first.width,
            height=first.height,
            rotation_deg=rotation_deg,
            sample_aspect=stream.sample_aspect_ratio or Fraction(1),
            time_base=source.time_base,
            start_pts=start_pts,
            duration_ms=round(extent.duration_s * 1000),
            frame_rate=extent.rate,
            frames_estimate=extent.frames or round(extent.duration_s * (extent.rate or 0)),
            cut_pts=tuple(pts for pts, _ in cuts),
            cut_bytes=() if any(at is None for _, at in cuts) else tuple(at for _, at in cuts if at is not None),
            notices=(*source.notices, *_scrambled(source), *_not_ended(source)),
            is_mirrored=is_mirrored,
            coded_aspect=coded_aspect,
        )


def _scrambled(source: Source) -> tuple[str, ...]:
    if source.demuxer != sniff.MPEG_TS:
        return ()
    with source.video.reading() as file:
        return encryption.partly_scrambled(file, source.video.size_bytes())


def _not_ended(source: Source) -> tuple[str, ...]:
    if source.demuxer != sniff.OGG:
        return ()
    with source.video.reading() as file:
        return ogg_pages.notices(file, source.video.size_bytes())


def _first_picture(source: Source, uri: str) -> tuple[av.VideoFrame, int]:
    """The first picture that decodes, and when the video begins: earlier, where pictures before it are damaged."""
    error: av.FFmpegError | None = None
    beginning = Beginning(source.may_begin_anywhere)
    damaged_at: list[int] = []
    try:
        for packet in _before_picture(source):
            time = source.packet_time(packet)
            if packet.is_keyframe and packet.size and not packet.is_discard and time is not None:
                beginning.keyframe(time)
            try:
                for frame in source.decode(packet):
                    return frame, _start(source.time_of(frame) or 0, beginning, damaged_at)
            except av.FFmpegError as this:
                error = this
                check_room(source.stream.codec_context.width * source.stream.codec_context.height, error)
                time = source.stream.start_time or 0 if time is None else time
                if beginning.is_damage(time) and not packet.is_discard:
                    damaged_at.append(time)
    except av.FFmpegError as this:
        error = this
    context = source.stream.codec_context
    check_room(context.width * context.height, error)
    if error is None:
        raise NoFrames("the video stream has no picture", uri=uri)
    raise InputCorrupt(f"no picture can be decoded: {error.strerror}", uri=uri, time_ms=0)


def _start(first_pts: int, beginning: Beginning, damaged_at: list[int]) -> int:
    """When a video begins whose first picture that decodes is at `first_pts`."""
    if not damaged_at:
        return first_pts
    keyframe_at = first_pts if beginning.keyframe_at is None else beginning.keyframe_at
    return min(first_pts, keyframe_at, *damaged_at)


def _before_picture(source: Source) -> Iterator[VideoPacket]:
    """Packets from the file's start, as many as a sound video may need to give its first picture."""
    bytes_left, packets_left = _MAX_BYTES_BEFORE_PICTURE, _MAX_PACKETS
    has_key = False
    for packet in source.packets():
        has_key = has_key or packet.is_keyframe
        bytes_left -= packet.size
        packets_left -= has_key
        if bytes_left < 0 or packets_left < 0:
            return
        yield packet


def _extent(source: Source, start_pts: int) -> _Extent:
    rate = source.stream.average_rate or source.stream.guessed_rate
    if source.demuxer in (sniff.MOV, sniff.AVI) and len(source.stream.index_entries) > 1:
        return _extent_by_index(source)
    return _extent_by_header(source, start_pts, rate)


def _of_all(extent: _Extent, source: Source) -> _Extent:
    """The same of all documents of a joined file, as far as their bytes tell."""
    if not source.is_joined():
        return extent
    times = Fraction(source.video.size_bytes(), source.end)
    return _Extent(extent.duration_s * times, round(extent.frames * times), extent.rate)


def _extent_by_index(source: Source) -> _Extent:
    """The index has an entry for every picture: it is what the demuxer goes by, whatever the header counts."""
    entries = source.stream.index_entries
    count = len(entries)
    span = (entries[-1].timestamp - entries[0].timestamp) * source.time_base
    shown = count - _cut_off(source, range(count)) - _cut_off(source, range(count - 1, -1, -1))
    if span <= 0:
        return _Extent(Fraction(0), max(shown, 1), None)
    duration_s = span * count / (count - 1)
    return _Extent(duration_s * shown / count, max(shown, 1), short_rate(count / duration_s))


def _cut_off(source: Source, places: Iterable[int]) -> int:
    """Pictures that an edit list cuts off, from one end of the index on; in decoding order others may be among them."""
    entries = source.stream.index_entries
    cut_off = shown = 0
    for place in places:
        if entries[place].is_discard:
            cut_off, shown = cut_off + 1, 0
        elif (shown := shown + 1) > _REORDER_DEPTH:
            break
    return cut_off


def _extent_by_header(source: Source, start_pts: int, rate: Fraction | None) -> _Extent:
    """The header's duration and rate, unless packets say that they are wrong."""
    stream = source.stream
    declared = (stream.duration or 0) * source.time_base or Fraction(source.container.duration or 0, av.time_base)
    latest = _latest_pts(source, start_pts, declared)
    known = (latest - start_pts) * source.time_base
    if not known < declared <= 2 * known + 60:
        declared = known + (1 / rate if rate else Fraction(0))
    measured = _measured_rate(source, start_pts, declared)
    if measured and not (rate and rate * 3 / 4 <= measured <= rate * 4 / 3):
        rate = short_rate(measured)
    return _Extent(declared, 0, rate)


def _latest_pts(source: Source, start_pts: int, declared_s: Fraction) -> int:
    """The latest presentation time that seeking finds near the end."""
    nearly_pts = start_pts + int(declared_s * 9 / 10 / source.time_base)
    # Some demuxers go to the last keyframe when asked for more than there is, others nowhere.
    for target in (_FAR_PTS, nearly_pts):
        times = [packet.pts for packet in _packets_at(source, target, _RATE_PACKETS) if packet.pts is not None]
        if times:
            return max(times)
    return start_pts


def _measured_rate(source: Source, start_pts: int, duration_s: Fraction) -> Fraction | None:
    """Pictures per second over short runs of packets at a few places; None when they tell nothing."""
    pictures, span = 0, 0
    for tenth in (0, 3, 6, 9):
        target = start_pts + int(duration_s * tenth / 10 / source.time_base)
        times = sorted(packet.pts for packet in _packets_at(source, target, _RATE_PACKETS) if packet.pts is not None)
        # Packets come in decoding order: between the last times of a run, pictures are missing.
        if len(times) == _RATE_PACKETS:
            del times[-_REORDER_DEPTH:]
        if len(times) > 1:
            pictures += len(times) - 1
            span += times[-1] - times[0]
    rate = Fraction(pictures, span) / source.time_base if span else None
    # A clock may jump by years; what lies further apart is damage.
    return rate if rate and rate > _LEAST_RATE else None


def _cut_points(
    source: Source, start_pts: int, duration_s: Fraction, every_ms: int
) -> tuple[tuple[int, int | None], ...]:
    """(presentation time, place in the file) of keyframes about every `every_ms`, without the first.

    Times and file positions must grow together: where a recording's clock starts again, a time does not name one place.
    What is joined of several documents is not cut: a demuxer finds its way in the first one only.
    Ogg and AVI with reordered pictures are not cut: the times of their pictures depend on where decoding began.
    """
    if source.demuxer == sniff.OGG or not source.has_presentation_times or not _clock_runs_on(source):
        return ()
    if source.is_joined():
        return ()
    end_pts = start_pts + int(duration_s / source.time_base)
    # A header may claim any length: the step grows with it.
    step = max(1, int(Fraction(every_ms, 1000) / source.time_base), (end_pts - start_pts) // _MAX_CUTS)
    hunt = _Hunt(source)
    found: list[tuple[int, int | None]] = []
    position = -1
    target = start_pts
    while (target := target + max(step, hunt.least_step(end_pts - target))) < end_pts:
        latest = found[-1][0] if found else start_pts
        if latest >= target:
            continue
        packet = hunt.keyframe_at(target)
        if packet is None or packet.pts is None or packet.pts <= latest:
            continue
        if packet.pos is not None:
            if packet.pos <= position:
                return ()
            position = packet.pos
        if source.is_entry(packet):
            found.append((packet.pts, packet.pos))
    return tuple(found)


def _clock_runs_on(source: Source) -> bool:
    """Whether times grow with positions; asked of transport streams, which have no index and are often joined.

    Where there is none of the video for long, it goes on in another stream, which may have a clock of its own.
    """
    if source.demuxer != sniff.MPEG_TS:
        return True
    size = source.container.size
    farthest = min(_MOST_ABSENT_BYTES, size * _MOST_ABSENT_SAMPLES // _CLOCK_SAMPLES)
    times: list[int] = []
    for part in range(_CLOCK_SAMPLES):
        place = size * part // _CLOCK_SAMPLES
        try:
            source.container.seek(place, unsupported_byte_offset=True)
            packets = islice(source.packets(), _RATE_PACKETS)
            first = next((packet for packet in packets if packet.dts is not None), None)
        except av.FFmpegError:
            return False
        if first is None or first.dts is None or (first.pos is not None and first.pos - place > farthest):
            return False
        times.append(first.dts)
    return times == sorted(times)


class _Hunt:
    """Looks for keyframes, and gives up for good when it has read too many packets in vain.

    Where seeking leads past keyframes instead of to them, finding all would mean reading the whole file. So a long one
    is looked at in fewer places, but from its beginning to its end.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._packets_left = _MAX_HUNTED_PACKETS
        self._hunts = 0

    def least_step(self, rest_pts: int) -> int:
        """How far apart the next looks must be to get through the rest with what may still be read."""
        if not self._hunts:
            return 0
        cost = Fraction(_MAX_HUNTED_PACKETS - self._packets_left, self._hunts)
        return math.ceil(rest_pts * cost / self._packets_left) if self._packets_left else rest_pts

    def keyframe_at(self, pts: int) -> VideoPacket | None:
        """The keyframe that seeking to `pts` leads to; None when there is none, or it cannot be read."""
        self._hunts += 1
        for packet in _packets_at(self._source, pts, min(_MAX_PACKETS, self._packets_left)):
            if packet.is_keyframe and packet.size:
                return packet
            self._packets_left -= 1
        return None


def _packets_at(source: Source, pts: int, limit: int) -> Iterator[VideoPacket]:
    """Up to `limit` packets from where seeking to `pts` leads; none when it leads nowhere."""
    try:
        source.container.seek(pts, stream=source.stream)
        yield from islice(source.packets(), limit)
    except av.FFmpegError:
        # Damage there: the decoder names it when it reads that stretch; here it only means that nothing is known.
        return
