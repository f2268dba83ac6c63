"""How each picture is to be looked at: its size, which way is up, the shape of its pixels. Decoder process only.

All three may change in the middle of a video: a conference that adapts its resolution, a phone that is turned, a
broadcast that goes from 4:3 to 16:9. So they are asked of every picture, at the cost of two comparisons.
"""

from __future__ import annotations

import gc
import math
import struct
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.sidedata.sidedata import SideDataContainer

from videojob.video.info import VideoInfo, upright_size

_MATRIX = struct.Struct("=9i")
_TURNING_CODECS = ("h264", "hevc")
# PyAV ties a picture whose side data is read into a cycle: left to Python's own pace, a hundred of them stay in memory.
# So they are collected after so many pictures; that is cheap in a process that has frozen what it began with.
_COLLECT_EVERY = 8


@dataclass(frozen=True, slots=True)
class View:
    """How one picture is to be looked at.

    Attributes:
        width, height: as decoded, in pixels.
        rotation_deg: clockwise turn that makes the picture upright, after it was mirrored: 0, 90, 180 or 270.
        is_mirrored: whether left and right are to be exchanged, before the turn.
        aspect: width of one pixel / its height, as decoded.
    """

    width: int
    height: int
    rotation_deg: int
    is_mirrored: bool
    aspect: Fraction

    @property
    def display_size(self) -> tuple[int, int]:
        """(width, height) of the upright picture with square pixels."""
        return upright_size(self.width, self.height, self.aspect, self.rotation_deg)


class Views:
    """Follows the view from picture to picture, in the order in which the decoder gives them.

    Args:
        info: of the video; its first picture's view is what holds until a picture says otherwise.
    """

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._coded_aspect = info.coded_aspect
        self._aspects: deque[tuple[int, Fraction]] = deque()
        self.view = View(info.width, info.height, info.rotation_deg, info.is_mirrored, info.sample_aspect)
        # A matrix may change without its angle, where pictures carry their own; reading it costs more than the angle.
        self._may_turn = info.codec in _TURNING_CODECS
        self._seen: tuple[int, int, int] | None = None
        self._pictures_to_collection = 0

    def keyframe(self, pts: int, context: av.VideoCodecContext) -> None:
        """A keyframe has just been given to the decoder: what its header says holds from its time on."""
        if self._coded_aspect is None:
            return
        coded = context.sample_aspect_ratio or Fraction(0)
        if coded != self._coded_aspect:
            self._coded_aspect = coded
            # What the container says is about the first picture.
            is_first = coded == self._info.coded_aspect
            self._aspects.append((pts, self._info.sample_aspect if is_first else coded or Fraction(1)))

    def see(self, pts: int, picture: av.VideoFrame) -> View:
        """The view of the next picture; the same object as long as nothing changes."""
        if self._pictures_to_collection:
            self._pictures_to_collection -= 1
            if not self._pictures_to_collection:
                gc.collect()
        seen = (picture.width, picture.height, picture.rotation)
        is_due = bool(self._aspects) and self._aspects[0][0] <= pts
        if seen != self._seen or is_due or (self._may_turn and picture.key_frame):
            self._seen = seen
            self._observe(pts, picture)
        return self.view

    def _observe(self, pts: int, picture: av.VideoFrame) -> None:
        view = self.view
        aspect = view.aspect
        while self._aspects and self._aspects[0][0] <= pts:
            aspect = self._aspects.popleft()[1]
        turn = orientation_of(picture)
        self._pictures_to_collection = self._pictures_to_collection or _COLLECT_EVERY
        if turn is None:
            # Codecs name it once for a whole group of pictures.
            turn = (0, False) if picture.key_frame else (view.rotation_deg, view.is_mirrored)
        now = (picture.width, picture.height, *turn)
        if now != (view.width, view.height, view.rotation_deg, view.is_mirrored) or aspect is not view.aspect:
            self.view = View(*now, aspect)


def orientation_of(picture: av.VideoFrame) -> tuple[int, bool] | None:
    """(clockwise turn in degrees, whether to mirror before it); None when the picture does not say.

    The display matrix as FFmpeg has it, row by row: a b u c d v x y w; x' = a x + c y, y' = b x + d y, y downwards.
    """
    # PyAV's stubs know of motion vectors only.
    entry = cast("SideDataContainer", picture.side_data).get("DISPLAYMATRIX")
    if entry is None:
        return None
    a, b, _, c, d, *_ = _MATRIX.unpack(bytes(entry))
    is_mirrored = a * d - b * c < 0
    if is_mirrored:
        a, b = -a, -b
    # Each axis counts as much as the other, whatever its scale: what a matrix stretches is the pixels' aspect.
    across, down = math.hypot(a, b) or 1.0, math.hypot(c, d) or 1.0
    angle = math.atan2(b / across - c / down, a / across + d / down)
    return round(angle / (math.pi / 2)) % 4 * 90, is_mirrored
