"""A stretch of a file as a file of its own. Runs in the decoder process only."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Window(io.RawIOBase):
    """A stretch of a file as a file of its own, for a demuxer.

    Args:
        file: the whole one; is closed with this.
        start, stop: the stretch in bytes.
    """

    name = "video"

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        self._file = file
        self._start, self._stop = start, stop
        self._position = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The place in the stretch."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Moves to a place in the stretch."""
        start = (0, self._position, self._stop - self._start)[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes of the stretch, none behind its end."""
        left = max(0, self._stop - self._start - self._position)
        self._file.seek(self._start + self._position)
        data = self._file.read(left if size < 0 else min(size, left))
        self._position += len(data)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """The same, into a buffer."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Closes the whole file, too."""
        self._file.close()
        super().close()
