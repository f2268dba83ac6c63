"""Which names look like a video, and in which order several of them are processed."""

from __future__ import annotations

import re
from collections.abc import Sequence
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

OTHER_VIDEO_EXTENSIONS = frozenset(
    {
        *(".mpg", ".mpeg", ".m2p", ".mpe", ".vob", ".m2v", ".mpv"),
        *(".wmv", ".asf", ".rm", ".rmvb", ".dav", ".mxf", ".dv", ".gif", ".ivf", ".y4m", ".nut"),
        *(".h264", ".264", ".avc", ".h265", ".265", ".hevc", ".m4s", ".qt", ".f4v", ".divx", ".3g2", ".mjpeg", ".mjpg"),
    }
)
"""What a folder or prefix is not searched for, though it may be a video: a notice names such files."""

_SHOWN_NAMES = 3
_DIGITS = re.compile(r"(\d+)")


def looks_like_video(name: str) -> bool:
    """Whether a file or key found in a folder or under a prefix is taken: by extension, hidden names never."""
    path = PurePosixPath(name)
    return path.suffix.lower() in VIDEO_EXTENSIONS and not path.name.startswith(".")


def may_be_video(name: str) -> bool:
    """Whether a file or key is not taken though its extension is one that videos have."""
    path = PurePosixPath(name)
    return path.suffix.lower() in OTHER_VIDEO_EXTENSIONS and not path.name.startswith(".")


def left_out_text(place: str, files: Sequence[str], folders: Sequence[str] = ()) -> str:
    """A sentence about what is not taken from a folder or prefix; "" when that is nothing.

    Args:
        place: the folder or prefix, as the manifest names it.
        files: names of the files in it that may be videos.
        folders: names of the folders in it.
    """
    parts = []
    if files:
        parts.append(f"{_count(files, 'file')} with other extensions ({_some(files)})")
    if folders:
        parts.append(f"{_count(folders, 'subfolder')} ({_some(folders)})")
    if not parts:
        return ""
    return f"{place}: left out are {' and '.join(parts)}; name each as an input of its own to have it read"


def _count(names: Sequence[str], what: str) -> str:
    return f"{len(names)} {what}{'' if len(names) == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names, key=natural_key)[:_SHOWN_NAMES])
    return shown if len(names) <= _SHOWN_NAMES else f"{shown}, …"


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Sort key under which "clip2" comes before "clip10"; total, so that the order never depends on the store."""
    parts = _DIGITS.split(name)
    # Odd positions of the split are always the digits, so text is only compared with text and numbers with numbers.
    return tuple(int(part) if at % 2 else part for at, part in enumerate(parts)), name
