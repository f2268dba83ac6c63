"""Flow control of one segment: which frames wait, fly and are answered. Pure bookkeeping, no I/O.

Bounds hold at every moment. At most `in_flight` frames are with the server. The frames between the oldest one not yet
drained and the newest one received always leave a slot free in the ring, so that waiting for the decoder can never be
waiting for ourselves. And results leave in presentation order, whatever order the answers come in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from videojob.media.protocol.messages import Frame
from videojob.vision.tensors import Detections

_ORDER_PER_SLOT = 16  # gated frames take no slot: this bounds those that wait behind one open answer


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring frames that make one request; their slots lie side by side in the ring."""

    request_id: int
    frames: tuple[Frame, ...]

    @property
    def first_slot(self) -> int:
        """The ring slot of the first frame."""
        slot = self.frames[0].slot
        if slot is None:
            raise ValueError("a gated frame is never sent")
        return slot


class FrameFlow:
    """Bookkeeping of one segment.

    Args:
        slots: of the ring.
        in_flight: most frames with the server.
        group: most frames in one request.
        request_ids: where new ids come from, unique over the segments of a process.
    """

    def __init__(self, *, slots: int, in_flight: int, group: int, request_ids: Iterator[int]) -> None:
        self._slots = slots
        self._in_flight = in_flight
        self._group = min(group, in_flight)
        self._request_ids = request_ids
        self._waiting: list[Frame] = []
        self._flying: dict[int, Group] = {}
        self._order: deque[Frame] = deque()
        self._held = 0
        self._answers: dict[int, Detections] = {}

    @property
    def flying_requests(self) -> int:
        """Requests without an answer."""
        return len(self._flying)

    @property
    def flying_frames(self) -> int:
        """Frames without an answer."""
        return sum(len(group.frames) for group in self._flying.values())

    @property
    def must_collect(self) -> bool:
        """Whether an answer is needed before another frame may be asked for."""
        return (
            self._held >= self._slots
            or self.flying_frames + len(self._waiting) >= self._in_flight
            or len(self._order) >= _ORDER_PER_SLOT * self._slots
        )

    def receive(self, frame: Frame) -> None:
        """Takes the next frame of the decoder."""
        self._order.append(frame)
        if frame.slot is not None:
            self._held += 1
            self._waiting.append(frame)

    def next_group(self, *, flush: bool) -> Group | None:
        """The next request to send, or None when waiting for more frames is better.

        A group goes when it is full, when the ring's end cuts it, when the server has nothing of ours to work on, or
        when `flush` says that no further frame comes.
        """
        if not self._waiting:
            return None
        taken = self._neighbours()
        cut = len(taken) < len(self._waiting) or self._touches_end(taken)
        if not (flush or cut or len(taken) >= self._group or not self._flying or self.must_collect):
            return None
        self._waiting = self._waiting[len(taken) :]
        group = Group(next(self._request_ids), tuple(taken))
        self._flying[group.request_id] = group
        return group

    def _neighbours(self) -> list[Frame]:
        taken = self._waiting[:1]
        for frame in self._waiting[1 : self._group]:
            previous = taken[-1].slot
            if previous is None or frame.slot != previous + 1:
                break
            taken.append(frame)
        return taken

    def _touches_end(self, taken: Sequence[Frame]) -> bool:
        return taken[-1].slot == self._slots - 1

    def answer(self, request_id: int, found: Sequence[Detections]) -> bool:
        """Takes the boxes of one request; False when it is not one of this segment's."""
        group = self._flying.pop(request_id, None)
        if group is None:
            return False
        if len(found) != len(group.frames):
            raise ValueError(f"request {request_id} held {len(group.frames)} frames, its answer {len(found)}")
        for frame, detections in zip(group.frames, found, strict=True):
            self._answers[frame.seq] = detections
        return True

    def frames_of(self, request_id: int) -> tuple[Frame, ...]:
        """The frames of an open request; empty when it is none of this segment's."""
        group = self._flying.get(request_id)
        return () if group is None else group.frames

    def drain(self) -> list[tuple[Frame, Detections | None]]:
        """Frames whose turn has come, in presentation order; None stands for a gated frame."""
        ready: list[tuple[Frame, Detections | None]] = []
        while self._order:
            frame = self._order[0]
            if frame.slot is not None and frame.seq not in self._answers:
                break
            self._order.popleft()
            if frame.slot is None:
                ready.append((frame, None))
            else:
                self._held -= 1
                ready.append((frame, self._answers.pop(frame.seq)))
        return ready


def in_flight_frames(max_batch: int, instances: int, workers: int) -> int:
    """Frames that one of `workers` keeps with the server.

    Twice what the server works on at once, so that a full batch always waits behind the running one, shared between
    the workers; never fewer than two, or a worker would stop for every answer.
    """
    return max(2, -(-2 * max(1, max_batch) * instances // workers))
