"""A video that is too large to copy: its blocks are fetched as the decoder comes to them, and dropped behind it.

`PagedVideo` is what the decoder process's parent answers from. Blocks are small, so that little is fetched that nobody
reads; neighbouring ones come in one request, so that small blocks do not cost many. What is read one after the other is
fetched ahead, by a few threads, while the decoder is busy, but never beyond what is known to be read (`expect`); the
disk holds no more blocks than it may.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from videojob.adapters.inputs.block_file import BlockFile, PunchHole, punch_hole
from videojob.adapters.inputs.ranges import RangedObject, read_range
from videojob.adapters.inputs.transfer import Progress, TransferPolicy, no_progress
from videojob.errors import Cancelled, VideoJobError
from videojob.media.protocol.messages import PagedSource
from videojob.ports.inputs import Paging

_POLL_S = 0.25  # how often a wait checks the stop signal
_FEW_BLOCKS, _MANY_BLOCKS = (
    2,
    8,
)  # read one after the other before more are fetched: by guess, and against what is known


class PagedVideo(PagedSource):
    """Implements `media.protocol.messages.PagedSource` for a remote object.

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
        self._most_at_once = max(1, paging.request_bytes // paging.block_bytes)
        self._readers = paging.readers
        self.fetched_bytes = 0

        self._changed = threading.Condition()
        self._present: OrderedDict[int, None] = OrderedDict()  # longest unread first
        self._fetching: set[int] = set()
        self._needed: int | None = None
        self._ahead = range(0)
        self._failures: dict[int, Exception] = {}
        self._expected: tuple[range, ...] | None = None
        self._at = -1
        self._window = self._in_a_row = 0
        self._threads = 0
        self._is_closed = False

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def presence(self) -> Path:
        return self._file.presence

    @property
    def size_bytes(self) -> int:
        return self._file.size_bytes

    @property
    def block_bytes(self) -> int:
        return self._file.block_bytes

    def expect(self, spans: Sequence[tuple[int, int]]) -> None:
        size = self.block_bytes
        with self._changed:
            self._expected = tuple(range(start // size, -(-stop // size)) for start, stop in spans)
            self._ahead = range(0)
            self._at, self._window, self._in_a_row = -1, 0, 0

    def touch(self, block: int) -> None:
        with self._changed:
            self._come_to(block, 1)

    def ensure(self, block: int, count: int = 1) -> None:
        """Fetches a block, and waits until it is there.

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
                self._come_to(block, count)
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
        with self._changed:
            if not self._is_closed:
                self._is_closed = True
                self._changed.notify_all()
                self._file.close()

    def _come_to(self, block: int, count: int) -> None:
        """The reader is at a block, and will read `count` from there on; what it reads behind them is guessed."""
        if block in self._present:
            self._present.move_to_end(block)
        if block != self._at:
            self._in_a_row = self._in_a_row + 1 if block == self._at + 1 else 0
            # One that goes on block by block will want the next ones: more each time.
            is_on = self._in_a_row > (_FEW_BLOCKS if self._expected is None else _MANY_BLOCKS)
            self._window = min(self._most_ahead, max(1, 2 * self._window)) if is_on else 0
            self._at = block
        stop = max(self._stop_ahead(block), min(block + count, block + 1 + self._most_ahead, self._file.blocks))
        self._ahead = range(block + 1, stop)
        self._start_readers()
        self._changed.notify_all()

    def _stop_ahead(self, block: int) -> int:
        """The block up to which it is worth to fetch now."""
        first, most, end = block + 1, self._window, self._file.blocks
        if self._expected is not None:
            span = next((span for span in self._expected if block in span), None)
            if span is not None:
                most, end = self._most_ahead, min(span.stop, end)
        stop = min(first + most, end)
        # Half of what may be ahead is fetched at once: block by block it would take as many requests.
        half = min(first + max(1, most // 2), stop)
        if all(one in self._present or one in self._fetching for one in range(first, half)):
            return max(first, min(stop, self._ahead.stop))
        return stop

    def _start_readers(self) -> None:
        needed_readers = min(self._readers, -(-len(self._ahead) // self._most_at_once) + (self._needed is not None))
        while self._threads < needed_readers:
            self._threads += 1
            threading.Thread(target=self._serve, name="video-blocks", daemon=True).start()

    def _serve(self) -> None:
        while (blocks := self._begin()) is not None:
            data: bytearray | None = None
            failure: Exception | None = None
            try:
                start, stop = self._file.span(blocks[0])[0], self._file.span(blocks[-1])[1]
                data = read_range(self._found, start, stop, self._policy)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the block is awaited for the block
                failure = error
            self._end(blocks, data, failure)

    def _begin(self) -> range | None:
        """Waits for blocks that are to be fetched, neighbours; None when there will be none any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._next() is not None)
            blocks = None if self._is_closed else self._next()
            if blocks is not None:
                self._fetching.update(blocks)
            return blocks

    def _end(self, blocks: range, data: bytearray | None, failure: Exception | None) -> None:
        with self._changed:
            self._fetching.difference_update(blocks)
            if not self._is_closed:
                self._take(blocks, data, failure)
            self._changed.notify_all()

    def _next(self) -> range | None:
        """The blocks to fetch now in one request, if any: from the needed one on first."""
        needed = self._needed
        if needed is not None and self._is_missing(needed):
            return self._run_from(needed)
        first = next((block for block in self._ahead if self._is_missing(block)), None)
        return None if first is None else self._run_from(first)

    def _run_from(self, first: int) -> range:
        stop = first + 1
        while stop in self._ahead and self._is_missing(stop) and stop - first < self._most_at_once:
            stop += 1
        return range(first, stop)

    def _is_missing(self, block: int) -> bool:
        return not (block in self._present or block in self._fetching or block in self._failures)

    def _take(self, blocks: range, data: bytearray | None, failure: Exception | None) -> None:
        if data is not None:
            self.fetched_bytes += len(data)
            view = memoryview(data)
            try:
                for block in blocks:
                    if block not in self._present:
                        self._make_room()
                        start = (block - blocks[0]) * self.block_bytes
                        self._file.write(block, view[start : start + self.block_bytes])
                        self._present[block] = None
            except VideoJobError as error:
                failure = error
        if failure is not None:
            self._failures |= {block: failure for block in blocks if block not in self._present}

    def _make_room(self) -> None:
        """Drops what was not read for longest, but never what is being read, until one more block fits."""
        while len(self._present) >= self._most:
            oldest = next(one for one in self._present if one != self._at)
            del self._present[oldest]
            if not self._file.drop(oldest):
                self._present.clear()
