"""The pixels that arrive in a slot: right colours, right way up, at the right place, nothing outside."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from support.decoding import WHOLE, decode, request_for
from support.samples import sample_path
from support.videos import Spec, picture_number, write_video
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.info import Sampling
from videojob.vision.geometry import fit
from videojob.vision.tensors import Geometry, PixelInput

Picture = NDArray[np.uint8]
COLOURS = np.array([(200, 30, 40), (20, 180, 60), (30, 60, 210), (235, 235, 20), (128, 128, 128), (250, 250, 250)])
ITU_709, ITU_601, BT_2020 = 1, 5, 9
SHARP = {"x264-params": "qp=4:bframes=0"}


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


def patches(_: int, size: tuple[int, int]) -> Picture:
    """Vertical stripes, one per colour."""
    width, height = size
    return np.repeat(COLOURS[np.arange(width) * len(COLOURS) // width][None], height, axis=0).astype(np.uint8)


def corners(_: int, size: tuple[int, int]) -> Picture:
    """Grey, with red on the top left and blue on the bottom right."""
    width, height = size
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[: height // 4, : width // 4] = (220, 20, 20)
    picture[-(height // 4) :, -(width // 4) :] = (20, 20, 220)
    return picture


def first_picture(decoder: DecoderProcess, path: Path, **changes: object) -> Picture:
    info = decoder.probe(path, path.name)
    frames, _ = decode(decoder, request_for(path, info, WHOLE, **changes))
    assert frames[0].pixels is not None
    return frames[0].pixels


def stripes_of(picture: Picture, count: int) -> NDArray[np.float64]:
    """Mean colour in the middle of each stripe."""
    width = picture.shape[1]
    middles = [int((stripe + 0.5) * width / count) for stripe in range(count)]
    return np.array([picture[:, middle - 2 : middle + 3].mean(axis=(0, 1)) for middle in middles])


@pytest.mark.parametrize("size", [(192, 96), (1920, 1080)], ids=["small", "HD"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("full_range", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [ITU_601, ITU_709, BT_2020], ids=["601", "709", "2020"])
def test_colours_are_right_for_every_matrix_and_range(
    decoder: DecoderProcess, tmp_path: Path, matrix: int, full_range: bool, pixel_format: str, size: tuple[int, int]
) -> None:
    spec = Spec(
        size=size, frames=1, draw=patches, options=SHARP | {"preset": "ultrafast"},
        colorspace=matrix, full_range=full_range, pixel_format=pixel_format,
    )  # fmt: skip
    path = write_video(tmp_path / "patches.mp4", spec)
    for geometry in (Geometry(*size, *size, 1.0, 1.0, 0, 0), Geometry(*size, 96, 48, 96 / size[0], 48 / size[1], 0, 0)):
        picture = first_picture(decoder, path, geometry=geometry)
        assert np.abs(stripes_of(picture, len(COLOURS)) - COLOURS).max() <= 4


@pytest.mark.parametrize(("size", "matrix"), [((192, 96), ITU_601), ((1280, 720), ITU_709)], ids=["SD", "HD"])
def test_a_matrix_that_is_not_named_follows_the_height(
    decoder: DecoderProcess, tmp_path: Path, size: tuple[int, int], matrix: int
) -> None:
    path = tmp_path / "unnamed.mkv"
    write_video(path, Spec(size=size, frames=1, draw=patches, options=SHARP, colorspace=matrix))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    unnamed = tmp_path / "patches.mkv"
    with av.open(str(unnamed), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=SHARP)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        frame.colorspace = 2
        frame.pts = None
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert np.abs(stripes_of(first_picture(decoder, unnamed), len(COLOURS)) - COLOURS).max() <= 4


FORMATS = [
    ("ffv1", "bgr0"),
    ("ffv1", "gbrp10le"),
    ("ffv1", "yuv411p"),
    ("ffv1", "yuv440p"),
    ("ffv1", "yuva420p"),
    ("libx264", "yuv422p"),
    ("libx264", "yuv422p10le"),
    ("libx264", "nv12"),
    ("rawvideo", "yuyv422"),
    ("rawvideo", "rgb24"),
    ("png", "rgb24"),
    ("mjpeg", "yuvj422p"),
    ("prores_ks", "yuv422p10le"),
]


@pytest.mark.parametrize(("codec", "pixel_format"), FORMATS)
def test_colours_are_right_for_every_pixel_format(
    decoder: DecoderProcess, tmp_path: Path, codec: str, pixel_format: str
) -> None:
    spec = Spec(codec=codec, pixel_format=pixel_format, size=(192, 96), frames=1, draw=patches)
    path = write_video(tmp_path / f"patches.{'mov' if pixel_format in {'rgb24', 'yuv422p10le'} else 'mkv'}", spec)
    for size in ((192, 96), (96, 48)):
        picture = first_picture(decoder, path, geometry=Geometry(192, 96, *size, size[0] / 192, size[1] / 96, 0, 0))
        assert np.abs(stripes_of(picture, len(COLOURS)) - COLOURS).max() <= 8


def test_grey_video_is_grey(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "grey.mkv", Spec(codec="ffv1", pixel_format="gray", frames=1, draw=patches))
    picture = first_picture(decoder, path)
    assert (picture[..., 0] == picture[..., 1]).all()
    assert picture.std() > 20


@pytest.mark.parametrize("matrix", [3, 8, 14, 255])
def test_a_matrix_that_cannot_be_is_taken_as_not_named(decoder: DecoderProcess, tmp_path: Path, matrix: int) -> None:
    # The stream's own parameters say it, as a bitstream filter would write them.
    options = {"x264-params": f"colormatrix={ {8: 'YCgCo', 14: 'ICtCp'}.get(matrix, 'undef') }"}
    path = write_video(tmp_path / "odd.mp4", Spec(size=(192, 96), frames=1, draw=patches, options=options))
    assert first_picture(decoder, path).shape == (96, 192, 3)


def test_bgr_is_rgb_backwards(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", Spec(frames=1))
    rgb, bgr = first_picture(decoder, path), first_picture(decoder, path, colour="BGR")
    assert np.array_equal(rgb, bgr[..., ::-1])


# clockwise turn, where red (top left as coded) and blue (bottom right) must end up: (row, column), in eighths
TURNS = [(0, (1, 1), (7, 7)), (90, (1, 7), (7, 1)), (180, (7, 7), (1, 1)), (270, (7, 1), (1, 7))]


@pytest.mark.parametrize(("turn", "red", "blue"), TURNS, ids=[str(turn) for turn, _, _ in TURNS])
def test_rotation_is_applied(
    decoder: DecoderProcess, tmp_path: Path, turn: int, red: tuple[int, int], blue: tuple[int, int]
) -> None:
    path = write_video(tmp_path / "turned.mp4", Spec(size=(192, 96), frames=1, draw=corners, rotation_deg=turn))
    info = decoder.probe(path, "turned")
    assert info.rotation_deg == turn
    assert info.display_size == ((192, 96) if turn in (0, 180) else (96, 192))
    for scale in (1.0, 0.5):
        width, height = (int(side * scale) for side in info.display_size)
        geometry = Geometry(*info.display_size, width, height, scale, scale, 0, 0)
        picture = first_picture(decoder, path, geometry=geometry)
        assert picture.shape == (height, width, 3)
        for (row, column), channel in ((red, 0), (blue, 2)):
            pixel = picture[height * row // 8, width * column // 8]
            assert pixel[channel] > 180
            assert pixel[1] < 80


def test_anamorphic_pictures_get_square_pixels(decoder: DecoderProcess, tmp_path: Path) -> None:
    spec = Spec(size=(144, 96), frames=1, draw=corners, sample_aspect=Fraction(4, 3))
    path = write_video(tmp_path / "anamorphic.mp4", spec)
    info = decoder.probe(path, "anamorphic")
    assert info.display_size == (192, 96)
    picture = first_picture(decoder, path)
    assert picture.shape == (96, 192, 3)
    assert picture[12, 40, 0] > 180, "the red corner is a third wider than coded"
    assert picture[12, 56, 0] < 120


@pytest.mark.parametrize("turn", [0, 90])
def test_letterbox_padding_is_filled_and_kept(decoder: DecoderProcess, tmp_path: Path, turn: int) -> None:
    path = write_video(tmp_path / "clip.mp4", Spec(size=(192, 96), rotation_deg=turn, frames=20))
    info = decoder.probe(path, "clip")
    geometry = fit(*info.display_size, PixelInput("x", "UINT8", "NHWC", "RGB", width=128, height=128))
    frames, _ = decode(decoder, request_for(path, info, geometry=geometry, pad_value=77), slots=3)
    width, height = geometry.inner_size
    inside = np.zeros((128, 128), bool)
    inside[geometry.pad_y : geometry.pad_y + height, geometry.pad_x : geometry.pad_x + width] = True
    for number, frame in enumerate(frames):
        assert frame.pixels is not None
        assert (frame.pixels[~inside] == 77).all()
        if turn == 0:
            assert picture_number(frame.pixels[inside].reshape(height, width, 3)) == number


@pytest.mark.parametrize("size", [(640, 360), (416, 234), (333, 187), (1280, 720), (1600, 900)])
def test_scaling_is_close_to_exact_area_averaging(decoder: DecoderProcess, size: tuple[int, int]) -> None:
    path = sample_path("bigbuckbunny.mp4")
    geometry = Geometry(1280, 720, *size, size[0] / 1280, size[1] / 720, 0, 0)
    picture = first_picture(decoder, path, geometry=geometry, sampling=Sampling(keyframes_only=True))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        exact = frame.reformat(
            format="rgb24",
            src_colorspace="ITU709",
            dst_colorspace="ITU709",
            interpolation=Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND,
        ).to_ndarray()
    mode = cv2.INTER_AREA if size[0] <= 1280 else cv2.INTER_LINEAR
    wanted = cv2.resize(exact, size, interpolation=mode).astype(np.float64)
    error = np.mean((picture - wanted) ** 2)
    assert 10 * np.log10(255**2 / error) > 35
