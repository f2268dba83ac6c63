"""Frame slots in a plain file: the decoder process writes them, runner and server read them, nobody copies.

The file lies in /dev/shm (memory) where that has room, else in the temporary folder. It is unlinked by `close`; the
mapping of every process that has it stays good until that process ends. A killed process leaves its file behind, but
not the lock on it: whoever makes the next ring removes the files that nobody holds.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videojob.errors import SetupError

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - mkstemp makes the name unguessable and the file private
_PAGE_BYTES = 4096
_PREFIX = "videojob-ring-"


def folders() -> tuple[Path, ...]:
    """Where rings may lie, the best first."""
    return _SHARED_MEMORY, Path(tempfile.gettempdir())


class FileRing:
    """Implements `ports.FrameRing`.

    Args:
        slots: frames it can hold.
        slot_bytes: bytes of one frame.

    Raises:
        SetupError: neither place has room for it.
    """

    def __init__(self, slots: int, slot_bytes: int) -> None:
        if slots < 1 or slot_bytes < 1:
            raise ValueError(f"a ring needs slots and bytes, got {slots} x {slot_bytes}")
        self._slots = slots
        self._slot_bytes = slot_bytes
        _sweep()
        self._path, self._handle, self._map = _reserve(-(-slots * slot_bytes // _PAGE_BYTES) * _PAGE_BYTES)
        self._bytes = np.frombuffer(self._map, dtype=np.uint8)

    @property
    def path(self) -> Path:
        """The file behind the ring."""
        return self._path

    @property
    def slots(self) -> int:
        """How many frames it holds."""
        return self._slots

    @property
    def slot_bytes(self) -> int:
        """Bytes from one slot's start to the next one's."""
        return self._slot_bytes

    def view(self, first_slot: int, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
        """(count, *shape) view on neighbouring slots."""
        if first_slot < 0 or count < 1 or first_slot + count > self._slots:
            raise IndexError(f"slots {first_slot}..{first_slot + count} are not inside a ring of {self._slots}")
        start = first_slot * self._slot_bytes
        return self._bytes[start : start + count * self._slot_bytes].reshape(count, *shape)

    def close(self) -> None:
        """Removes the file; a second call does nothing."""
        self._path.unlink(missing_ok=True)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _reserve(size: int) -> tuple[Path, int | None, mmap.mmap]:
    """A private mapped file: in memory where there is room (a container has 64 MB by default), else on disk."""
    refusals = []
    for folder in folders():
        try:
            return _map_file(folder, size)
        except OSError as error:
            refusals.append(f"{folder}: {error.strerror}")
    raise SetupError(
        f"no room for {size >> 20} MiB of frames ({'; '.join(refusals)})",
        hint="Give the container a larger /dev/shm (a memory emptyDir on Kubernetes, --shm-size elsewhere), "
        "or use fewer workers.",
    )


def _map_file(folder: Path, size: int) -> tuple[Path, int | None, mmap.mmap]:
    handle, name = _locked_file(folder)
    try:
        # Asked first, because reserving more than there is fills the place for a moment, and others die of that.
        room = os.fstatvfs(handle)
        if room.f_bavail * room.f_frsize < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        # Reserves the memory now: a full /dev/shm must be an OSError here, not a SIGBUS at the first write.
        os.posix_fallocate(handle, 0, size)
        return name, handle, mmap.mmap(handle, size)
    except OSError:
        name.unlink(missing_ok=True)
        os.close(handle)
        raise


def _locked_file(folder: Path) -> tuple[int, Path]:
    while True:
        handle, name = tempfile.mkstemp(prefix=_PREFIX, dir=folder)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # else somebody swept it between its making and its lock
            return handle, Path(name)
        os.close(handle)


def _sweep() -> None:
    """Removes rings that no process holds; other people's and those of other containers are left or held."""
    for folder in folders():
        for path in folder.glob(f"{_PREFIX}*"):
            with contextlib.suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def is_running(pid: int) -> bool:
    """Whether a process of this id is alive on this machine, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and alive
    return True
