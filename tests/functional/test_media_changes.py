"""Pictures that are mirrored, or change size, shape or orientation on the way: boxes in one system of coordinates.

That is the video's display size: the first picture's, upright, with square pixels. A later picture of another size lies
in the middle of it, as large as it fits without a change of its shape, as a player shows it in a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from support.changing_videos import red_box, square, write_changing
from support.decoding import decode, decode_all, request_for
from support.videos import Spec, configure, encoder_options, pictures
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.info import Gate, Sampling
from videojob.video.segments import cut
from videojob.vision.geometry import fit
from videojob.vision.tensors import PixelInput

Box = tuple[float, float, float, float]

MS, CAMERA, BROADCAST = Fraction(1, 1000), Fraction(1, 25), Fraction(1, 90_000)
SIZE = (320, 240)
ONE = 1 << 16


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


def part(codec: str, size: tuple[int, int] = SIZE, aspect: Fraction | None = None, time_base: Fraction = MS) -> Spec:
    options = {
        "libvpx": {"cpu-used": "8", "deadline": "realtime"},
        "libvpx-vp9": {"cpu-used": "8", "deadline": "realtime"},
        "libx264": {"x264-params": "bframes=2:b-adapt=0"},
        "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"},
        "mpeg2video": {"qscale": "2", "bf": "2"},
    }.get(codec, {})
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return Spec(
        codec=codec, options=options, pixel_format=pixel_format, size=size, frames=10, time_base=time_base,
        sample_aspect=aspect, draw=square,
    )  # fmt: skip


def as_shown(spec: Spec, display: tuple[int, int]) -> Box:
    """Where the red square of `square` lies in the display size."""
    width, height = spec.size
    shown_width = width * (spec.sample_aspect or 1)
    scale = min(display[0] / shown_width, display[1] / height)
    left, top = (display[0] - shown_width * scale) / 2, (display[1] - height * scale) / 2
    across, down = (float(spec.sample_aspect or 1) * scale), scale
    x, y, side = width // 4, height // 8, height // 4
    return left + x * across, top + y * down, left + (x + side) * across, top + (y + side) * down


TURNED = "h264_metadata=display_orientation=insert:rotate=90"  # anticlockwise
FLIPPED = "h264_metadata=display_orientation=insert:flip=horizontal"
CHANGES = [
    ("size.webm", [part("libvpx"), part("libvpx", (240, 320)), part("libvpx", (160, 120))]),
    ("size_vp9.mkv", [part("libvpx-vp9"), part("libvpx-vp9", (160, 120)), part("libvpx-vp9", (640, 240))]),
    ("size.ts", [part("libx264", time_base=BROADCAST), part("libx264", (240, 320), time_base=BROADCAST)]),
    ("size_hevc.ts", [part("libx265", time_base=BROADCAST), part("libx265", (160, 240), time_base=BROADCAST)]),
    ("size.avi", [part("mjpeg", time_base=CAMERA), part("mjpeg", (240, 320), time_base=CAMERA)]),
    (
        "aspect.ts",
        [part("mpeg2video", (352, 288), Fraction(aspect, 11), CAMERA) for aspect in (12, 16, 12)],
    ),
    (
        "aspect_h264.ts",
        [part("libx264", aspect=aspect, time_base=BROADCAST) for aspect in (Fraction(1), Fraction(4, 3))],
    ),
    ("aspect.mkv", [part("mpeg4"), part("mpeg4", aspect=Fraction(4, 3))]),
]


@pytest.mark.parametrize(("name", "parts"), CHANGES, ids=[name for name, _ in CHANGES])
def test_pictures_of_another_size_or_aspect_keep_their_shape_and_boxes_are_in_the_display_size(
    decoder: DecoderProcess, tmp_path: Path, name: str, parts: list[Spec]
) -> None:
    path = write_changing(tmp_path / name, parts)
    info = decoder.probe(path, name, cut_every_ms=300)
    frames, report = decode(decoder, request_for(path, info))
    assert (len(frames), report.gaps) == (10 * len(parts), ())
    for number, frame in enumerate(frames):
        assert frame.pixels is not None
        expected = as_shown(parts[number // 10], info.display_size)
        assert np.abs(np.subtract(red_box(frame.pixels), expected)).max() <= 4, number
    pieces = decode_all(decoder, path, info, cut([info], target_ms=300))
    assert [frame.digest for frame in pieces] == [frame.digest for frame in frames]


def test_what_lies_around_pictures_of_other_shapes_is_padding(decoder: DecoderProcess, tmp_path: Path) -> None:
    parts = [part("libvpx"), part("libvpx", (240, 320)), part("libvpx")]
    path = write_changing(tmp_path / "clip.webm", parts)
    info = decoder.probe(path, "clip")
    geometry = fit(*info.display_size, PixelInput("x", "UINT8", "NHWC", "RGB", width=128, height=128))
    frames, _ = decode(decoder, request_for(path, info, geometry=geometry, pad_value=7), slots=3)
    for number, frame in enumerate(frames):
        assert frame.pixels is not None
        shown = np.nonzero((frame.pixels != 7).any(axis=2))
        box = tuple((int(axis.min()), int(axis.max()) + 1) for axis in shown)
        assert box == (((16, 112), (28, 100)) if number // 10 == 1 else ((16, 112), (0, 128)))


def test_an_orientation_that_changes_is_followed_and_passes_the_gate(decoder: DecoderProcess, tmp_path: Path) -> None:
    parts = [part("libx264", time_base=BROADCAST)] * 3
    path = write_changing(tmp_path / "turned.ts", parts, metadata=["", TURNED, FLIPPED])
    info = decoder.probe(path, "turned")
    frames, _ = decode(decoder, request_for(path, info))
    expected = [(80, 30, 140, 90), (92.5, 135, 137.5, 180), (180, 30, 240, 90)]
    for number, frame in enumerate(frames):
        assert frame.pixels is not None
        assert np.abs(np.subtract(red_box(frame.pixels), expected[number // 10])).max() <= 4, number
    sampling = Sampling(gate=Gate(threshold=50.0, max_skip_ms=60_000))
    gated, _ = decode(decoder, request_for(path, info, sampling=sampling))
    assert [number for number, frame in enumerate(gated) if frame.pixels is not None] == [0, 10, 20]


def corner(_: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Grey, with a red oblong on the top left."""
    width, height = size
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[: height // 4, : width // 2] = (230, 20, 20)
    return picture


# The eight ways in which a picture can lie, as (a, b, c, d): right goes to (a, b), down to (c, d).
WAYS = {
    "upright": (1, 0, 0, 1), "turned 90": (0, 1, -1, 0), "turned 180": (-1, 0, 0, -1), "turned 270": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1), "upside down": (1, 0, 0, -1), "transposed": (0, 1, 1, 0),
    "transposed the other way": (0, -1, -1, 0),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_the_whole_display_matrix_is_applied(
    decoder: DecoderProcess, tmp_path: Path, way: tuple[int, int, int, int], suffix: str
) -> None:
    path = tmp_path / f"clip.{suffix}"
    write_with_matrix(path, [ONE * value for value in way])
    info = decoder.probe(path, "clip")
    frames, _ = decode(decoder, request_for(path, info))
    a, b, c, d = way
    across, down = abs(a * 320 + c * 240), abs(b * 320 + d * 240)
    assert info.display_size == (across, down)
    # The corners of the oblong, as far as the matrix moves them, and moved back into the picture.
    ends = [(a * x + c * y, b * x + d * y) for x, y in ((0, 0), (160, 60))]
    moved = [(x + (across if min(a, c) < 0 else 0), y + (down if min(b, d) < 0 else 0)) for x, y in ends]
    expected = (*map(min, zip(*moved, strict=True)), *map(max, zip(*moved, strict=True)))
    assert frames[0].pixels is not None
    assert np.abs(np.subtract(red_box(frames[0].pixels), expected)).max() <= 2


@pytest.mark.parametrize("angle_deg", [2, -3, 93])
def test_a_crooked_matrix_counts_as_the_nearest_turn(decoder: DecoderProcess, tmp_path: Path, angle_deg: int) -> None:
    sine, cosine = np.sin(np.radians(angle_deg)), np.cos(np.radians(angle_deg))
    path = tmp_path / "crooked.mp4"
    write_with_matrix(path, [int(ONE * value) for value in (cosine, sine, -sine, cosine)])
    info = decoder.probe(path, "crooked")
    assert (info.rotation_deg, info.is_mirrored) == (90 if angle_deg > 45 else 0, False)
    assert info.display_size == ((240, 320) if angle_deg > 45 else (320, 240))


def write_with_matrix(path: Path, turn: list[int]) -> None:
    a, b, c, d = turn
    spec = Spec(size=SIZE, frames=2, draw=corner)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(spec.codec, rate=spec.rate, options=encoder_options(spec))
        assert isinstance(stream, VideoStream)
        configure(stream, spec)
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for frame in [*pictures(spec), None]:
            container.mux(stream.encode(frame))
