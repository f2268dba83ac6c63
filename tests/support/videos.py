"""Small videos of every odd kind, encoded on the spot. Each picture carries its number, readable after lossy coding."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

_BITS = 12


@dataclass(frozen=True, slots=True)
class Spec:
    """What to encode. The defaults are an ordinary small H.264 clip.

    Attributes:
        codec, options, gop, pixel_format: the encoder's.
        size: (width, height) as coded.
        frames, rate: how many, per second.
        pts: ticks of `time_base` for picture n; None means n / rate.
        time_base: None means 1 / (rate * 512), as an MP4 muxer would take it.
        rotation_deg: clockwise turn that a player must apply.
        sample_aspect: of a pixel. interlaced: encode fields.
        full_range, colorspace: as FFmpeg numbers them. mux_options: the muxer's.
    """

    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    gop: int = 10
    pixel_format: str = "yuv420p"
    size: tuple[int, int] = (160, 96)
    frames: int = 60
    rate: Fraction = Fraction(25)
    pts: Callable[[int], int] | None = None
    time_base: Fraction | None = None
    rotation_deg: int = 0
    sample_aspect: Fraction | None = None
    interlaced: bool = False
    full_range: bool = False
    colorspace: int | None = None
    mux_options: dict[str, str] = field(default_factory=dict)
    draw: Callable[[int, tuple[int, int]], NDArray[np.uint8]] | None = None


def numbered_picture(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(height, width, 3) RGB: the number as black and white squares on top, a moving pattern below."""
    width, height = size
    x, y = np.arange(width), np.arange(height)[:, None]
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = (x * 2 + number * 5) % 200 + 20
    picture[..., 1] = (y * 2 + number * 3) % 200 + 20
    # By the sum of x and y, which is worked out once for each: pictures of 4K are drawn ten times as fast.
    diagonal = ((np.arange(width + height - 1) + number * 7) % 200 + 20).astype(np.uint8)
    picture[..., 2] = np.lib.stride_tricks.sliding_window_view(diagonal, width)
    side = width // _BITS
    for bit in range(_BITS):
        picture[: height // 3, bit * side : (bit + 1) * side] = 235 if number >> bit & 1 else 16
    return picture


def picture_number(pixels: NDArray[np.uint8]) -> int:
    """The number in a picture of any size, (height, width, 3)."""
    height, width = pixels.shape[:2]
    number = 0
    for bit in range(_BITS):
        centre = int((bit + 0.5) * (width // _BITS * _BITS) / _BITS)
        number |= int(pixels[height // 6, centre].mean() > 128) << bit
    return number


def write_video(path: Path, spec: Spec | None = None, *, audio: bool = False) -> Path:
    """Encodes a video; the container follows from the path's suffix."""
    spec = spec or Spec()
    container = av.open(str(path), "w", options=spec.mux_options)
    with _usual_scheduling(), container:
        stream = container.add_stream(spec.codec, rate=spec.rate, options=encoder_options(spec))
        assert isinstance(stream, VideoStream)
        configure(stream, spec)
        sound = container.add_stream("aac", rate=48_000) if audio else None
        for frame in pictures(spec):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 48_000
            for packet in sound.encode(silence) + sound.encode(None):
                container.mux(packet)
    return path


@contextmanager
def _usual_scheduling() -> Iterator[None]:
    """SVT-AV1 makes its caller's thread a real-time one where it may, as for root: all that starts from it later would
    starve the machine.
    """
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


def write_repeated(path: Path, spec: Spec, times: int) -> Path:
    """One video again and again in one file, encoded once: hours in a second. Without reordered pictures."""
    with av.open(str(path), "w", options=spec.mux_options) as container:
        stream = container.add_stream(spec.codec, rate=spec.rate, options=encoder_options(spec))
        assert isinstance(stream, VideoStream)
        configure(stream, spec)
        once = [packet for frame in [*pictures(spec), None] for packet in stream.encode(frame)]
        time_base = spec.time_base or 1 / (spec.rate * 512)
        length = round(spec.frames / spec.rate / time_base)
        for turn in range(times):
            for packet in once:
                assert packet.pts is not None
                copy = av.Packet(bytes(packet))
                copy.stream, copy.time_base, copy.is_keyframe = stream, time_base, packet.is_keyframe
                copy.pts = copy.dts = packet.pts + turn * length
                container.mux(copy)
    return path


def encoder_options(spec: Spec) -> dict[str, str]:
    """With its macroblock tree, x264 now and then writes other bytes, even in one thread: a test would not repeat."""
    return {"mbtree": "0", **spec.options} if spec.codec == "libx264" else spec.options


def configure(stream: VideoStream, spec: Spec) -> None:
    """Sets up an encoder."""
    context = stream.codec_context
    context.width, context.height = spec.size
    context.pix_fmt = spec.pixel_format
    context.gop_size = spec.gop
    context.thread_count = 1
    context.time_base = spec.time_base or 1 / (spec.rate * 512)
    if spec.sample_aspect is not None:
        context.sample_aspect_ratio = spec.sample_aspect
    if spec.full_range:
        context.color_range = 2
    if spec.colorspace is not None:
        context.colorspace = spec.colorspace
    if spec.rotation_deg:
        stream.set_display_rotation(-spec.rotation_deg)


def pictures(spec: Spec) -> Iterator[av.VideoFrame]:
    """What is encoded, each with its time."""
    time_base = spec.time_base or 1 / (spec.rate * 512)
    draw = spec.draw or numbered_picture
    reformatter = VideoReformatter()  # one for all: to set up its tables takes longer than to convert a small picture
    for number in range(spec.frames):
        source = av.VideoFrame.from_ndarray(draw(number, spec.size), format="rgb24")
        frame = reformatter.reformat(
            source,
            format=spec.pixel_format,
            dst_color_range="JPEG" if spec.full_range else "MPEG",
            dst_colorspace=spec.colorspace,
        )
        frame.pts = spec.pts(number) if spec.pts else round(number / spec.rate / time_base)
        frame.time_base = time_base
        yield frame
