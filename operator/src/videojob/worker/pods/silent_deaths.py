"""Gives up a segment that kills its pods before all tries of its index are used."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.errors import SinkUnavailable, VideoJobError, WorkerLost
from videojob.memory import memory_limit_bytes
from videojob.planning.diagnosis.silent_deaths import began, ended, kills_pods, silent_deaths
from videojob.ports.clock import Clock
from videojob.ports.results import JobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.info import Segment
from videojob.video.plan import SegmentDoubt
from videojob.worker.pods.turn import Turn

_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Silence:
    """What one pod notes for those that come after it, if it dies, and finds of those before it.

    Attributes:
        run: as the controller began it. store: where the notes are.
        turn: which of its index's pods this is; the first one notes and finds nothing.
        clock: the time.
    """

    run: RunRecord
    store: JobStore
    turn: Turn
    clock: Clock

    def verdict(self, segment: Segment) -> VideoJobError | None:
        """Why the segment must not be begun; None when it may be, which is noted then. Raises SinkError."""
        if not self.turn.failures:
            return None
        deaths = silent_deaths(self.store.doubts(self.run, segment.index), self.turn.failures)
        if kills_pods(deaths, is_last=self.turn.is_last):
            return WorkerLost(_words(deaths), segment=segment.index, retryable=False)
        self._note(segment, began(self.turn.failures))
        return None

    def outlived(self, segment: Segment, error: VideoJobError) -> None:
        """The segment ended in an error, and this pod is there to say so. Raises SinkError."""
        # Where the store is away the note would wait for minutes in vain.
        if self.turn.failures and not isinstance(error, SinkUnavailable):
            self._note(segment, ended(self.turn.failures))

    def _note(self, segment: Segment, reason: str) -> None:
        self.store.doubt(self.run, SegmentDoubt(segment.index, reason, self.turn.pod, int(self.clock.now_s())))


def _words(deaths: int) -> str:
    pods = "a pod that began" if deaths == 1 else f"{deaths} pods that began"
    limit_bytes = memory_limit_bytes()
    limit = "" if limit_bytes is None else f", whose limit is {limit_bytes / _GIB:.2f} GiB"
    return f"{pods} this segment died in it without a message, as when the kernel kills them for memory{limit}"
