"""Folders that appear whole or not at all, and one writer at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_UNFINISHED = ".unfinished-"
_REPLACED = ".replaced"


@contextlib.contextmanager
def locked(repository: Path) -> Iterator[None]:
    """Keeps other processes from writing to the repository; made when it does not exist."""
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def replace_folder(folder: Path) -> Iterator[Path]:
    """An empty folder of that name which takes the place of `folder` at the end, or is removed when the block raises.

    The caller holds the lock. What an earlier process left when it was killed is put back or removed first. Triton
    looks at folders with a config.pbtxt inside; what is unfinished lies one level deeper, out of its sight.
    """
    for left in folder.parent.glob(f"{_UNFINISHED}*"):
        _restore(left)
        shutil.rmtree(left)
    workshop = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
    try:
        unfinished = workshop / folder.name
        unfinished.mkdir()
        yield unfinished
        if folder.exists():
            (workshop / _REPLACED).mkdir()
            folder.rename(workshop / _REPLACED / folder.name)
        unfinished.rename(folder)
        _sync(folder.parent)
    finally:
        _restore(workshop)
        shutil.rmtree(workshop)


def _restore(workshop: Path) -> None:
    """Puts a model that was moved away back into its place, when nothing has taken it."""
    for replaced in workshop.glob(f"{_REPLACED}/*"):
        place = workshop.parent / replaced.name
        if not place.exists():
            replaced.rename(place)


def _sync(folder: Path) -> None:
    """Makes a rename last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
