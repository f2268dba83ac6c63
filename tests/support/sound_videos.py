"""Videos whose sound goes on behind the last picture, whole or torn, made on the spot."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from support.videos import Spec, configure, encoder_options, pictures

_RATE = 48_000
_SAMPLES = 1024
_AFTER_S = 0.4


def with_sound_to_the_end(path: Path, spec: Spec) -> Path:
    """A video with noise as its sound, which ends `_AFTER_S` behind the pictures: the file's last packets are sound."""
    rng = np.random.default_rng(1)
    with av.open(str(path), "w", options=spec.mux_options) as container:
        stream = container.add_stream(spec.codec, rate=spec.rate, options=encoder_options(spec))
        assert isinstance(stream, VideoStream)
        configure(stream, spec)
        sound = container.add_stream("aac", rate=_RATE)
        packets = [packet for frame in [*pictures(spec), None] for packet in stream.encode(frame)]
        for number in range(int((float(spec.frames / spec.rate) + _AFTER_S) * _RATE / _SAMPLES)):
            samples = rng.uniform(-0.5, 0.5, (1, _SAMPLES)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = _RATE, number * _SAMPLES
            packets += sound.encode(frame)
        packets += sound.encode(None)
        packets.sort(key=lambda packet: (packet.dts or 0) * (packet.time_base or 0))
        for packet in packets:
            container.mux(packet)
    return path


def torn(path: Path, data: bytes, lost_bytes: int) -> Path:
    """A file that lacks its end."""
    path.write_bytes(data[:-lost_bytes])
    return path
