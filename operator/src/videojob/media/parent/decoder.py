"""Decoding segments through a process of its own: `DecoderProcess` starts it, and restarts it after a crash."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from videojob.errors import DecoderCrashed, InputError
from videojob.media.parent.child import Child
from videojob.media.parent.pages import PageDesk
from videojob.media.protocol import lines as protocol
from videojob.media.protocol.messages import DecodeReport, DecodeRequest, Frame, PagedSource, Ring
from videojob.media.sandbox.restrict import HEAP_LIMIT_BYTES
from videojob.video.guide import VideoGuide
from videojob.video.info import VideoInfo, video_info_from_dict
from videojob.video.segments import TARGET_MS

PROGRESS_TIMEOUT_S = 30.0
"""How long a decoder may go without taking one more packet."""

_T = TypeVar("_T")
_INVALID = (AttributeError, KeyError, TypeError, ValueError)


class DecoderProcess:
    """Implements `ports.Decoder`: one child process for many segments, one at a time.

    The process is started when it is first needed, and again after it crashed or hung. The thread that first uses it
    must outlive it (see `child.Child`).

    Args:
        progress_timeout_s: how long the child may go without progress before it is killed.
        heap_bytes: anonymous memory that the child may map.

    Attributes:
        progress_timeout_s: the same; a change holds for what is probed or opened from then on.
    """

    def __init__(self, progress_timeout_s: float = PROGRESS_TIMEOUT_S, heap_bytes: int = HEAP_LIMIT_BYTES) -> None:
        self.progress_timeout_s = progress_timeout_s
        self._heap_bytes = heap_bytes
        self._child: Child | None = None
        self._open: OpenSegment | None = None
        self._run = 0

    @property
    def pid(self) -> int | None:
        """The child's process id; None when none runs."""
        return self._child.pid if self._child is not None and self._child.is_alive else None

    def probe(
        self, path: Path, uri: str, *, cut_every_ms: int = TARGET_MS, pages: PagedSource | None = None
    ) -> VideoInfo:
        """What the video is, found out inside the child.

        Args:
            path: a local regular file.
            uri: how the manifest named it, for messages.
            cut_every_ms: how far apart possible cuts are looked for.
            pages: what fills the file; None when it is whole.

        Raises:
            InputError: the subclass that names what is wrong.
            SetupError, Cancelled: what `pages` raises.
        """
        question = {"op": "probe", "path": str(path), "uri": uri, "cut_every_ms": cut_every_ms}
        return self._ask(question, pages, uri, lambda answer: replace(video_info_from_dict(answer["info"]), uri=uri))

    def guide(self, path: Path, info: VideoInfo, cuts: Sequence[int], pages: PagedSource) -> VideoGuide:
        """What pods need to read the video's segments and nothing else, found out inside the child.

        Args:
            path: of the paged file.
            info: what `probe` said of it.
            cuts: presentation times where it is cut.
            pages: what fills the file.

        Raises:
            InputError: the subclass that names what is wrong.
            SetupError, Cancelled: what `pages` raises.
        """
        question = {"op": "guide", "path": str(path), "info": info.as_dict(), "cuts": list(cuts)}
        return self._ask(question, pages, info.uri, lambda answer: protocol.guide_from_message(answer["guide"]))

    def _ask(
        self, question: protocol.Message, pages: PagedSource | None, uri: str, read: Callable[[protocol.Message], _T]
    ) -> _T:
        child = self._started()
        # A question counts as a run, so that late words of a dropped segment are not taken for its answer.
        self._run += 1
        child.send(question | {"run": self._run, "pages": protocol.pages_to_message(pages)}, uri)
        desk = PageDesk(child, pages, self._run, uri)
        while True:
            message = child.receive(self.progress_timeout_s, uri)
            if message.get("run") != self._run or desk.serves(message):
                continue
            try:
                if "error" not in message:
                    return read(message)
                error = protocol.error_from_message(message["error"], uri)
            except protocol.NotItsToSay as claim:
                raise child.crashed(uri, _claimed(claim)) from claim
            except _INVALID as invalid:
                raise child.crashed(uri, "sent an invalid message") from invalid
            raise error

    def open(self, request: DecodeRequest, ring: Ring) -> OpenSegment:
        """Starts decoding a segment into the ring, slots 0, 1, 2, … and round; what was open before is dropped.

        Raises:
            ValueError: the frames do not fit into the ring's slots.
            SetupError: the process did not come up, or the ring's file is gone.
            DecoderCrashed: it died just now.
        """
        geometry = request.geometry
        if geometry.width * geometry.height * 3 > ring.slot_bytes:
            raise ValueError(f"frames of {geometry.width} x {geometry.height} need more than {ring.slot_bytes} bytes")
        child = self._started()
        self._run += 1
        child.hand_ring(ring.path, request.info.uri)
        sizes = {"slots": ring.slots, "slot_bytes": ring.slot_bytes}
        message = protocol.request_to_message(request) | {"op": "open", "run": self._run, "ring": sizes}
        child.send(message, request.info.uri)
        self._open = OpenSegment(child, request, self._run, ring.slots, self.progress_timeout_s)
        return self._open

    def interrupt(self) -> None:
        """Ends what is going on, from another thread: whoever waits for frames gets DecoderCrashed."""
        child = self._child
        if child is not None:
            child.interrupt()

    def close(self) -> None:
        """Ends the process; a second call does nothing."""
        if self._open is not None:
            self._open.abandon()
            self._open = None
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _started(self) -> Child:
        if self._open is not None:
            self._open.drop()
            self._open = None
        if self._child is not None and not self._child.is_alive:
            self._child.kill()
            self._child = None
        if self._child is None:
            self._child = Child(self._heap_bytes)
        return self._child


def _claimed(claim: protocol.NotItsToSay) -> str:
    return f"reported an error that it cannot know ({claim})"


class OpenSegment:
    """Implements `ports.SegmentFrames`. Frames are taken in one thread; slots may be released in another."""

    def __init__(self, child: Child, request: DecodeRequest, run: int, slots: int, timeout_s: float) -> None:
        self._child = child
        self._info = request.info
        self._segment = request.segment.index
        self._run = run
        self._slots = slots
        self._timeout_s = timeout_s
        self._desk = PageDesk(child, request.pages, run, request.info.uri)
        self._report: DecodeReport | None = None
        self._ended = False
        self._lock = threading.Lock()
        self._held: set[int] = set()
        self._unsent: list[int] = []
        self._is_waiting = False

    def __iter__(self) -> Iterator[Frame]:
        """Frames in presentation order. Raises InputError subclasses, with the segment in them."""
        seq = 0
        while not self._ended:
            try:
                message = self._next_message()
                if message.get("run") != self._run or self._desk.serves(message):
                    continue
                for pts, slot in self._frames(message):
                    yield Frame(seq=seq, pts=pts, time_ms=self._info.time_ms(pts), slot=slot)
                    seq += 1
                self._take_end(message)
            except InputError as error:
                self._ended = True
                error.segment = self._segment
                raise

    def release(self, slot: int) -> None:
        """Gives a slot back. Slots go back several per message, but at once when the decoder may need them."""
        with self._lock:
            self._held.discard(slot)
            self._unsent.append(slot)
            if self._is_waiting or len(self._unsent) * 4 >= self._slots:
                self._send_released()

    def report(self) -> DecodeReport:
        """What the decoding came to. Raises RuntimeError before the last frame was taken."""
        if self._report is None:
            raise RuntimeError("the report comes behind the last frame")
        return self._report

    def drop(self) -> None:
        """Tells the child to stop; its late words are skipped."""
        if not self._ended:
            self._ended = True
            self._tell({"op": "drop", "run": self._run})

    def abandon(self) -> None:
        """No more frames: the child is being ended."""
        self._ended = True

    def _next_message(self) -> protocol.Message:
        if not self._child.has_word():
            with self._lock:
                self._is_waiting = True
                self._send_released()
        try:
            return self._child.receive(self._timeout_s, self._info.uri, self._child_waits)
        finally:
            self._is_waiting = False

    def _child_waits(self) -> bool:
        """Whether every slot is in the consumer's hands, so that the child cannot go on."""
        return len(self._held) >= self._slots

    def _frames(self, message: protocol.Message) -> list[tuple[int, int | None]]:
        """What a message has of this segment, checked: the child is not trusted."""
        frames: list[tuple[int, int | None]] = []
        try:
            for pts, slot in message.get("frames", ()):
                if type(pts) is not int or not (slot is None or (type(slot) is int and 0 <= slot < self._slots)):
                    raise ValueError("no such slot")
                frames.append((pts, slot))
        except _INVALID as invalid:
            raise self._child.crashed(self._info.uri, "sent an invalid message") from invalid
        with self._lock:
            self._held.update(slot for _, slot in frames if slot is not None)
        return frames

    def _take_end(self, message: protocol.Message) -> None:
        error: InputError | None = None
        try:
            if "report" in message:
                self._report = protocol.report_from_message(message["report"])
            elif "error" in message:
                error = protocol.error_from_message(message["error"], self._info.uri)
            else:
                return
        except protocol.NotItsToSay as claim:
            raise self._child.crashed(self._info.uri, _claimed(claim)) from claim
        except _INVALID as invalid:
            raise self._child.crashed(self._info.uri, "sent an invalid message") from invalid
        self._ended = True
        if error is not None:
            raise error

    def _send_released(self) -> None:
        if self._unsent:
            self._tell({"op": "release", "run": self._run, "slots": self._unsent})
            self._unsent = []

    def _tell(self, message: protocol.Message) -> None:
        """Sends what a dead child need not hear: its end is reported where its answers are awaited."""
        if self._child.is_alive:
            try:
                self._child.send(message, self._info.uri)
            except DecoderCrashed:
                self._unsent = []
