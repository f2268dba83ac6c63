"""Which names look like a video, and in which order several of them are processed."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

VIDEO_EXTENSIONS = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".3gp"),
        *(".mkv", ".webm"),
        *(".ts", ".mts", ".m2ts"),
        *(".avi", ".flv", ".ogg", ".ogv"),
    }
)
"""What a folder or prefix is searched for; a file or key that is named itself may have any extension."""

_DIGITS = re.compile(r"(\d+)")


def looks_like_video(name: str) -> bool:
    """Whether a file or key found in a folder or under a prefix is taken: by extension, hidden names never."""
    path = PurePosixPath(name)
    return path.suffix.lower() in VIDEO_EXTENSIONS and not path.name.startswith(".")


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key under which "clip2" comes before "clip10"; total, so that the order never depends on the store."""
    parts = _DIGITS.split(name)
    # Odd positions of the split are always the digits, so text is only compared with text and numbers with numbers.
    return tuple(int(part) if at % 2 else part for at, part in enumerate(parts)), name
