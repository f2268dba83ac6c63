"""Videos whose pictures change their size, shape or orientation in the middle: several encoders, one stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

from support.videos import Spec, configure, encoder_options, pictures

_PAUSE_FRAMES = 3


def write_changing(path: Path, parts: Sequence[Spec], *, metadata: Sequence[str] = ()) -> Path:
    """Encodes parts one after another into one stream; the container's header names the first only.

    Args:
        path: its suffix names the container. Of H.264 and HEVC the headers must lie in the stream: MPEG-TS.
        parts: of one codec, rate and time base.
        metadata: for each part, a bitstream filter that is put over its packets; "" for none.
    """
    with av.open(str(path), "w", options=parts[0].mux_options) as container:
        first = parts[0]
        stream = container.add_stream(first.codec, rate=first.rate, options=encoder_options(first))
        assert isinstance(stream, VideoStream)
        configure(stream, first)
        time_base = first.time_base or 1 / (first.rate * 512)
        offset = 0
        for number, part in enumerate(parts):
            name = metadata[number] if metadata else ""
            for packet in _filtered(_encoded(part), name, part):
                assert packet.pts is not None
                assert packet.dts is not None
                packet.stream, packet.time_base = stream, time_base
                packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                container.mux(packet)
            # A pause: a part's first picture that is decoded later than shown must not come before the part.
            offset += round((part.frames + _PAUSE_FRAMES) / part.rate / time_base)
    return path


def _encoded(part: Spec) -> Iterator[av.Packet[VideoStream]]:
    """Packets of one part, by an encoder of its own."""
    with av.open("/dev/null", "w", format="null") as nowhere:
        stream = nowhere.add_stream(part.codec, rate=part.rate, options=encoder_options(part))
        assert isinstance(stream, VideoStream)
        configure(stream, part)
        for frame in [*pictures(part), None]:
            yield from stream.encode(frame)


def _filtered(packets: Iterator[av.Packet[VideoStream]], name: str, part: Spec) -> Iterator[av.Packet[VideoStream]]:
    if not name:
        yield from packets
        return
    with av.open("/dev/null", "w", format="null") as nowhere:
        stream = nowhere.add_stream(part.codec, rate=part.rate)
        assert isinstance(stream, VideoStream)
        configure(stream, part)
        context = BitStreamFilterContext(name, stream)
        for packet in [*packets, None]:
            yield from context.filter(packet)


def square(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Grey, with a red square: its side a quarter of the height, a quarter in from the left, an eighth from above."""
    del number
    width, height = size
    picture = np.full((height, width, 3), 90, np.uint8)
    left, top, side = width // 4, height // 8, height // 4
    picture[top : top + side, left : left + side] = (230, 20, 20)
    return picture


def red_box(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """(x_min, y_min, x_max, y_max) of what is red in a picture, (height, width, 3)."""
    signed = pixels.astype(np.int16)
    rows, columns = np.nonzero((signed[..., 0] - signed[..., 1]) > 70)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
