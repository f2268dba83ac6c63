"""What all made videos show: 75 pictures of grey with rectangles whose times and boxes are known.

White, red and green stand still for a while, one after the other, green to the last picture. Blue is in every picture,
far from where it was in the one before: where it stands tells which picture it is, so a picture that is repeated,
concealed or in another's place gives a box that is off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.odd_videos.cases import Box, Boxes, Interval, Shown
from bench.odd_videos.finder import LABELS
from support.videos import Spec

FRAMES = 75
FRAME_MS = 40
PRESENCE_GAP_MS = 500
SIZE = (320, 240)
_GREY = 90
_COLOURS = {"white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
_COLUMNS, _ROWS = 20, 15
# First picture, the one behind the last, and the place in twentieths of the width and fifteenths of the height.
_STILL: dict[str, tuple[int, int, Box]] = {
    "white": (10, 25, (2, 2, 6, 5)),
    "red": (30, 45, (12, 3, 17, 8)),
    "green": (50, FRAMES, (7, 6, 11, 12)),
}
_BLUE_PLACES, _BLUE_STEP = 18, 7

Move = Callable[[Box], Box]
"""From a box in the coded picture to the same in the upright one."""


def boxes(number: int, size: tuple[int, int] = SIZE) -> dict[str, Box]:
    """What picture `number` shows when it is (width, height) large."""
    shown = {label: place for label, (first, stop, place) in _STILL.items() if first <= number < stop}
    left = number * _BLUE_STEP % _BLUE_PLACES
    shown["blue"] = (left, 13, left + 2, 14)
    return {label: _in_pixels(place, size) for label, place in shown.items()}


def _in_pixels(place: Box, size: tuple[int, int]) -> Box:
    """On even pixels, as most codecs have one colour for two by two."""
    across, down = size[0] / _COLUMNS, size[1] / _ROWS
    x_min, y_min, x_max, y_max = place
    return (
        2 * round(x_min * across / 2),
        2 * round(y_min * down / 2),
        2 * round(x_max * across / 2),
        2 * round(y_max * down / 2),
    )


def draw(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Picture `number`, (height, width, 3) RGB."""
    picture = np.full((size[1], size[0], 3), _GREY, np.uint8)
    for label, box in boxes(number, size).items():
        x_min, y_min, x_max, y_max = map(int, box)
        picture[y_min:y_max, x_min:x_max] = _COLOURS[label]
    return picture


def clip(spec: Spec | None = None, *, frames: int = FRAMES, size: tuple[int, int] = SIZE) -> Spec:
    """What to encode: the scene, by the codec and into the container's options of `spec`."""
    return replace(spec or Spec(gop=15), draw=draw, frames=frames, size=size)


def parts(*specs: Spec) -> tuple[Spec, ...]:
    """The scene in as many pieces of equal length, to be joined."""
    return tuple(clip(spec, frames=FRAMES // len(specs)) for spec in specs)


def at_rate(number: int) -> int:
    """When a picture is shown, in ms, where nothing is odd with the clock."""
    return number * FRAME_MS


def shown(
    *,
    numbers: Iterable[int] = range(FRAMES),
    time_ms: Callable[[int], int] = at_rate,
    boxes_of: Callable[[int], Boxes] = boxes,
    has_gaps: bool = False,
    notice: str = "",
    tolerance_px: float = 2.0,
) -> Shown:
    """The truth of a file that shows these pictures of the scene."""
    pictures = {time_ms(number): boxes_of(number) for number in numbers}
    presence = None if has_gaps else {label: _intervals(pictures, label) for label in LABELS}
    return Shown(len(pictures), presence, pictures, has_gaps=has_gaps, notice=notice, tolerance_px=tolerance_px)


def _intervals(pictures: Mapping[int, Boxes], label: str) -> tuple[Interval, ...]:
    """Times of presence: of two pictures further apart than the presence gap, each is in one of its own."""
    found: list[Interval] = []
    for time_ms, places in sorted(pictures.items()):
        if label not in places:
            continue
        if found and time_ms - found[-1].last_ms <= PRESENCE_GAP_MS:
            found[-1] = replace(found[-1], last_ms=time_ms)
        else:
            found.append(Interval(time_ms, time_ms, places[label]))
    return tuple(found)


def moved(move: Move) -> Callable[[int], Boxes]:
    """The scene's boxes, each moved."""
    return lambda number: {label: move(box) for label, box in boxes(number).items()}
