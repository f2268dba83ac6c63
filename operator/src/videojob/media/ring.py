"""Frame slots in a plain file: the decoder process writes them, runner and server read them, nobody copies.

The file lies in /dev/shm where there is one (memory), else in the temporary folder. It is unlinked by `close`; the
mapping of every process that has it stays good until that process ends.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - mkstemp makes the name unguessable and the file private
_PAGE_BYTES = 4096


class FileRing:
    """Implements `ports.FrameRing`.

    Args:
        slots: frames it can hold.
        slot_bytes: bytes of one frame.
    """

    def __init__(self, slots: int, slot_bytes: int) -> None:
        if slots < 1 or slot_bytes < 1:
            raise ValueError(f"a ring needs slots and bytes, got {slots} x {slot_bytes}")
        self._slots = slots
        self._slot_bytes = slot_bytes
        folder = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
        handle, name = tempfile.mkstemp(prefix="videojob-ring-", dir=folder)
        try:
            size = -(-slots * slot_bytes // _PAGE_BYTES) * _PAGE_BYTES
            # Reserves the memory now: a full /dev/shm must be an OSError here, not a SIGBUS at the first write.
            os.posix_fallocate(handle, 0, size)
            self._map = mmap.mmap(handle, size)
        except OSError:
            Path(name).unlink()
            raise
        finally:
            os.close(handle)
        self._path: Path = Path(name)
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
