"""The decoder process: `python -m videojob.media.decoder_process PARENT_PID`.

Started by `media.decoder` and by nothing else. It reads commands from stdin and answers on stdout (see
`media.protocol`), writes pixels into the ring's file, and ends when stdin does. Whatever a file does to it, it can
only take this process down.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from videojob.errors import VideoJobError
from videojob.media import protocol, sandbox
from videojob.media.container import opened
from videojob.media.inspect import inspect
from videojob.media.picture import PictureWriter
from videojob.media.reader import pictures
from videojob.media.values import DecodeReport, DecodeRequest

_FLUSH_S = 0.004
_FLUSH_FRAMES = 16
_BEAT_S = 1.0


class _Dropped(Exception):
    """The parent no longer wants this segment."""


class _Inbox:
    """Commands, read by a thread of its own so that releases arrive while pictures are decoded."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._changed = threading.Condition()
        self._work: list[protocol.Message] = []
        self._released: set[int] = set()
        self._dropped = 0

    def run(self) -> None:
        """Reads until the parent closes the pipe, then ends the process at once."""
        for line in self._stream:
            self._take(protocol.decode(line))
        os._exit(0)

    def _take(self, message: protocol.Message) -> None:
        with self._changed:
            if message["op"] == "release":
                self._released.update(message["slots"])
            elif message["op"] == "drop":
                self._dropped = max(self._dropped, int(message["run"]))
            else:
                self._work.append(message)
            self._changed.notify_all()

    def next_work(self) -> protocol.Message:
        """The next probe or open; waits for it."""
        with self._changed:
            while not self._work:
                self._changed.wait()
            message = self._work.pop(0)
            self._released.clear()
            return message

    def is_dropped(self, run: int) -> bool:
        """Whether the parent gave this run up."""
        return run <= self._dropped

    def take_slot(self, slot: int, run: int) -> None:
        """Waits until the slot was released. Raises _Dropped."""
        with self._changed:
            while slot not in self._released:
                if self.is_dropped(run):
                    raise _Dropped
                self._changed.wait()
            self._released.discard(slot)


class _Ring:
    """The ring's file, mapped."""

    def __init__(self, message: protocol.Message) -> None:
        self.slots = int(message["slots"])
        self._slot_bytes = int(message["slot_bytes"])
        handle = os.open(message["path"], os.O_RDWR | os.O_CLOEXEC)
        try:
            self._map = mmap.mmap(handle, self.slots * self._slot_bytes)
        finally:
            os.close(handle)
        self._bytes = np.frombuffer(self._map, np.uint8)

    def view(self, slot: int, height: int, width: int) -> NDArray[np.uint8]:
        """One slot's pixels."""
        start = slot * self._slot_bytes
        return self._bytes[start : start + height * width * 3].reshape(height, width, 3)


class _Outbox:
    """Answers. Frames go out several per line when they come fast."""

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
        """Queues a frame, and writes the queue unless it was written a moment ago."""
        self._frames.append((pts, slot))
        if len(self._frames) >= _FLUSH_FRAMES or time.monotonic() - self._last_s >= _FLUSH_S:
            self.flush(run)

    def flush(self, run: int) -> None:
        """Writes what is queued."""
        if self._frames:
            self.send({"run": run, "frames": self._frames})
            self._frames = []

    def beat(self, run: int, frames: int) -> None:
        """Says that decoding goes on, when nothing was said for a while."""
        if time.monotonic() - self._last_s >= _BEAT_S:
            self.send({"run": run, "beat": frames})


def _decode(message: protocol.Message, inbox: _Inbox, outbox: _Outbox) -> DecodeReport:
    request = protocol.request_from_message(message)
    ring, run = _Ring(message["ring"]), int(message["run"])
    geometry, info = request.geometry, request.info
    writer = PictureWriter(geometry, info.rotation_deg, request.colour, request.pad_value)
    busy_from, waited_s = time.monotonic(), 0.0
    decoded, first_pts, last_pts = 0, None, None
    with opened(request.path, info.uri) as (container, stream):
        stream.thread_type = "AUTO"
        for pts, picture in pictures(container, stream, request.segment):
            if inbox.is_dropped(run):
                raise _Dropped
            slot = decoded % ring.slots
            if decoded >= ring.slots:
                outbox.flush(run)
                wait_from = time.monotonic()
                inbox.take_slot(slot, run)
                waited_s += time.monotonic() - wait_from
            writer.write(picture, ring.view(slot, geometry.height, geometry.width))
            outbox.frame(run, pts, slot)
            decoded += 1
            first_pts = pts if first_pts is None else first_pts
            last_pts = pts
    outbox.flush(run)
    return DecodeReport(
        frames_decoded=decoded,
        frames_selected=decoded,
        frames_gated=0,
        first_ms=None if first_pts is None else info.time_ms(first_pts),
        last_ms=None if last_pts is None else info.time_ms(last_pts),
        gaps=(),
        busy_s=time.monotonic() - busy_from - waited_s,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _serve(inbox: _Inbox, outbox: _Outbox) -> None:
    while True:
        message = inbox.next_work()
        run = int(message.get("run", 0))
        try:
            if message["op"] == "probe":
                outbox.send({"info": inspect(Path(message["path"]), message["uri"]).as_dict()})
            else:
                report = _decode(message, inbox, outbox)
                outbox.send({"run": run, "report": protocol.report_to_message(report)})
        except _Dropped:
            outbox.send({"run": run, "dropped": True})
        except VideoJobError as error:
            outbox.flush(run)
            outbox.send({"run": run, "error": error.as_dict()})


def main() -> None:
    """Locks itself in, then serves until stdin ends."""
    sandbox.die_with_parent(int(sys.argv[1]))
    # Ctrl-C in a terminal reaches the whole process group: the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Words that a library prints must not land between the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sandbox.limit_heap()
    sandbox.enter()
    inbox, outbox = _Inbox(sys.stdin.buffer), _Outbox(answers)
    threading.Thread(target=inbox.run, daemon=True).start()
    outbox.send({"ready": True})
    _serve(inbox, outbox)


if __name__ == "__main__":
    main()
