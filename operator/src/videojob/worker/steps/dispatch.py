"""Which segment runs next, which is tried again, and when a video is given up. Decisions only: no process, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from videojob.errors import (
    Cancelled,
    DecoderCrashed,
    DecodeTimeout,
    InputError,
    ProcessingFault,
    VideoJobError,
    WorkerLost,
)
from videojob.video.info import Segment
from videojob.worker.segment.task import SegmentTask


class Verdict(Enum):
    """What a failure of a segment means."""

    RETRY = "retry"
    LEFT = "left for another pod"
    VIDEO_FAILED = "video failed"
    JOB_FAILED = "job failed"
    DROPPED = "dropped"
    """The stop signal did it: no failure."""


@dataclass(frozen=True, slots=True)
class VideoFailure:
    """Why a video was given up, and in which segment."""

    video: int
    segment: int
    error: VideoJobError


Leaves = Callable[[Segment, VideoJobError], bool]
"""Whether somebody else tries a segment again that failed here with such an error."""


def is_away(error: VideoJobError | None) -> bool:
    """Whether a video could not be read just now: all of its segments share that, and waiting may help."""
    return isinstance(error, InputError) and error.retryable


def is_machines(error: VideoJobError) -> bool:
    """Whether another machine may come to another verdict: one short of memory, or slow, kills or stops decoders."""
    return isinstance(error, DecodeTimeout | DecoderCrashed)


def concerns_video(error: VideoJobError) -> bool:
    """Whether the video is to be given up for it, rather than the job."""
    return isinstance(error, InputError | WorkerLost | ProcessingFault) or type(error) is VideoJobError


def _never_elsewhere(_segment: Segment, _error: VideoJobError) -> bool:
    return False


class Dispatcher:
    """The state of one job's segments on this machine.

    Args:
        tasks: segments to run, in order.
        backoff_limit: how often one segment is tried again after a retryable error.
        leaves: asked before a segment is given up.
    """

    def __init__(self, tasks: Sequence[SegmentTask], backoff_limit: int, leaves: Leaves = _never_elsewhere) -> None:
        self._pending = deque(tasks)
        self._backoff_limit = backoff_limit
        self._leaves = leaves
        self._left: dict[int, VideoJobError] = {}
        self._failures: dict[int, int] = {}
        self._failed_videos: dict[int, VideoFailure] = {}
        self._running: dict[int, SegmentTask] = {}
        self._stopping = False
        self.job_error: VideoJobError | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing more will be given out."""
        return not self._running and (self._stopping or not self._pending)

    @property
    def unfinished(self) -> bool:
        """Whether segments are left that a rerun would do."""
        return bool(self._running or self._waiting_segments())

    def _waiting_segments(self) -> list[SegmentTask]:
        return [task for task in self._pending if task.segment.video not in self._failed_videos]

    @property
    def failures(self) -> tuple[VideoFailure, ...]:
        """Videos given up, by position."""
        return tuple(self._failed_videos[video] for video in sorted(self._failed_videos))

    @property
    def left(self) -> tuple[VideoJobError, ...]:
        """Why segments were left for somebody else, by segment."""
        return tuple(self._left[segment] for segment in sorted(self._left))

    @property
    def stopping(self) -> bool:
        """Whether nothing more will be given out."""
        return self._stopping

    def stop(self) -> None:
        """Gives out no further segment."""
        self._stopping = True

    def abort(self, error: VideoJobError) -> None:
        """The job cannot go on, whatever is done; the first reason is kept."""
        self.job_error = self.job_error or error
        self.stop()

    def next_task(self) -> SegmentTask | None:
        """The next segment to run; None when there is none now."""
        while self._pending and not self._stopping:
            task = self._pending.popleft()
            if task.segment.video in self._failed_videos:
                continue
            self._running[task.segment.index] = task
            return task
        return None

    def succeeded(self, segment: int) -> None:
        """A segment was committed."""
        del self._running[segment]

    def failed(self, segment: int, error: VideoJobError) -> Verdict:
        """A segment ended in an error: decides what follows from it.

        An error of the input, a worker that died again and again on it and a fault of the program end the video, not
        the job; an error of the model, the server or the store ends the job. A video that cannot be read now is tried
        again when nothing else is left to do.
        """
        task = self._running.pop(segment)
        if isinstance(error, Cancelled):
            self._pending.appendleft(task)
            return Verdict.DROPPED
        tries = self._failures[segment] = self._failures.get(segment, 0) + 1
        if tries <= self._tries_more(error):
            self._pending.appendleft(task)
            if is_away(error):
                self._postpone(task.segment.video)
            return Verdict.RETRY
        if self._leaves(task.segment, error):
            self._leave(task.segment, error)
            return Verdict.LEFT
        if concerns_video(error):
            self._give_up(task.segment, error)
            return Verdict.VIDEO_FAILED
        self.abort(error)
        return Verdict.JOB_FAILED

    def _postpone(self, video: int) -> None:
        """The video's segments go behind all others, and stay in order."""
        waiting = [task for task in self._pending if task.segment.video == video]
        self._pending = deque(task for task in self._pending if task.segment.video != video)
        self._pending.extend(waiting)

    def _leave(self, segment: Segment, error: VideoJobError) -> None:
        """Of a video that cannot be read all that waits is left: to ask for each segment would cost minutes each."""
        self._left[segment.index] = error
        if is_away(error):
            self._pending = deque(task for task in self._pending if task.segment.video != segment.video)

    def overruled(self, segment: Segment) -> None:
        """The video that was given up with this segment is worked on: another worker has its result."""
        known = self._failed_videos.get(segment.video)
        if known is not None and known.segment == segment.index:
            del self._failed_videos[segment.video]

    def _tries_more(self, error: VideoJobError) -> int:
        """How often such an error is tried again; a stuck or crashed decoder once: it may have been the machine."""
        if error.retryable:
            return self._backoff_limit
        return min(1, self._backoff_limit) if is_machines(error) else 0

    def _give_up(self, segment: Segment, error: VideoJobError) -> None:
        """Of several errors in one video that of its first bad segment stands, whichever came first in time.

        Segments are given out in order, so the first bad one always runs: the same video fails with the same words.
        """
        known = self._failed_videos.get(segment.video)
        if known is None or segment.index < known.segment:
            self._failed_videos[segment.video] = VideoFailure(segment.video, segment.index, error)
