"""What a video is, from its header and a handful of packets. Runs in the decoder process only.

Never reads the whole file: one packet per possible cut, found by seeking.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from videojob.errors import NoFrames
from videojob.media import sniff
from videojob.media.container import opened, read_head
from videojob.planning.video import VideoInfo

_CUT_DISTANCE_S = 10


def inspect(path: Path, uri: str) -> VideoInfo:
    """Everything the planner needs to know of a video; raises InputError subclasses."""
    with opened(path, uri) as (container, stream):
        first = _first_picture(container, stream, uri)
        rate = stream.average_rate or stream.guessed_rate
        time_base = stream.time_base or Fraction(1, 1_000_000)
        duration_s = _duration_s(container, stream)
        start_pts = first.pts or 0
        cuts = _cut_points(container, stream, start_pts, int(duration_s / time_base))
        context = stream.codec_context
        return VideoInfo(
            uri=uri,
            size_bytes=path.stat().st_size,
            demuxer=sniff.demuxer_for(read_head(path, uri), uri),
            codec=context.name,
            pixel_format=context.pix_fmt or "",
            width=context.width,
            height=context.height,
            rotation_deg=-first.rotation % 360,
            sample_aspect=stream.sample_aspect_ratio or Fraction(1),
            time_base=time_base,
            start_pts=start_pts,
            duration_ms=round(duration_s * 1000),
            frame_rate=rate,
            frames_estimate=stream.frames or round(duration_s * (rate or 0)),
            cut_pts=cuts,
        )


def _first_picture(container: InputContainer, stream: VideoStream, uri: str) -> av.VideoFrame:
    for frame in container.decode(stream):
        return frame
    raise NoFrames("the video stream has no picture", uri=uri)


def _duration_s(container: InputContainer, stream: VideoStream) -> Fraction:
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    return Fraction(container.duration or 0, av.time_base)


def _cut_points(container: InputContainer, stream: VideoStream, start_pts: int, duration: int) -> tuple[int, ...]:
    """Presentation times of keyframes about every `_CUT_DISTANCE_S`, without the first."""
    step = int(_CUT_DISTANCE_S / (stream.time_base or Fraction(1)))
    found: set[int] = set()
    for target in range(start_pts + step, start_pts + duration, step):
        packet = _keyframe_at(container, stream, target)
        if packet is not None and packet.pts is not None and packet.pts > start_pts:
            found.add(packet.pts)
    return tuple(sorted(found))


def _keyframe_at(container: InputContainer, stream: VideoStream, pts: int) -> Packet | None:
    container.seek(pts, stream=stream)
    for packet in container.demux(stream):
        if packet.is_keyframe:
            return packet
    return None
