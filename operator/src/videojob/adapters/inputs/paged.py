"""A video that is too large to copy: its blocks are fetched as the decoder comes to them, and dropped behind it.

`PagedVideo` is what the decoder process's parent answers from. Blocks that are read one after the other are fetched
ahead, by a few threads, while the decoder is busy; the disk holds no more of them than it may.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from videojob.adapters.inputs.block_file import BlockFile, PunchHole, punch_hole
from videojob.adapters.inputs.ranges import RangedObject, read_range
from videojob.adapters.inputs.transfer import Progress, TransferPolicy, no_progress
from videojob.errors import Cancelled, VideoJobError
from videojob.ports import Paging

_POLL_S = 0.25  # how often a wait looks at the stop signal


class PagedVideo:
    """Implements `media.values.PagedSource` for a remote object.

    Calls come from one thread; those that fetch are its own, started when there is something to fetch. They are
    daemons: a read that hangs holds nobody's end up.

    Args:
        found: the object.
        folder: of its blocks, made and removed with it.
        paging: how it is divided, and its bounds.
        policy: limits and patience of a transfer.
        progress: told (uri, bytes fetched, size) again and again while somebody waits; may raise `Cancelled`.
        punch: gives room on the disk back.

    Attributes:
        fetched_bytes: how many came over the network so far.

    Raises:
        SetupError: the folder cannot be written.
    """

    def __init__(
        self,
        found: RangedObject,
        folder: Path,
        paging: Paging,
        policy: TransferPolicy,
        *,
        progress: Progress = no_progress,
        punch: PunchHole = punch_hole,
    ) -> None:
        self._found = found
        self._policy = policy
        self._progress = progress
        self._file = BlockFile(folder, found.size_bytes, paging.block_bytes, punch)
        self._most = max(2, paging.disk_bytes // paging.block_bytes)
        # What is fetched ahead must not drive out the block that is being read, nor the one that is needed next.
        self._most_ahead = min(paging.ahead_bytes // paging.block_bytes, self._most - 2)
        self._readers = paging.readers
        self.fetched_bytes = 0

        self._changed = threading.Condition()
        self._present: OrderedDict[int, None] = OrderedDict()  # longest unread first
        self._fetching: set[int] = set()
        self._needed: int | None = None
        self._ahead: list[int] = []
        self._failures: dict[int, Exception] = {}
        self._at = -1
        self._window = 0
        self._threads = 0
        self._is_closed = False

    @property
    def path(self) -> Path:
        """See `PagedSource.path`."""
        return self._file.path

    @property
    def presence(self) -> Path:
        """See `PagedSource.presence`."""
        return self._file.presence

    @property
    def size_bytes(self) -> int:
        """See `PagedSource.size_bytes`."""
        return self._file.size_bytes

    @property
    def block_bytes(self) -> int:
        """See `PagedSource.block_bytes`."""
        return self._file.block_bytes

    def touch(self, block: int) -> None:
        """See `PagedSource.touch`."""
        with self._changed:
            self._come_to(block)

    def ensure(self, block: int) -> None:
        """See `PagedSource.ensure`.

        Raises:
            InputChanged: the object was replaced.
            InputUnavailable: it cannot be read, retries included.
            SetupError: the disk is full, or there is no way in.
            Cancelled: `progress` says so.
        """
        with self._changed:
            # What failed when it was fetched ahead, perhaps long ago, has all its tries again.
            self._failures.clear()
            self._needed = block
            try:
                self._come_to(block)
                self._wait_for(block)
            finally:
                self._needed = None

    def _wait_for(self, block: int) -> None:
        while block not in self._present:
            if block in self._failures:
                raise self._failures[block]
            if self._is_closed:
                raise Cancelled("the video was closed", uri=self._found.uri)
            self._changed.wait(_POLL_S)
            self._progress(self._found.uri, self.fetched_bytes, self.size_bytes)

    def close(self) -> None:
        """See `PagedSource.close`."""
        with self._changed:
            if not self._is_closed:
                self._is_closed = True
                self._changed.notify_all()
                self._file.close()

    def _come_to(self, block: int) -> None:
        """The reader is at a block. One that goes on block by block will want the next ones: more each time."""
        if block in self._present:
            self._present.move_to_end(block)
        if block != self._at:
            self._window = min(self._most_ahead, max(1, 2 * self._window)) if block == self._at + 1 else 0
            self._at = block
            self._ahead = [one for one in range(block + 1, block + 1 + self._window) if one < self._file.blocks]
        self._start_readers()
        self._changed.notify_all()

    def _start_readers(self) -> None:
        wanted = min(self._readers, len(self._ahead) + (self._needed is not None))
        while self._threads < wanted:
            self._threads += 1
            threading.Thread(target=self._serve, name="video-blocks", daemon=True).start()

    def _serve(self) -> None:
        while (block := self._begin()) is not None:
            data: bytearray | None = None
            failure: Exception | None = None
            try:
                data = read_range(self._found, *self._file.span(block), self._policy)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told to the one who waits for the block
                failure = error
            self._end(block, data, failure)

    def _begin(self) -> int | None:
        """Waits for a block that is to be fetched; None when there will be none any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._next() is not None)
            block = None if self._is_closed else self._next()
            if block is not None:
                self._fetching.add(block)
            return block

    def _end(self, block: int, data: bytearray | None, failure: Exception | None) -> None:
        with self._changed:
            self._fetching.discard(block)
            if not self._is_closed:
                self._take(block, data, failure)
            self._changed.notify_all()

    def _next(self) -> int | None:
        """The block to fetch now, if any: the needed one first."""
        wanted = self._ahead if self._needed is None else [self._needed, *self._ahead]
        skipped = (self._present, self._fetching, self._failures)
        return next((block for block in wanted if not any(block in group for group in skipped)), None)

    def _take(self, block: int, data: bytearray | None, failure: Exception | None) -> None:
        try:
            if data is not None:
                self.fetched_bytes += len(data)
                self._make_room()
                self._file.write(block, data)
                self._present[block] = None
        except VideoJobError as error:
            failure = error
        if failure is not None:
            self._failures[block] = failure

    def _make_room(self) -> None:
        """Drops what was not read for longest, but never what is being read, until one more block fits."""
        while len(self._present) >= self._most:
            oldest = next(one for one in self._present if one != self._at)
            del self._present[oldest]
            if not self._file.drop(oldest):
                self._present.clear()
