"""Files with several video streams, and files that are several files: made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from support.videos import Spec, numbered_picture, write_video

Draw = Callable[[int, tuple[int, int]], NDArray[np.uint8]]
_TICK = Fraction(1, 90_000)


def with_streams(
    path: Path, *streams: tuple[str, int, int], default: int | None = None, size: tuple[int, int] = (160, 96),
    draw: Draw = numbered_picture,
) -> Path:  # fmt: skip
    """A file with a video stream for each (codec, pictures, first number); `default` is the one that players show."""
    with av.open(str(path), "w") as container:
        made = []
        for codec, frames, first in streams:
            stream = container.add_stream(codec, rate=25)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24" if codec == "png" else "yuv420p"
            stream.codec_context.gop_size = 10
            stream.codec_context.thread_count = 1
            made.append((stream, frames, first))
        if default is not None:
            for stream, _, _ in made:
                stream.disposition = Disposition.default if stream.index == default else Disposition(0)
        container.start_encoding()
        packets = []
        for stream, frames, first in made:
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(draw(first + number, size), format="rgb24")
                frame = frame.reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                packets += stream.encode(frame)
            packets += stream.encode(None)
        # Side by side, as a recorder writes them.
        packets.sort(key=lambda packet: (packet.dts or 0) * (packet.time_base or _TICK))
        for packet in packets:
            container.mux(packet)
    return path


def numbered_from(first: int, spec: Spec) -> Spec:
    """The same video with other numbers in its pictures, or as many pictures later of what it draws."""
    draw = spec.draw or numbered_picture
    return replace(spec, draw=lambda number, size: draw(first + number, size))


def joined(path: Path, *specs: Spec) -> Path:
    """Whole documents, one behind the other, as `cat` makes them; their pictures are numbered through."""
    first, data = 0, b""
    for number, spec in enumerate(specs):
        piece = write_video(path.with_name(f"{number}_{path.name}"), numbered_from(first, spec))
        data += piece.read_bytes()
        first += spec.frames
    path.write_bytes(data)
    return path


def on_pid(pid: int, spec: Spec, begins_s: int = 0) -> Spec:
    """The video of a transport stream in a stream of this number, with times from `begins_s` on."""
    options = {"mpegts_start_pid": str(pid), "pat_period": "0.2"}
    return replace(spec, mux_options=options, pts=lambda number: (number + begins_s * 25) * 512)
