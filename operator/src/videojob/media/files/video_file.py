"""How the decoder process reads a video: from a whole file, or from one that its parent fills as it is read.

Both are asked for bytes by the sniffer, by the look at the structure and by FFmpeg, and by nothing else. Of a paged
file only blocks are read that are there: a hole in it never reaches a demuxer.
"""

from __future__ import annotations

import io
import mmap
import os
import stat
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from videojob.errors import InputNotFound, InputNotVideo, InputUnavailable, VideoJobError
from videojob.media.files import sniff
from videojob.media.files.mailbox import Dropped, Inbox, Outbox
from videojob.media.files.window import PlacedBytes
from videojob.media.protocol import lines as protocol
from videojob.media.protocol.messages import COUNTER_BYTES

FFMPEG_BUFFER_BYTES = 64 << 10
"""How much FFmpeg takes of a paged file at once: larger costs seeks, smaller costs calls."""
_WHOLE_AHEAD_BYTES = 1 << 20
_MOST_SPANS = 32


class VideoFile(Protocol):
    """A video that can be read at any place."""

    waited_s: float
    """Seconds that were spent waiting for bytes to come to this machine."""
    ahead_bytes: int
    """How far a scan of packets' heads may read ahead of FFmpeg at no cost."""

    def head(self, uri: str) -> bytes:
        """The first bytes. Raises InputNotFound, InputUnavailable, InputNotVideo."""
        ...

    def size_bytes(self) -> int:
        """How long it is."""
        ...

    def reading(self) -> BinaryIO:
        """It as a file that the caller closes."""
        ...

    def for_ffmpeg(self) -> tuple[Any, dict[str, Any]]:
        """What `av.open` is given: the file, and named arguments."""
        ...

    def check(self) -> None:
        """Raises what ended reading too early: to FFmpeg it looked like the end of the file."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...


class WholeFile(VideoFile):
    """Implements `VideoFile` for a local file that FFmpeg reads itself.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.waited_s = 0.0
        self.ahead_bytes = _WHOLE_AHEAD_BYTES

    def head(self, uri: str) -> bytes:
        """The first bytes of a regular file.

        Raises:
            InputNotFound, InputUnavailable: it cannot be read.
            InputNotVideo: it is a folder, a pipe or a device.
        """
        try:
            # Without O_NONBLOCK, opening a pipe would wait for a writer.
            handle = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise InputNotFound("no such file", uri=uri) from error
        except OSError as error:
            raise InputUnavailable(
                f"the file cannot be opened: {error.strerror}",
                uri=uri,
                hint="Check that this user may read the file.",
                retryable=False,
            ) from error
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InputNotVideo("not a regular file", uri=uri)
            return os.pread(handle, sniff.HEAD_BYTES, 0)
        except OSError as error:
            raise InputUnavailable(f"the file cannot be read: {error.strerror}", uri=uri) from error
        finally:
            os.close(handle)

    def size_bytes(self) -> int:
        return self._path.stat().st_size

    def reading(self) -> BinaryIO:
        return self._path.open("rb")

    def for_ffmpeg(self) -> tuple[Any, dict[str, Any]]:
        return os.fspath(self._path), {}

    def check(self) -> None:
        """Nothing: FFmpeg tells of its own reads."""

    def close(self) -> None:
        """Nothing: whoever reads it opens it."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Where a paged file lies.

    Attributes:
        path: of the sparse file.
        presence: of the file with one counter of 32 bits for each block, odd while the block is there.
        size_bytes: of the whole video. block_bytes: of every block but the last.
    """

    path: Path
    presence: Path
    size_bytes: int
    block_bytes: int


def pages_from_message(values: protocol.Message) -> Pages:
    """Reads what `protocol.pages_to_message` wrote."""
    return Pages(Path(values["path"]), Path(values["presence"]), int(values["size_bytes"]), int(values["block_bytes"]))


@dataclass(frozen=True, slots=True)
class Overlay:
    """Bytes that stand in the place of the file's own.

    Attributes:
        at: of the first one. data: all of them.
    """

    at: int
    data: bytes


class PagedFile(VideoFile):
    """Implements `VideoFile` for a file that the parent fills: what is missing is asked for, and waited for.

    Args:
        pages: where it lies.
        run: of the probe or segment that reads it.
        inbox, outbox: the way to the parent.
        overlay: what stands in the place of some bytes, which are then never asked for.
    """

    def __init__(self, pages: Pages, run: int, inbox: Inbox, outbox: Outbox, overlay: Overlay | None = None) -> None:
        self._pages = pages
        self._overlay = overlay
        self._read_spans: list[tuple[int, int]] = []
        self._run = run
        self._inbox, self._outbox = inbox, outbox
        self._at = -1
        self._failure: VideoJobError | Dropped | None = None
        self.waited_s = 0.0
        self.ahead_bytes = FFMPEG_BUFFER_BYTES
        self._handle = os.open(pages.path, os.O_RDONLY | os.O_CLOEXEC)
        counters = max(1, -(-pages.size_bytes // pages.block_bytes))
        with pages.presence.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), counters * COUNTER_BYTES, prot=mmap.PROT_READ)
        self._presence = memoryview(self._map).cast("I")

    def head(self, uri: str) -> bytes:  # noqa: ARG002 - part of the protocol
        """The first bytes."""
        with self.reading() as file:
            return file.read(sniff.HEAD_BYTES)

    def size_bytes(self) -> int:
        return self._pages.size_bytes

    def reading(self) -> BinaryIO:
        return io.BufferedReader(_Reader(self))

    def for_ffmpeg(self) -> tuple[Any, dict[str, Any]]:
        return _Reader(self), {"buffer_size": FFMPEG_BUFFER_BYTES}

    def check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Closes what it is read through."""
        self._presence.release()
        self._map.close()
        os.close(self._handle)

    def read_at(self, position: int, size: int) -> bytes:
        """Some bytes from `position` on, at most `size` and not beyond the block's end; none at the end of the file.

        Never raises, as FFmpeg would keep the error for whom it does not concern: see `check`.
        """
        if self._failure is not None or not 0 <= position < self._pages.size_bytes or size <= 0:
            return b""
        overlay = self._overlay
        if overlay is not None and position < overlay.at + len(overlay.data):
            if position >= overlay.at:
                return overlay.data[position - overlay.at :][:size]
            size = min(size, overlay.at - position)
        try:
            return self._read(position, size)
        except (VideoJobError, Dropped) as failure:
            self._failure = failure
        except OSError as error:
            self._failure = InputUnavailable(f"the local copy cannot be read: {error.strerror}")
        return b""

    def _read(self, position: int, size: int) -> bytes:
        block = position // self._pages.block_bytes
        # FFmpeg fills its buffer whether or not it needs all of it; what it asks for beyond that, it does need.
        sure = position + size if size > FFMPEG_BUFFER_BYTES else position + 1
        end = min(position + size, (block + 1) * self._pages.block_bytes, self._pages.size_bytes)
        while True:
            seen = self._presence[block]
            if not seen & 1:
                self._fetch(block, min(sure, self._pages.size_bytes))
                continue
            if block != self._at:
                self._at = block
                self._outbox.send({"run": self._run, "at": block})
            data = os.pread(self._handle, end - position, position)
            # A block that was taken away meanwhile, and one that came back, have another count.
            if self._presence[block] == seen:
                break
        if len(data) != end - position:
            raise InputUnavailable("the local copy is shorter than it should be")
        if len(self._read_spans) < _MOST_SPANS:
            self._read_spans = _joined([*self._read_spans, (position, end)])
        return data

    def read_so_far(self) -> tuple[tuple[int, int], ...]:
        """(first byte, the one behind the last) of the stretches that were read, ascending; of the first few."""
        return tuple(self._read_spans)

    def _fetch(self, block: int, sure: int) -> None:
        started_s = time.monotonic()
        self._at = block
        before = self._inbox.fills(self._run)
        # What was decoded goes out first: whoever consumes it may take as long as the block.
        self._outbox.flush(self._run)
        blocks = -(-sure // self._pages.block_bytes) - block
        self._outbox.send({"run": self._run, "need": block, "blocks": blocks})
        self._inbox.wait_filled(self._run, before)
        self.waited_s += time.monotonic() - started_s


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same stretches, those that touch made one."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


class _Reader(PlacedBytes):
    """A place in a paged file."""

    def __init__(self, file: PagedFile) -> None:
        super().__init__()
        self._file = file

    def size_bytes(self) -> int:
        return self._file.size_bytes()

    def read_at(self, position: int, size: int) -> bytes:
        return self._file.read_at(position, size)


def video_of(
    message: protocol.Message, inbox: Inbox, outbox: Outbox, overlay: Overlay | None = None
) -> closing[VideoFile]:
    """The video that a probe or open command is about, closed at the end of a `with` block."""
    pages = message.get("pages")
    if pages is None:
        return closing(WholeFile(Path(message["path"])))
    return closing(PagedFile(pages_from_message(pages), int(message["run"]), inbox, outbox, overlay))
