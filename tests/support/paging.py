"""Paged videos in tests: the real pager before a local file that stands for a remote one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videojob.adapters.inputs.block_file import PunchHole, punch_hole
from videojob.adapters.inputs.paged import PagedVideo
from videojob.adapters.inputs.ranges import RangedObject
from videojob.adapters.inputs.transfer import Progress, TransferPolicy, no_progress
from videojob.ports.inputs import Paging


@dataclass
class Remote:
    """A local file in the place of a remote object.

    Attributes:
        path: of the file.
        reads: (start, stop) asked for so far.
        failures: each is raised once instead of an answer.
        cuts: each ends one answer after so many bytes.
        gate: reads wait for it.
    """

    path: Path
    reads: list[tuple[int, int]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    @contextmanager
    def open_range(self, start: int, stop: int) -> Iterator[Iterator[bytes]]:
        self.gate.wait()
        self.reads.append((start, stop))
        if self.failures:
            raise self.failures.pop(0)
        with self.path.open("rb") as file:
            file.seek(start)
            data = file.read(stop - start)
        if self.cuts:
            data = data[: self.cuts.pop(0)]
        yield (data[at : at + 1000] for at in range(0, len(data), 1000))

    @property
    def found(self) -> RangedObject:
        return RangedObject("s3://bucket/clip", "version:1", self.path.stat().st_size, self.open_range)

    def pages(
        self, folder: Path, *, progress: Progress = no_progress, punch: PunchHole = punch_hole, **changes: Any
    ) -> PagedVideo:
        """Blocks of 4 KiB, room for eight of them, two ahead, unless told otherwise."""
        settings = {"disk_bytes": 8 << 12, "block_bytes": 1 << 12, "ahead_bytes": 2 << 12, "readers": 2} | changes
        policy = TransferPolicy(pause=lambda _: None)
        return PagedVideo(self.found, folder, Paging(**settings), policy, progress=progress, punch=punch)


@contextmanager
def paged(path: Path, folder: Path, **changes: Any) -> Iterator[PagedVideo]:
    """A paged video of a file, in a folder that is gone at the end; settings as in `Remote.pages`."""
    pages = Remote(path).pages(folder / "blocks", **changes)
    try:
        yield pages
    finally:
        pages.close()
    assert not (folder / "blocks").exists()
