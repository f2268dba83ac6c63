"""A sparse local file of a video whose blocks come and go, as the decoder process reads it."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from videojob.adapters.inputs.transfer import disk_error
from videojob.media.protocol.messages import COUNTER_BYTES

_KEEP_SIZE_AND_PUNCH_HOLE = 0x01 | 0x02  # FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
_NO_HOLES = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})

PunchHole = Callable[[int, int, int], None]
"""(file descriptor, start, length): gives a stretch of a file back to the file system. Raises OSError."""


def punch_hole(handle: int, start: int, length: int) -> None:
    """Gives the room of a range on the disk back; raises OSError where the file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_int(_KEEP_SIZE_AND_PUNCH_HOLE), ctypes.c_long(start), ctypes.c_long(length))
    if libc.fallocate(ctypes.c_int(handle), *arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class BlockFile:
    """The file, and the counters that say which of its blocks are there. For one thread at a time.

    Args:
        folder: is made for it, and removed with it.
        size_bytes: of the video.
        block_bytes: of every block but the last.
        punch: gives room back.

    Raises:
        SetupError: the folder cannot be written.
    """

    def __init__(self, folder: Path, size_bytes: int, block_bytes: int, punch: PunchHole = punch_hole) -> None:
        self.path = folder / "video"
        self.presence = folder / "presence"
        self.size_bytes = size_bytes
        self.block_bytes = block_bytes
        self.blocks = -(-size_bytes // block_bytes)
        self._folder = folder
        self._punch = punch
        # mmap refuses an empty file: a video without a byte has a counter, too.
        length = max(1, self.blocks) * COUNTER_BYTES
        try:
            folder.mkdir(parents=True)
            with self.presence.open("x+b") as file:
                file.truncate(length)
                self._map = mmap.mmap(file.fileno(), length)
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._handle, size_bytes)
        except OSError as error:
            raise disk_error(error, folder) from error
        self._counters = memoryview(self._map).cast("I")

    def span(self, block: int) -> tuple[int, int]:
        """First byte of a block, and the one behind its last."""
        start = block * self.block_bytes
        return start, min(start + self.block_bytes, self.size_bytes)

    def write(self, block: int, data: bytes | bytearray | memoryview) -> None:
        """Puts a block there that is not. Raises SetupError: the disk is full."""
        view = memoryview(data)
        position, stop = self.span(block)
        try:
            while position < stop:
                written = os.pwrite(self._handle, view, position)
                position += written
                view = view[written:]
        except OSError as error:
            raise disk_error(error, self.path) from error
        self._move_on(block)

    def drop(self, block: int) -> bool:
        """Takes a block away; False when all others had to go with it, as this file system has no holes in files."""
        self._move_on(block)
        start, stop = self.span(block)
        try:
            self._punch(self._handle, start, stop - start)
        except OSError as error:
            if error.errno not in _NO_HOLES:
                raise disk_error(error, self.path) from error
            self._drop_all()
            return False
        return True

    def _drop_all(self) -> None:
        for block in range(self.blocks):
            if self._counters[block] & 1:
                self._move_on(block)
        os.ftruncate(self._handle, 0)
        os.ftruncate(self._handle, self.size_bytes)

    def _move_on(self, block: int) -> None:
        self._counters[block] = (self._counters[block] + 1) & 0xFFFFFFFF

    def close(self) -> None:
        """Removes the files."""
        self._counters.release()
        self._map.close()
        os.close(self._handle)
        shutil.rmtree(self._folder, ignore_errors=True)
