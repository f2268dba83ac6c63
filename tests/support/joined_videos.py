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

from support.damaged_streams import begins, packets_of, program
from support.videos import Spec, numbered_picture, write_video

Draw = Callable[[int, tuple[int, int]], NDArray[np.uint8]]
_TICK = Fraction(1, 90_000)
_TABLES = (0, 0x11, 0x1000)
_FIRST_S, _FRAMES, _BEGINS, _TABLE_EVERY = 1, 50, 30, 5


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


def overlapping(path: Path, change_at: int, *, other_begins_s: int | None = None) -> Path:
    """A transport stream of 80 pictures, one after the other, 0 to 49 under one PID and 30 to 79 under another.

    Args:
        path: of the file.
        change_at: the picture from which on the programme's table lists the second PID in the place of the first; it
            never does behind the last.
        other_begins_s: when the clock of the second begins, if it has one of its own.
    """
    one = _by_picture(path, 256, 0, _FIRST_S * 25)
    two = _by_picture(path, 400, _BEGINS, _FIRST_S * 25 + _BEGINS if other_begins_s is None else other_begins_s * 25)
    packets: list[bytes] = []
    for number in range(_BEGINS + _FRAMES):
        if number % _TABLE_EVERY == 0:
            packets += _tables(one[0] if number < change_at else two[0])
        packets += _media(one[number]) if number < _FRAMES else []
        packets += _media(two[number - _BEGINS]) if number >= _BEGINS else []
    path.write_bytes(b"".join(_counted(packets)))
    return path


def _by_picture(path: Path, pid: int, first: int, begins_at: int) -> list[list[bytes]]:
    """The packets of a clip from one picture to the next, with the tables before it."""
    spec = replace(on_pid(pid, Spec(frames=_FRAMES)), pts=lambda number: (number + begins_at) * 512)
    data = write_video(path.with_name(f"{pid}_{path.name}"), numbered_from(first, spec)).read_bytes()
    groups: list[list[bytes]] = []
    waiting: list[bytes] = []
    for packet in packets_of(data):
        waiting.append(packet)
        if program(packet) == pid and begins(packet):
            groups.append(waiting)
        elif program(packet) == pid:
            groups[-1] += waiting if groups[-1] is not waiting else []
        if program(packet) == pid:
            waiting = []
    return groups


def _tables(packets: list[bytes]) -> list[bytes]:
    return [packet for packet in packets if program(packet) in _TABLES]


def _media(packets: list[bytes]) -> list[bytes]:
    return [packet for packet in packets if program(packet) not in _TABLES]


def _counted(packets: list[bytes]) -> list[bytes]:
    """The packets with the counters of their tables numbered through."""
    counters: dict[int, int] = {}
    counted = []
    for packet in packets:
        pid = program(packet)
        if pid in _TABLES:
            counters[pid] = (counters.get(pid, -1) + 1) % 16
            counted.append(packet[:3] + bytes([packet[3] & 0xF0 | counters[pid]]) + packet[4:])
        else:
            counted.append(packet)
    return counted
