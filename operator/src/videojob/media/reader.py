"""The pictures of one segment, in presentation order. Runs in the decoder process only."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from videojob.planning.video import Segment


def pictures(container: InputContainer, stream: VideoStream, segment: Segment) -> Iterator[tuple[int, av.VideoFrame]]:
    """(pts, picture) of every picture of the segment.

    Decoding starts at the keyframe at or before the segment's start and runs on past its end until a picture at or
    behind the end appears: pictures that precede the next keyframe in time may follow it in the file.
    """
    for packet in _packets(container, stream, segment):
        for frame in stream.decode(packet):
            pts = frame.pts if frame.pts is not None else frame.dts
            if pts is None:
                continue
            if segment.end_pts is not None and pts >= segment.end_pts:
                return
            if segment.contains(pts):
                yield pts, frame


def _packets(container: InputContainer, stream: VideoStream, segment: Segment) -> Iterator[Packet]:
    if segment.start_pts is not None:
        container.seek(segment.start_pts, stream=stream)
    return container.demux(stream)
