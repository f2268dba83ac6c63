"""Turns what workers say into how far the job is. Pure: times are arguments.

Every message costs the same however large the job is: sums are kept per video and for all, never counted again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from videojob.local.run_types import JobPlan, RunProgress, VideoProgress
from videojob.worker.segment.task import Progress

_RATE_WINDOW_S = 10.0  # the rate shown is that of the last seconds: a person wants to see a change


@dataclass(slots=True)
class _Sums:
    """Frames and segments of one video."""

    uri: str
    name: str
    frames_done: int = 0
    frames_total: int = 0
    segments_done: int = 0
    segments_total: int = 0
    failed: bool = False


class ProgressTracker:
    """The state of one run's progress.

    Args:
        plan: what is to be done.
        started_s: monotonic time of the first segment.
    """

    def __init__(self, plan: JobPlan, started_s: float) -> None:
        self._started_s = started_s
        self._videos = [_Sums(video.uri, video.name, failed=video.error is not None) for video in plan.videos]
        self._video_of = {segment.index: segment.video for segment in plan.segments}
        self._expected = {segment.index: plan.frames_of(segment) for segment in plan.segments}
        self._done = dict.fromkeys(self._expected, 0)
        for index, video in self._video_of.items():
            self._videos[video].segments_total += 1
            self._videos[video].frames_total += self._expected[index]
        for index in plan.kept & self._expected.keys():
            self.finished(index, self._expected[index])
        self._samples: deque[tuple[float, int]] = deque([(started_s, self._frames_done())])

    def moved(self, progress: Progress) -> None:
        """A segment went on."""
        self._set(progress.segment, progress.frames_done, max(self._expected[progress.segment], progress.frames_done))

    def finished(self, segment: int, frames_selected: int) -> None:
        """A segment was committed: its number of frames is known now."""
        self._set(segment, frames_selected, frames_selected)
        self._videos[self._video_of[segment]].segments_done += 1

    def dropped(self, segment: int) -> None:
        """A segment's work was lost; it starts again or not at all."""
        self._set(segment, 0, self._expected[segment])

    def video_failed(self, video: int) -> None:
        """A video was given up: its frames no longer count."""
        self._videos[video].failed = True

    def snapshot(self, now_s: float, mean_batch: float | None) -> RunProgress:
        """How far the job is at `now_s`."""
        live = [video for video in self._videos if not video.failed]
        frames_done = sum(video.frames_done for video in live)
        frames_total = sum(video.frames_total for video in live)
        rate = self._rate(now_s, frames_done)
        return RunProgress(
            videos=tuple(_shown(position, video) for position, video in enumerate(self._videos)),
            frames_done=frames_done,
            frames_total=frames_total,
            segments_done=sum(video.segments_done for video in live),
            segments_total=sum(video.segments_total for video in live),
            frames_per_s=rate,
            mean_batch=mean_batch,
            remaining_s=(frames_total - frames_done) / rate if rate > 0 else None,
        )

    def _set(self, segment: int, done: int, expected: int) -> None:
        video = self._videos[self._video_of[segment]]
        video.frames_done += done - self._done[segment]
        video.frames_total += expected - self._expected[segment]
        self._done[segment], self._expected[segment] = done, expected

    def _frames_done(self) -> int:
        return sum(video.frames_done for video in self._videos if not video.failed)

    def _rate(self, now_s: float, frames_done: int) -> float:
        self._samples.append((now_s, frames_done))
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= _RATE_WINDOW_S:
            self._samples.popleft()
        first_s, first_frames = self._samples[0]
        return max(0.0, (frames_done - first_frames) / (now_s - first_s)) if now_s > first_s else 0.0


def _shown(position: int, video: _Sums) -> VideoProgress:
    return VideoProgress(
        video=position,
        uri=video.uri,
        name=video.name,
        frames_done=video.frames_done,
        frames_total=video.frames_total,
        segments_done=video.segments_done,
        segments_total=video.segments_total,
        failed=video.failed,
    )
