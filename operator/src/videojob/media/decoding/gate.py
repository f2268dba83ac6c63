"""The motion gate: pictures that hardly differ from the last one inferred need no inference. Decoder process only."""

from __future__ import annotations

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from videojob.media.decoding.picture import Halver, plane_pixels
from videojob.video.info import Gate

_WIDTH, _HEIGHT = 64, 36
# Of a high picture, every so many rows are enough to see motion.
_ROWS = 540
_EIGHT_BIT_LUMA_FIRST = ("yuv4", "yuvj4", "gray", "nv12", "nv21")


class MotionGate:
    """Compares small grey pictures.

    The first picture of each segment always passes, so that what a segment finds does not depend on another one.

    Args:
        gate: the job's settings.
    """

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._reformatter = VideoReformatter()
        self._halver = Halver()
        self._reference: NDArray[np.uint8] | None = None
        self._reference_ms = 0

    def passes(self, picture: av.VideoFrame, time_ms: int) -> bool:
        """Whether the picture must be inferred; it is then what the next ones are compared with."""
        small = self._small(picture)
        if self._reference is not None:
            # The mean of absolute differences: 0 for the same picture, 255 for black against white.
            difference = cv2.norm(small, self._reference, cv2.NORM_L1) / small.size
            is_recent = 0 <= time_ms - self._reference_ms < self._gate.max_skip_ms
            if difference < self._gate.threshold and is_recent:
                return False
        self._reference, self._reference_ms = small, time_ms
        return True

    def forget(self) -> None:
        """Lets the next picture pass: it is not to be looked at like the ones before."""
        self._reference = None

    def _small(self, picture: av.VideoFrame) -> NDArray[np.uint8]:
        """(36, 64) grey, averaged."""
        name = picture.format.name
        if name.startswith(_EIGHT_BIT_LUMA_FIRST) and picture.format.components[0].bits == 8:
            luma = plane_pixels(picture.planes[0], picture.width)[:: max(1, picture.height // _ROWS)]
            small = np.empty((_HEIGHT, _WIDTH), np.uint8)
            halved = self._halver.halved(luma, _HEIGHT, _WIDTH)
            cv2.resize(halved, (_WIDTH, _HEIGHT), dst=small, interpolation=cv2.INTER_AREA)
            return small
        grey = self._reformatter.reformat(
            picture, width=_WIDTH, height=_HEIGHT, format="gray", interpolation=Interpolation.AREA, threads=1
        )
        return plane_pixels(grey.planes[0], _WIDTH).copy()
