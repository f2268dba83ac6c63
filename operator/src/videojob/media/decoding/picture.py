"""From a decoded picture to the model's pixels. Runs in the decoder process only.

Planar 8-bit YUV, which is nearly all video, is shrunk plane by plane while it is still YUV (half the bytes of RGB) and
converted at the model's size; everything else goes through swscale in one pass. Nothing ever holds the source's size
in RGB. docs/reference/benchmarks.md has the measurements behind both choices.
"""

from __future__ import annotations

from typing import Literal

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from videojob.media.decoding.view import View
from videojob.vision.tensors import Geometry

Pixels = NDArray[np.uint8]

_PLANAR_8_BIT = frozenset(
    f"yuv{full}{sampling}p" for full in ("", "j") for sampling in ("420", "422", "444", "440", "411")
)
# FFmpeg's numbers for the matrices that streams name, and swscale's for the same; it refuses all others.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
# What it means when none is named, by height, as players and broadcasters have it.
_HD_HEIGHT = 720
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class PictureWriter:
    """Scales, converts, mirrors and turns pictures into slots, whatever size and shape each of them has.

    A picture of the video's display size fills its place in the input. Another one lies in the middle of that place,
    as large as it fits in its own shape, so that boxes of all pictures are found in one system of coordinates.

    Args:
        geometry: where the video's upright picture lies in a slot.
        colour: order of the channels.
        pad_value: what lies around the picture.
    """

    def __init__(self, geometry: Geometry, colour: Literal["RGB", "BGR"], pad_value: int) -> None:
        self._geometry = geometry
        self._format = "bgr24" if colour == "BGR" else "rgb24"
        self._pad_value = pad_value
        self._view: View | None = None
        self._painter: _Painter | None = None
        self._padded: dict[int, tuple[int, int, int, int]] = {}

    def write(self, picture: av.VideoFrame, view: View, pixels: Pixels, slot: int) -> None:
        """Writes a picture.

        Args:
            picture: as decoded.
            view: how it is to be looked at.
            pixels: of the slot, (height, width, 3) uint8. Nobody else writes there.
            slot: its number.
        """
        painter = self._painter
        if painter is None or view is not self._view:
            place = self._geometry.place(*view.display_size)
            painter = self._painter = _Painter(place, view, self._format)
            self._view = view
        if self._padded.get(slot) != painter.place:
            # What lies around the picture stays, as the painter does not touch it.
            self._padded[slot] = painter.place
            if painter.place[2:] != (self._geometry.width, self._geometry.height):
                pixels[...] = self._pad_value
        painter.paint(picture, pixels)


class _Painter:
    """Writes pictures of one view.

    Args:
        place: (x, y, width, height) of the upright picture in the slot.
        view: of the pictures.
        pixel_format: "rgb24" or "bgr24".
    """

    def __init__(self, place: tuple[int, int, int, int], view: View, pixel_format: str) -> None:
        self.place = place
        x, y, width, height = place
        self._inside = (slice(y, y + height), slice(x, x + width))
        self._is_mirrored = view.is_mirrored
        self._turn = _TURNS.get(view.rotation_deg)
        self._size = (height, width) if view.rotation_deg in (90, 270) else (width, height)
        self._format = pixel_format
        self._reformatter = VideoReformatter()
        self._shrinker = PlaneShrinker(*self._size)

    def paint(self, picture: av.VideoFrame, slot: Pixels) -> None:
        """Writes the picture into a slot, (height, width, 3) uint8."""
        pixels = self._converted(picture)
        inside = slot[self._inside]
        if self._is_mirrored:
            pixels = pixels[:, ::-1]
        if self._turn is None:
            inside[...] = pixels
        else:
            inside[...] = cv2.rotate(np.ascontiguousarray(pixels), self._turn)

    def _converted(self, picture: av.VideoFrame) -> Pixels:
        """(height, width, 3) at the inner size, not turned yet."""
        width, height = self._size
        matrix = None if picture.format.is_rgb else _matrix_of(picture)
        small = picture
        if picture.format.name in _PLANAR_8_BIT and (picture.width, picture.height) != self._size:
            small = self._shrinker.shrink(picture)
        converted = self._reformatter.reformat(
            small,
            width=width,
            height=height,
            format=self._format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            dst_color_range=ColorRange.JPEG,
            interpolation=Interpolation.AREA,
            threads=1,
        )
        plane = converted.planes[0]
        return plane_pixels(plane, width * 3).reshape(height, width, 3)


class PlaneShrinker:
    """Scales planar 8-bit YUV to 4:2:0 of one size.

    Args:
        width: of the result.
        height: of the result.
    """

    def __init__(self, width: int, height: int) -> None:
        self._small = av.VideoFrame(width, height, "yuv420p")
        self._targets = [plane_pixels(plane, plane.width) for plane in self._small.planes]
        self._halvers = [Halver() for _ in self._targets]

    def shrink(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture at the small size; good until the next call."""
        for plane, target, halver in zip(picture.planes, self._targets, self._halvers, strict=True):
            pixels = halver.halved(plane_pixels(plane, plane.width), *target.shape)
            cv2.resize(pixels, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
        self._small.color_range = ColorRange.JPEG if _is_full_range(picture) else ColorRange.MPEG
        return self._small


class Halver:
    """Halves a plane with 2 x 2 averages until less than a factor of two is left to a size.

    Interpolating the rest then makes every source pixel count, at a fraction of the cost of exact area averaging.
    Keeps its buffers: one for each plane of a video.
    """

    def __init__(self) -> None:
        self._halves: dict[tuple[int, int], Pixels] = {}

    def halved(self, pixels: Pixels, height: int, width: int) -> Pixels:
        """The plane, halved as often as it stays larger than the size; good until the next call."""
        while pixels.shape[0] > 2 * height and pixels.shape[1] > 2 * width:
            size = ((pixels.shape[0] + 1) // 2, (pixels.shape[1] + 1) // 2)
            half = self._halves.get(size)
            if half is None:
                half = self._halves[size] = np.empty(size, np.uint8)
            cv2.resize(pixels, size[::-1], dst=half, interpolation=cv2.INTER_LINEAR)
            pixels = half
        return pixels


def _matrix_of(picture: av.VideoFrame) -> Colorspace:
    guess = Colorspace.ITU709 if picture.height >= _HD_HEIGHT else Colorspace.ITU601
    return _MATRICES.get(picture.colorspace, guess)


def _is_full_range(picture: av.VideoFrame) -> bool:
    return picture.color_range == ColorRange.JPEG or picture.format.name.startswith("yuvj")


def plane_pixels(plane: av.video.plane.VideoPlane, row_bytes: int) -> Pixels:
    """(rows, row_bytes) view on a plane; good as long as its picture lives."""
    flat = np.frombuffer(memoryview(plane), np.uint8)
    return flat.reshape(-1, abs(plane.line_size))[:, :row_bytes]
