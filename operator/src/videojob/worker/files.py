"""Local copies of the videos that a worker's segments are in: fetched when first needed, gone when done."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

from videojob.planning.jobplan import PlannedVideo
from videojob.ports import FetchedInput, InputFetcher

FetcherOf = Callable[[str, str], InputFetcher]
"""(address, expected bucket owner) to what fetches it."""


class FetchedFiles:
    """Implements `batch.VideoFiles` with whole copies, one video at a time in the scratch folder.

    Args:
        scratch: folder of the copies.
        fetcher_of: see `FetcherOf`.
    """

    def __init__(self, scratch: Path, fetcher_of: FetcherOf) -> None:
        self._scratch = scratch
        self._fetcher_of = fetcher_of
        self._here: dict[int, FetchedInput] = {}

    def get(self, video: PlannedVideo) -> Path:
        """See `batch.VideoFiles.get`."""
        if video.video not in self._here:
            fetcher = self._fetcher_of(video.address, video.owner)
            self._here[video.video] = fetcher.fetch(video.address, video.version, self._scratch)
        return self._here[video.video].path

    def drop(self, video: PlannedVideo) -> None:
        """See `batch.VideoFiles.drop`."""
        fetched = self._here.pop(video.video, None)
        if fetched is not None:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(fetched.path.parent)
