"""What pods have of their videos on disk: blocks of those that can be read in parts, copies of the others.

Kubernetes ends a pod whose scratch folder outgrows its limit, and a video may be far larger than that. So whoever reads
only some of a video fetches only that; and what is here of it is bounded, however much is read.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from videojob.ports.inputs import FetchedInput, InputFetcher, Paging
from videojob.video.plan import PlannedVideo
from videojob.worker.pods.batch import VideoFiles

FetcherOf = Callable[[PlannedVideo], InputFetcher]
"""What fetches a video of the plan."""

SCRATCH_BYTES = 4 << 30
"""Limit of the scratch folder where nobody says another."""

_MOST_WORK_BYTES = 512 << 20
_MOST_PROBE_BYTES = 64 << 20
_PROBE_BLOCK_BYTES = 16 << 10
_LEAST_BLOCK_BYTES = 16 << 10
_MOST_BLOCK_BYTES = 256 << 10
_BLOCKS_OF_SEGMENT = 64
_PROBE_AHEAD_BYTES = 256 << 10


def most_copied_bytes(scratch_bytes: int) -> int:
    """The largest video that may be copied whole into a scratch folder: the rest is for blocks and small things."""
    return scratch_bytes // 2


def paging_for_work(scratch_bytes: int) -> Paging:
    """For segments, read one after the other. More of them than make up for seeking help nobody."""
    return Paging(disk_bytes=min(scratch_bytes // 4, _MOST_WORK_BYTES))


def paging_for_probes(scratch_bytes: int, probes: int) -> Paging:
    """For probing, `probes` videos at once: small blocks, as it reads a picture here and there, and the index."""
    disk_bytes = min(scratch_bytes // 4 // probes, _MOST_PROBE_BYTES)
    return Paging(disk_bytes, block_bytes=_PROBE_BLOCK_BYTES, ahead_bytes=_PROBE_AHEAD_BYTES)


def block_bytes(segment_bytes: int) -> int:
    """Of a video with segments of this length: at either end, half a block is fetched that nobody reads."""
    size = _LEAST_BLOCK_BYTES
    while size < min(_MOST_BLOCK_BYTES, segment_bytes // _BLOCKS_OF_SEGMENT):
        size *= 2
    return size


def discard(fetched: FetchedInput) -> None:
    """Removes what is here of a video, with its folder."""
    if fetched.pages is not None:
        fetched.pages.close()
        return
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(fetched.path.parent)


class FetchedFiles(VideoFiles):
    """Implements `batch.VideoFiles`: one video at a time in the scratch folder.

    Args:
        scratch: the folder.
        fetcher_of: see `FetcherOf`.
        paging: for videos that can be read in parts.
    """

    def __init__(self, scratch: Path, fetcher_of: FetcherOf, paging: Paging) -> None:
        self._scratch = scratch
        self._fetcher_of = fetcher_of
        self._paging = paging
        self._here: dict[int, FetchedInput] = {}

    def get(self, video: PlannedVideo) -> FetchedInput:
        if video.video not in self._here:
            self._here[video.video] = self._fetched(video)
        return self._here[video.video]

    def _fetched(self, video: PlannedVideo) -> FetchedInput:
        fetcher = self._fetcher_of(video)
        info = video.info
        segment_bytes = 0 if info is None else info.size_bytes // max(1, video.segment_count)
        paging = replace(self._paging, block_bytes=block_bytes(segment_bytes))
        paged = fetcher.page(video.address, video.version, self._scratch, paging)
        return fetcher.fetch(video.address, video.version, self._scratch) if paged is None else paged

    def drop(self, video: PlannedVideo) -> None:
        fetched = self._here.pop(video.video, None)
        if fetched is not None:
            discard(fetched)
