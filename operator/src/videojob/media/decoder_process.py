"""The decoder process: `python -m videojob.media.decoder_process PARENT_PID HEAP_BYTES RINGS`.

Only `media.parent.decoder` starts it. It reads commands from stdin and answers on stdout (`media.protocol.lines`),
writes pixels into the rings that come on the socket RINGS, and ends when stdin does. Whatever a file does to it, it can
only take this process down.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import sys
import threading
import time
import traceback
from functools import partial
from types import TracebackType

import av
import cv2

from videojob.errors import DecoderCrashed, InputContainerInvalid, InputCorrupt, VideoJobError
from videojob.media.decoding.gate import MotionGate
from videojob.media.decoding.picture import PictureWriter
from videojob.media.decoding.reader import CannotSeek, Picture, SegmentReader
from videojob.media.decoding.view import View
from videojob.media.files.mailbox import Dropped, Inbox, MappedRing, Outbox, RingInbox
from videojob.media.files.video_file import Overlay, PagedFile, VideoFile, video_of
from videojob.media.opening.container import Source, last_pts_before, opened
from videojob.media.probing.examine import examine
from videojob.media.probing.guide import make_guide, overlay_of
from videojob.media.protocol import lines as protocol
from videojob.media.protocol.messages import DecodeGap, DecodeReport, DecodeRequest
from videojob.media.sandbox import restrict as sandbox
from videojob.memory import peak_rss_bytes
from videojob.video.info import video_info_from_dict
from videojob.video.sampling import FrameSelector

_MEMORY_HINT = "Transcode the video to a smaller picture, or raise worker.memoryLimit of a cluster."


class _SegmentDecoder:
    """Decodes one segment into the ring.

    Args:
        message: the open command.
        ring: of that command, mapped.
        video: that it is about.
        inbox: tells which slots are free, and whether the segment is still wanted.
        outbox: takes the frames.
    """

    def __init__(
        self, message: protocol.Message, ring: mmap.mmap, video: VideoFile, inbox: Inbox, outbox: Outbox
    ) -> None:
        self._video = video
        self._request: DecodeRequest = protocol.request_from_message(message)
        self._run = int(message["run"])
        self._inbox, self._outbox = inbox, outbox
        geometry = self._request.geometry
        self._ring = MappedRing(ring, message["ring"], (geometry.height, geometry.width, 3))
        self._writer = PictureWriter(geometry, self._request.colour, self._request.pad_value)
        gate = self._request.sampling.gate
        self._gate = None if gate is None else MotionGate(gate)
        self._view: View | None = None
        self._decoded = self._selected = self._written = self._packets = 0
        # The planner may know it: then the stretch before the segment is not read.
        self._before_pts: int | None = message.get("before_pts")
        self._first_pts: int | None = None
        self._last_pts: int | None = None
        self._started_s, self._waited_s = time.monotonic(), 0.0
        self._gaps: tuple[DecodeGap, ...] = ()

    def run(self) -> DecodeReport:
        """Decodes to the end. Raises InputError subclasses, and Dropped."""
        try:
            self._attempt(seek=True)
        except CannotSeek:
            self._attempt(seek=False)
        self._outbox.flush(self._run)
        return self._report()

    def _attempt(self, *, seek: bool) -> None:
        request = self._request
        with opened(self._video, request.info.uri) as source:
            if seek and self._before_pts is None:
                # Asking moves the place in the file: without seeking, the first answer has to do.
                self._before_pts = self._time_before(source)
            select = partial(FrameSelector, request.sampling, request.info, request.segment, self._before_pts)
            # Once for the packets, to decode no more than is needed, and once for the pictures that come out.
            ahead = select().selects if self._is_sparse else None
            selector = select()
            reader = SegmentReader(source, request, self._on_packet, ahead)
            for pts, picture in reader.pictures(seek=seek):
                self._count(pts)
                if selector.selects(pts):
                    self._hand_out((pts, picture), reader.view)
            self._gaps = reader.gaps

    @property
    def _is_sparse(self) -> bool:
        return self._request.sampling.frames_per_second is not None

    def _time_before(self, source: Source) -> int | None:
        """The time of the picture before the segment, where sampling depends on it."""
        start = self._request.segment.start_pts
        return last_pts_before(source, start) if self._is_sparse and start is not None else None

    def _on_packet(self) -> None:
        self._inbox.check(self._run)
        self._packets += 1
        self._outbox.beat(self._run, self._packets)

    def _count(self, pts: int) -> None:
        self._decoded += 1
        self._first_pts = pts if self._first_pts is None else min(self._first_pts, pts)
        self._last_pts = pts if self._last_pts is None else max(self._last_pts, pts)

    def _hand_out(self, item: Picture, view: View) -> None:
        pts, picture = item
        self._selected += 1
        if self._gate is not None and view is not self._view:
            self._gate.forget()
        self._view = view
        if self._gate is not None and not self._gate.passes(picture, self._request.info.time_ms(pts)):
            self._outbox.frame(self._run, pts, None)
            return
        slot = self._written % self._ring.slots
        self._take(slot)
        pixels = self._ring.view(slot)
        try:
            self._writer.write(picture, view, pixels, slot)
        except av.FFmpegError as error:
            sandbox.check_room(picture.width * picture.height, error)
            raise InputCorrupt(
                f"a picture of {picture.width} x {picture.height} {picture.format.name} cannot be converted",
                time_ms=self._request.info.time_ms(pts),
                hint="Transcode the video to a common pixel format.",
            ) from error
        self._written += 1
        self._outbox.frame(self._run, pts, slot)

    def _take(self, slot: int) -> None:
        if self._inbox.has_slot(slot):
            self._inbox.take_slot(slot, self._run)
            return
        self._outbox.flush(self._run)
        before_s = time.monotonic()
        self._inbox.take_slot(slot, self._run)
        self._waited_s += time.monotonic() - before_s

    def _report(self) -> DecodeReport:
        time_ms = self._request.info.time_ms
        return DecodeReport(
            frames_decoded=self._decoded,
            frames_selected=self._selected,
            frames_gated=self._selected - self._written,
            first_ms=None if self._first_pts is None else time_ms(self._first_pts),
            last_ms=None if self._last_pts is None else time_ms(self._last_pts),
            gaps=self._gaps,
            busy_s=time.monotonic() - self._started_s - self._waited_s - self._video.waited_s,
            peak_rss_bytes=peak_rss_bytes(),
        )


def _answer(message: protocol.Message, inbox: Inbox, outbox: Outbox, rings: RingInbox) -> protocol.Message:
    """Does one piece of work."""
    run = int(message.get("run", 0))
    # First of all: each command has its own, and they come in the same order.
    ring = rings.take(message) if message["op"] == "open" else None
    try:
        with video_of(message, inbox, outbox, _overlay(message)) as video:
            if message["op"] == "probe":
                return {"run": run, "info": examine(video, message["uri"], int(message["cut_every_ms"])).as_dict()}
            if message["op"] == "guide":
                return {"run": run, "guide": _guide(video, message)}
            return {"run": run, "report": _report(message, ring, video, inbox, outbox)}
    except Dropped:
        outbox.discard()
        return {"run": run, "dropped": True}
    except VideoJobError as error:
        outbox.flush(run)
        return {"run": run, "error": error.as_dict()}
    except MemoryError:
        outbox.flush(run)
        limit_mib = sandbox.heap_limit_bytes() >> 20
        words = f"decoding needs more than {limit_mib} MiB of memory"
        return {"run": run, "error": DecoderCrashed(words, hint=_MEMORY_HINT).as_dict()}


def _report(
    message: protocol.Message, ring: mmap.mmap | None, video: VideoFile, inbox: Inbox, outbox: Outbox
) -> protocol.Message:
    if ring is None:
        raise TypeError("only an open command has a segment to decode")
    return protocol.report_to_message(_SegmentDecoder(message, ring, video, inbox, outbox).run())


def _overlay(message: protocol.Message) -> Overlay | None:
    """What stands in the place of the container's index."""
    index = message.get("index")
    if index is None:
        return None
    try:
        return overlay_of(index["common"], index["own"])
    except ValueError as error:
        hint = "The plan's items were changed, or the video misled the planner: start the job again."
        raise InputContainerInvalid(f"{error}", hint=hint) from error


def _guide(video: VideoFile, message: protocol.Message) -> protocol.Message:
    if not isinstance(video, PagedFile):
        raise TypeError("only paged files have guides")
    info = video_info_from_dict(message["info"])
    return protocol.guide_to_message(make_guide(video, info, [int(cut) for cut in message["cuts"]]))


def _die(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Ends the process on an error that nobody expected: the thread that waits for commands would keep it alive."""
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    os._exit(1)


def main() -> None:
    """Enters its sandbox, then serves until stdin ends."""
    sys.excepthook = _die
    sandbox.die_with_parent(int(sys.argv[1]))
    # Ctrl-C in a terminal reaches the whole process group: the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Words that a library prints must not land between the messages.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    cv2.setNumThreads(1)
    sandbox.limit_heap(int(sys.argv[2]))
    rings = RingInbox(int(sys.argv[3]))
    sandbox.enter(int(sys.argv[3]))
    inbox, outbox = Inbox(sys.stdin.buffer, at_end=lambda: os._exit(0)), Outbox(answers)
    threading.Thread(target=inbox.run, daemon=True).start()
    # What is here now stays: `media.decoding.view` collects often.
    gc.freeze()
    outbox.send({"ready": True})
    while True:
        outbox.send(_answer(inbox.next_work(), inbox, outbox, rings))


if __name__ == "__main__":
    main()
