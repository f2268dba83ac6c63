"""Keyframes only: each of them, none else, also where pictures in front of a keyframe refer to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.odd_videos.cases import Case
from bench.odd_videos.kinds.codecs import FFV1, GROUP, H264, MS, VP9
from bench.odd_videos.scene import FRAMES, clip, shown
from support.videos import Spec, write_video

_KIND = "keyframes only"
_OPEN = replace(H264, options=H264.options | {"x264-params": "scenecut=0:bframes=3:b-adapt=0:open-gop=1"}, time_base=MS)
_TRUTH = shown(numbers=range(0, FRAMES, GROUP))


def _written(spec: Spec) -> Callable[[Path], object]:
    return lambda path: write_video(path, clip(spec))


CASES = (
    Case(_KIND, "open_gop.mkv", "H.264 with open groups", _written(_OPEN), _TRUTH, keyframes_only=True),
    Case(_KIND, "vp9.webm", "VP9", _written(VP9), _TRUTH, keyframes_only=True),
    Case(_KIND, "ffv1.mkv", "FFV1, whose pictures refer to those before", _written(FFV1), _TRUTH, keyframes_only=True),
)
