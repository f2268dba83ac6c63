"""Builders of probed videos, with defaults."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from videojob.video.info import VideoInfo

_DEFAULT = VideoInfo(
    uri="file:///clip.mp4",
    size_bytes=1_000_000,
    demuxer="mov,mp4,m4a,3gp,3g2,mj2",
    codec="h264",
    pixel_format="yuv420p",
    width=640,
    height=360,
    rotation_deg=0,
    sample_aspect=Fraction(1),
    time_base=Fraction(1, 1000),
    start_pts=0,
    duration_ms=120_000,
    frame_rate=Fraction(25),
    frames_estimate=3000,
    cut_pts=(),
)


def video_info(**changes: object) -> VideoInfo:
    """Two minutes at 25 frames per second with millisecond ticks and no cuts, with changes."""
    return replace(_DEFAULT, **changes)  # type: ignore[arg-type]
