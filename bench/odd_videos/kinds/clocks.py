"""Clocks that jump, and pictures so rare that a rate is near 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from bench.odd_videos.cases import Case
from bench.odd_videos.kinds.codecs import H264, MS, VP8
from bench.odd_videos.scene import FRAMES, at_rate, clip, shown
from support.bad_videos import joined_without_care
from support.joined_videos import numbered_from
from support.videos import Spec, write_video

_JUMPS, _SLOW = "a clock that jumps", "a rate near 0"
_HOURS_20_MS = 20 * 3600 * 1000
_YEARS_40_MS = 40 * 365 * 86_400 * 1000
_JUMP_AT = 27


def _jumps(by_ms: int) -> Callable[[int], int]:
    return lambda number: at_rate(number) + (by_ms if number >= _JUMP_AT else 0)


def _slow(every_ms: int) -> Callable[[int], int]:
    return lambda number: number * every_ms


def _timed(time_ms: Callable[[int], int], spec: Spec = H264, ticks_per_s: int = 1000) -> Callable[[Path], object]:
    timed = replace(spec, time_base=Fraction(1, ticks_per_s), pts=lambda number: time_ms(number) * ticks_per_s // 1000)
    return lambda path: write_video(path, clip(timed))


def _starts_again(path: Path) -> object:
    """Two transport streams, the second with times from 0 on."""
    first = FRAMES // 3
    pieces = (clip(H264, frames=first), numbered_from(first, clip(H264, frames=FRAMES - first)))
    return joined_without_care(path, *pieces)


CASES = (
    Case(_JUMPS, "hours.mp4", "by 20 hours", _timed(_jumps(_HOURS_20_MS)), shown(time_ms=_jumps(_HOURS_20_MS))),
    Case(_JUMPS, "hours.flv", "by 20 hours", _timed(_jumps(_HOURS_20_MS)), shown(time_ms=_jumps(_HOURS_20_MS))),
    Case(_JUMPS, "years.webm", "by 40 years", _timed(_jumps(_YEARS_40_MS), VP8), shown(time_ms=_jumps(_YEARS_40_MS))),
    Case(_JUMPS, "again.ts", "starts at 0 again", _starts_again, shown()),
    Case(_SLOW, "minutes.mkv", "a picture each 10 minutes", _timed(_slow(600_000)), shown(time_ms=_slow(600_000))),
    Case(_SLOW, "minute.mp4", "a picture a minute", _timed(_slow(60_000)), shown(time_ms=_slow(60_000))),
    Case(
        _SLOW,
        "hour.webm",
        "a picture an hour",
        _timed(_slow(3_600_000), replace(VP8, time_base=MS)),
        shown(time_ms=_slow(3_600_000)),
    ),
)
