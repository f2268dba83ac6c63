"""Probing videos: container, codec, duration, rate, size, rotation and where to cut, in milliseconds."""

from __future__ import annotations

from pathlib import Path

from videojob.media.parent.decoder import DecoderProcess
from videojob.video.info import VideoInfo

PROBE_TIMEOUT_S = 30.0


def probe(path: Path, uri: str, *, timeout_s: float = PROBE_TIMEOUT_S) -> VideoInfo:
    """What a video is, found out in a process of its own that a bad file can only take down alone.

    Whoever probes many files uses one `DecoderProcess` and its `probe`: starting the process takes most of the time.

    Args:
        path: a local regular file.
        uri: how the manifest named it, for messages.
        timeout_s: how long it may take without progress.

    Raises:
        InputError: the subclass that names what is wrong.
    """
    decoder = DecoderProcess(progress_timeout_s=timeout_s)
    try:
        return decoder.probe(path, uri)
    finally:
        decoder.close()
