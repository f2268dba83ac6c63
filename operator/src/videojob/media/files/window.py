"""Files that a demuxer reads by place: the common part, and a stretch of a file. Runs in the decoder process only."""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class PlacedBytes(io.RawIOBase, ABC):
    """A file over bytes that are asked for by their place."""

    name = "video"

    def __init__(self) -> None:
        self._position = 0

    @abstractmethod
    def size_bytes(self) -> int:
        """How many there are."""

    @abstractmethod
    def read_at(self, position: int, size: int) -> bytes:
        """Up to `size` bytes from a place on, none behind the end."""

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Moves to a place."""
        start = (0, self._position, self.size_bytes())[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes, none behind the end."""
        data = self.read_at(self._position, self.size_bytes() if size < 0 else size)
        self._position += len(data)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """The same, into a buffer."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


class Window(PlacedBytes):
    """A stretch of a file as a file of its own.

    Args:
        file: the whole one; is closed with this.
        start, stop: the stretch in bytes.
    """

    def __init__(self, file: BinaryIO, start: int, stop: int) -> None:
        super().__init__()
        self._file = file
        self._start, self._stop = start, stop

    def size_bytes(self) -> int:
        """How many there are."""
        return self._stop - self._start

    def read_at(self, position: int, size: int) -> bytes:
        """Up to `size` bytes from a place on, none behind the end."""
        self._file.seek(self._start + position)
        return self._file.read(min(size, max(0, self.size_bytes() - position)))

    def close(self) -> None:
        """Closes the whole file, too."""
        self._file.close()
        super().close()
