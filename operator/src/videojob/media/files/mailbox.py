"""The decoder process's ends of its pipes, and of the frame rings that it is handed."""

from __future__ import annotations

import mmap
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from videojob.media.protocol import lines as protocol

_FLUSH_S = 0.004
_FLUSH_FRAMES = 16
_BEAT_S = 1.0


class Dropped(Exception):
    """The parent no longer wants this segment."""


class Inbox:
    """Commands, read by a thread of its own so that releases arrive while pictures are decoded.

    Args:
        stream: where they come from.
        at_end: called when the parent has closed it.
    """

    def __init__(self, stream: BinaryIO, at_end: Callable[[], None]) -> None:
        self._stream = stream
        self._at_end = at_end
        self._changed = threading.Condition()
        self._work: deque[protocol.Message] = deque()
        self._run = 0
        self._free: set[int] = set()
        self._dropped = 0
        self._fills = (0, 0)

    def run(self) -> None:
        """Reads until the parent closes the pipe."""
        for line in self._stream:
            with self._changed:
                self._take(protocol.decode(line))
                self._changed.notify_all()
        self._at_end()

    def _take(self, message: protocol.Message) -> None:
        kind, run = message["op"], int(message.get("run", 0))
        if kind == "release":
            # Words about an earlier segment may be on their way still.
            if run == self._run:
                self._free.update(message["slots"])
        elif kind == "drop":
            self._dropped = max(self._dropped, run)
        elif kind == "filled":
            self._fills = (run, self.fills(run) + 1)
        else:
            if kind == "open":
                self._run = run
                self._free = set(range(message["ring"]["slots"]))
            self._work.append(message)

    def next_work(self) -> protocol.Message:
        """The next probe or open; waits for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._work)
            return self._work.popleft()

    def check(self, run: int) -> None:
        """Raises Dropped when the parent gave this run up."""
        if run <= self._dropped:
            raise Dropped

    def fills(self, run: int) -> int:
        """How often the parent said to this run that a missing block is there."""
        of_run, count = self._fills
        return count if of_run == run else 0

    def wait_filled(self, run: int, before: int) -> None:
        """Waits until `fills` is more than before. Raises Dropped."""
        with self._changed:
            self._changed.wait_for(lambda: self.fills(run) > before or run <= self._dropped)
            self.check(run)

    def has_slot(self, slot: int) -> bool:
        """Whether the slot is free now."""
        return slot in self._free

    def take_slot(self, slot: int, run: int) -> None:
        """Waits until the slot is free, and takes it. Raises Dropped."""
        if slot not in self._free:
            with self._changed:
                self._changed.wait_for(lambda: slot in self._free or run <= self._dropped)
        self.check(run)
        # Only this thread takes slots, and a set's operations are atomic.
        self._free.discard(slot)


class Outbox:
    """Answers. Frames go out several per line when they come fast.

    Args:
        stream: where they go.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._frames: list[tuple[int, int | None]] = []
        self._last_s = 0.0

    def send(self, message: protocol.Message) -> None:
        """Writes one line now."""
        self._stream.write(protocol.encode(message))
        self._stream.flush()
        self._last_s = time.monotonic()

    def frame(self, run: int, pts: int, slot: int | None) -> None:
        """Queues a frame, and writes the queue unless something was written a moment ago."""
        self._frames.append((pts, slot))
        if len(self._frames) >= _FLUSH_FRAMES or time.monotonic() - self._last_s >= _FLUSH_S:
            self.flush(run)

    def flush(self, run: int) -> None:
        """Writes what is queued."""
        if self._frames:
            self.send({"run": run, "frames": self._frames})
            self._frames = []

    def discard(self) -> None:
        """Forgets what is queued."""
        self._frames = []

    def beat(self, run: int, packets: int) -> None:
        """Says that decoding goes on, when nothing was said for a while; queued frames first."""
        if time.monotonic() - self._last_s >= _FLUSH_S:
            self.flush(run)
            if time.monotonic() - self._last_s >= _BEAT_S:
                self.send({"run": run, "beat": packets})


class RingInbox:
    """Rings as they come from the parent: opened, as this process can open nothing to write.

    Args:
        handle: of the socket on which they come; the parent sends one before each "open".
    """

    def __init__(self, handle: int) -> None:
        self._socket = socket.socket(fileno=handle)

    def take(self, message: protocol.Message) -> mmap.mmap:
        """The ring of an "open" command, mapped; to be called once for each, in their order."""
        _, handles, _, _ = socket.recv_fds(self._socket, 16, 1)
        if not handles:
            raise EOFError("the parent no longer sends rings")
        try:
            return mmap.mmap(handles[0], int(message["ring"]["slots"]) * int(message["ring"]["slot_bytes"]))
        finally:
            os.close(handles[0])


class MappedRing:
    """Slots of a mapped ring.

    Args:
        mapped: the ring's file.
        message: the "ring" of an open command.
        shape: (height, width, 3) of a frame.
    """

    def __init__(self, mapped: mmap.mmap, message: protocol.Message, shape: tuple[int, int, int]) -> None:
        self.slots = int(message["slots"])
        self._slot_bytes = int(message["slot_bytes"])
        self._shape = shape
        if shape[0] * shape[1] * shape[2] > self._slot_bytes:
            raise ValueError(f"a frame of {shape} does not fit into a slot of {self._slot_bytes} bytes")
        self._bytes = np.frombuffer(mapped, np.uint8)

    def view(self, slot: int) -> NDArray[np.uint8]:
        """One slot's pixels, (height, width, 3)."""
        height, width, channels = self._shape
        start = slot * self._slot_bytes
        return self._bytes[start : start + height * width * channels].reshape(self._shape)
