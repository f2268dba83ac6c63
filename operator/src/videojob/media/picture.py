"""From a decoded picture to the model's pixels, in one pass. Runs in the decoder process only."""

from __future__ import annotations

from typing import Literal

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from videojob.vision.values import Geometry


class PictureWriter:
    """Scales, converts and turns pictures into slots.

    Args:
        geometry: where the upright picture lies in the slot.
        rotation_deg: clockwise turn that makes the decoded picture upright.
        colour: order of the channels.
        pad_value: what lies around the picture.
    """

    def __init__(self, geometry: Geometry, rotation_deg: int, colour: Literal["RGB", "BGR"], pad_value: int) -> None:
        self._geometry = geometry
        self._turns = rotation_deg // 90
        self._format = "bgr24" if colour == "BGR" else "rgb24"
        self._pad_value = pad_value
        self._reformatter = VideoReformatter()
        inner = geometry.inner_size
        self._size = inner if self._turns % 2 == 0 else (inner[1], inner[0])

    def write(self, picture: av.VideoFrame, slot: NDArray[np.uint8]) -> None:
        """Fills a slot, (height, width, 3) uint8."""
        width, height = self._size
        small = self._reformatter.reformat(
            picture, width=width, height=height, format=self._format, interpolation=Interpolation.BILINEAR, threads=1
        )
        plane = small.planes[0]
        pixels = (
            np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)[:, : width * 3].reshape(height, width, 3)
        )
        upright = np.rot90(pixels, -self._turns) if self._turns else pixels
        x, y = self._geometry.pad_x, self._geometry.pad_y
        inner_width, inner_height = self._geometry.inner_size
        if upright.shape != slot.shape:
            slot[...] = self._pad_value
        slot[y : y + inner_height, x : x + inner_width] = upright
