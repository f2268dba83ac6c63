"""Pictures that are mirrored or turned, and such as change size, aspect or orientation on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream

from bench.odd_videos.cases import Box, Boxes, Case, Shown
from bench.odd_videos.kinds.codecs import H264, HEVC, MJPEG, MPEG4, VP9
from bench.odd_videos.scene import FRAME_MS, FRAMES, SIZE, boxes, clip, moved, parts, shown
from support.changing_videos import write_changing
from support.joined_videos import numbered_from
from support.videos import Spec, configure, encoder_options, pictures

_MATRIX, _CHANGES = "mirrored or turned pictures", "pictures that change"
_ONE = 1 << 16
_PAUSE_FRAMES = 3
_SCALED_PX = 4.0
_WIDTH, _HEIGHT = SIZE
_BROADCAST = Fraction(1, 90_000)
_TURNED = "h264_metadata=display_orientation=insert:rotate=90"
_FLIPPED = "h264_metadata=display_orientation=insert:flip=horizontal"


def _with_matrix(a: int, b: int, c: int, d: int, spec: Spec = H264) -> Callable[[Path], object]:
    """The scene with a display matrix: right goes to (a, b), down to (c, d)."""

    def make(path: Path) -> object:
        own = clip(spec)
        with av.open(str(path), "w") as container:
            stream = cast("VideoStream", container.add_stream(own.codec, rate=own.rate, options=encoder_options(own)))
            configure(stream, own)
            stream.set_display_matrix([a * _ONE, b * _ONE, 0, c * _ONE, d * _ONE, 0, 0, 0, 1 << 30])
            for frame in [*pictures(own), None]:
                container.mux(stream.encode(frame))
        return path

    return make


def _mirrored(box: Box) -> Box:
    return _WIDTH - box[2], box[1], _WIDTH - box[0], box[3]


def _transposed(box: Box) -> Box:
    return box[1], box[0], box[3], box[2]


def _turned_right(box: Box) -> Box:
    """By 90 degrees clockwise, in a picture that is then as wide as it was high."""
    return _HEIGHT - box[3], box[0], _HEIGHT - box[1], box[2]


def _turned_left_in_window(box: Box) -> Box:
    """By 90 degrees anticlockwise, and then as large as it fits into the size of before."""
    scale = _HEIGHT / _WIDTH
    left = (_WIDTH - _HEIGHT * scale) / 2
    x_min, y_min, x_max, y_max = box[1], _WIDTH - box[2], box[3], _WIDTH - box[0]
    return left + x_min * scale, y_min * scale, left + x_max * scale, y_max * scale


def _changing(specs: Sequence[Spec], metadata: Sequence[str] = ()) -> Callable[[Path], object]:
    firsts = accumulate((spec.frames for spec in specs), initial=0)
    numbered = [numbered_from(first, spec) for first, spec in zip(firsts, specs, strict=False)]
    return lambda path: write_changing(path, numbered, metadata=metadata)


def _changes(specs: Sequence[Spec], moves: Sequence[Callable[[Box], Box]] = ()) -> Shown:
    """The truth of parts behind each other, with the pause that their maker puts between them."""
    own_frames = FRAMES // len(specs)

    def boxes_of(number: int) -> Boxes:
        part = number // own_frames
        move = moves[part] if moves else _in_window(specs[part], specs[0])
        return {label: move(box) for label, box in boxes(number, specs[part].size).items()}

    return shown(
        time_ms=lambda number: (number + number // own_frames * _PAUSE_FRAMES) * FRAME_MS,
        boxes_of=boxes_of,
        tolerance_px=_SCALED_PX,
    )


def _in_window(part: Spec, first: Spec) -> Callable[[Box], Box]:
    """A picture of another shape lies in the middle of the first one's, as large as it fits."""
    width, height = float(first.size[0] * (first.sample_aspect or 1)), first.size[1]
    own_width, own_height = float(part.size[0] * (part.sample_aspect or 1)), part.size[1]
    scale = min(width / own_width, height / own_height)
    left, top = (width - own_width * scale) / 2, (height - own_height * scale) / 2
    across = float(part.sample_aspect or 1) * scale

    def move(box: Box) -> Box:
        x_min, y_min, x_max, y_max = box
        return left + x_min * across, top + y_min * scale, left + x_max * across, top + y_max * scale

    return move


def _sizes(spec: Spec, *sizes: tuple[int, int]) -> list[Spec]:
    return [replace(piece, size=size) for piece, size in zip(parts(*[spec] * len(sizes)), sizes, strict=True)]


def _aspects(spec: Spec, *aspects: Fraction) -> list[Spec]:
    return [
        replace(piece, sample_aspect=aspect)
        for piece, aspect in zip(parts(*[spec] * len(aspects)), aspects, strict=True)
    ]


_PHONE = _sizes(VP9, SIZE, (160, 120), (320, 120))
_CONFERENCE = _sizes(replace(HEVC, time_base=_BROADCAST), SIZE, (240, 320), SIZE)
_CAMERA = _sizes(MJPEG, SIZE, (240, 320), (160, 120))
_TELEVISION = _aspects(MPEG4, Fraction(1), Fraction(4, 3), Fraction(1))
# One group of pictures for each orientation: FFmpeg's filter puts it into others late.
_TURNING = parts(*[replace(H264, time_base=_BROADCAST, gop=FRAMES)] * 3)

CASES = (
    Case(_MATRIX, "mirrored.mov", "a selfie", _with_matrix(-1, 0, 0, 1), shown(boxes_of=moved(_mirrored))),
    Case(
        _MATRIX,
        "turned.mp4",
        "HEVC, by 90 degrees",
        _with_matrix(0, 1, -1, 0, HEVC),
        shown(boxes_of=moved(_turned_right)),
    ),
    Case(
        _MATRIX,
        "transposed.mp4",
        "mirrored and turned",
        _with_matrix(0, 1, 1, 0),
        shown(boxes_of=moved(_transposed)),
    ),
    Case(_CHANGES, "sizes.mkv", "three sizes, VP9", _changing(_PHONE), _changes(_PHONE)),
    Case(_CHANGES, "sizes.ts", "crosswise and back, HEVC", _changing(_CONFERENCE), _changes(_CONFERENCE)),
    Case(_CHANGES, "sizes.avi", "three sizes, Motion JPEG", _changing(_CAMERA), _changes(_CAMERA)),
    Case(_CHANGES, "aspect.mkv", "wide pixels and back, MPEG-4", _changing(_TELEVISION), _changes(_TELEVISION)),
    Case(
        _CHANGES,
        "orientation.ts",
        "turned, then mirrored, H.264",
        _changing(_TURNING, ["", _TURNED, _FLIPPED]),
        _changes(_TURNING, [lambda box: box, _turned_left_in_window, _mirrored]),
    ),
)
