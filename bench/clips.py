"""The measured videos, made from a sample clip the same way every time and kept in .cache/bench.

`small` is the sample itself (640x272, H.264 High with B-frames), its packets repeated. `1080p` and `4k` are its
pictures scaled up, mirrored at the bottom edge to fill the height, with film grain from a fixed seed so that the bit
rate is that of camera footage, encoded by x264 with a keyframe every two seconds, then repeated likewise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "bench"
SAMPLE = ROOT / ".cache" / "samples" / "bikes.mp4"
SAMPLE_FRAMES = 250
FRAMES_PER_S = 25

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Size:
    """How a clip is made of the sample.

    Attributes:
        width, height: in pixels; None takes the sample's own packets.
        preset: x264's.
    """

    width: int | None = None
    height: int | None = None
    preset: str = "medium"


SIZES = {"small": Size(), "1080p": Size(1920, 1080), "4k": Size(3840, 2160, "veryfast")}
_RECIPE = 1  # counts up when a clip of the same name would come out differently
_KEYFRAME_EVERY = 2 * FRAMES_PER_S
_QUALITY = "23"
_GRAIN_SIGMA = 4.0
_GRAIN_MARGIN = 64


def clip(name: str, loops: int) -> Path:
    """The clip of this name, `loops` times the sample's 250 frames long; made when it is not there.

    Raises:
        FileNotFoundError: the sample is not installed.
    """
    if not SAMPLE.is_file():
        raise FileNotFoundError("no sample video: run `make setup` (or scripts/samples) first")
    path = FOLDER / f"{name}-{loops}x-v{_RECIPE}.mp4"
    if not path.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        _repeat(_once(name), path, loops)
    return path


def frames_in(loops: int) -> int:
    """How many frames a clip has."""
    return SAMPLE_FRAMES * loops


def _once(name: str) -> Path:
    size = SIZES[name]
    if size.width is None or size.height is None:
        return SAMPLE
    path = FOLDER / f"{name}-once-v{_RECIPE}.mp4"
    if not path.is_file():
        unfinished = path.with_suffix(".part.mp4")
        _encode(_enlarged(size.width, size.height), unfinished, size)
        unfinished.replace(path)
    return path


def _pictures() -> Iterator[Picture]:
    """The sample's pictures, (height, width, 3) BGR."""
    with av.open(str(SAMPLE)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def _enlarged(width: int, height: int) -> Iterator[Picture]:
    random = np.random.default_rng(0)
    grain = random.normal(0.0, _GRAIN_SIGMA, (height + _GRAIN_MARGIN, width + _GRAIN_MARGIN, 1)).astype(np.float32)
    for picture in _pictures():
        inner = round(picture.shape[0] * width / picture.shape[1])
        large = cv2.resize(picture, (width, inner), interpolation=cv2.INTER_CUBIC)
        full = np.concatenate([large, large[inner - (height - inner) :][::-1]])
        top, left = random.integers(0, _GRAIN_MARGIN, 2)
        noisy = full + grain[top : top + height, left : left + width]
        yield np.clip(noisy, 0, 255).astype(np.uint8)


def _encode(pictures: Iterator[Picture], path: Path, size: Size) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_S)
        if size.width is None or size.height is None:
            raise ValueError("only a picture of a known size can be encoded")
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        stream.options = {"preset": size.preset, "crf": _QUALITY, "g": str(_KEYFRAME_EVERY), "sc_threshold": "0"}
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_S)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _repeat(source: Path, target: Path, loops: int) -> None:
    """The packets of the source, `loops` times one behind the other."""
    unfinished = target.with_suffix(".part.mp4")
    with av.open(str(unfinished), "w") as out:
        stream: VideoStream | None = None
        for loop in range(loops):
            with av.open(str(source)) as container:
                template = container.streams.video[0]
                if stream is None:
                    stream = out.add_stream_from_template(template)
                if template.time_base is None:
                    raise ValueError(f"{source.name} does not say how long its ticks are")
                shift = round(Fraction(SAMPLE_FRAMES * loop, FRAMES_PER_S) / template.time_base)
                for packet in container.demux(template):
                    if packet.size and packet.pts is not None and packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        out.mux(packet)
    unfinished.replace(target)
