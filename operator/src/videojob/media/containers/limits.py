"""How large a picture may be."""

from __future__ import annotations

from videojob.errors import ResolutionLimitExceeded

MAX_SIDE = 8192
"""Widest and highest picture accepted, in pixels. FFmpeg's own limit would let one picture take a gigabyte."""

MAX_PIXELS = MAX_SIDE * MAX_SIDE


def check_size(width: int, height: int, uri: str) -> None:
    """Raises ResolutionLimitExceeded for a picture larger than `MAX_SIDE`."""
    if width > MAX_SIDE or height > MAX_SIDE:
        raise ResolutionLimitExceeded(
            f"the header claims {width} x {height} pixels, at most {MAX_SIDE} x {MAX_SIDE} are accepted", uri=uri
        )
