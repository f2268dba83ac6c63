"""Damage: lost packets, lost ends, flipped bits. No counted picture may differ, and none is lost in silence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.odd_videos.cases import Case
from bench.odd_videos.kinds.codecs import FRAGMENTED, H264, HEVC, MPEG2, MPEG4
from bench.odd_videos.scene import clip, shown
from support import bad_videos as bad
from support import damaged_streams as damaged
from support.videos import Spec, write_video

_LOST, _CUT = "lost packets", "cut off or flipped"
_RATE = 0.03
_DAMAGED = shown(has_gaps=True)
_BEFORE_THE_CUT = shown(numbers=range(45), has_gaps=True)
"""Of a file in fragments nothing tells what would have followed the one that is cut off."""


def _lossy(spec: Spec, seed: int) -> Callable[[Path], object]:
    def make(path: Path) -> object:
        data = write_video(path, clip(spec)).read_bytes()
        return path.write_bytes(damaged.with_losses(data, _RATE, seed))

    return make


def _cut(spec: Spec, share: float) -> Callable[[Path], object]:
    return lambda path: bad.cut_short(path, clip(spec), share)


def _flipped(path: Path) -> object:
    data = write_video(path, clip(H264)).read_bytes()
    return bad.flipped(path, data, first=0.45, last=0.55, flips=20, seed=3)


CASES = (
    Case(_LOST, "h264.ts", "H.264", _lossy(H264, 1), _DAMAGED),
    Case(_LOST, "hevc.ts", "HEVC", _lossy(HEVC, 2), _DAMAGED),
    Case(_LOST, "mpeg2.ts", "MPEG-2", _lossy(MPEG2, 3), _DAMAGED),
    Case(_LOST, "mpeg4.ts", "MPEG-4", _lossy(MPEG4, 4), _DAMAGED),
    Case(_CUT, "fragments.mp4", "in a fragment", _cut(replace(H264, mux_options=FRAGMENTED), 0.61), _BEFORE_THE_CUT),
    Case(_CUT, "cut.mkv", "in a block of Matroska", _cut(H264, 0.61), _DAMAGED),
    Case(_CUT, "flipped.mkv", "20 bits in the middle", _flipped, _DAMAGED),
)
