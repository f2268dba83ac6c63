"""Turns what workers say into how far the job is. Pure: times are arguments."""

from __future__ import annotations

from collections import deque

from videojob.local.values import JobPlan, RunProgress, VideoProgress
from videojob.worker.values import Progress

_RATE_WINDOW_S = 10.0  # the rate shown is that of the last seconds: a person wants to see a change


class ProgressTracker:
    """The state of one run's progress.

    Args:
        plan: what is to be done.
        started_s: monotonic time of the first segment.
    """

    def __init__(self, plan: JobPlan, started_s: float) -> None:
        self._plan = plan
        self._started_s = started_s
        self._expected = {segment.index: plan.frames_of(segment) for segment in plan.segments}
        self._done: dict[int, int] = {index: self._expected[index] for index in plan.committed}
        self._finished = set(plan.committed)
        self._failed_videos = {video.video for video in plan.videos if video.error is not None}
        self._kept_frames = sum(self._done.values())
        self._samples: deque[tuple[float, int]] = deque([(started_s, self._kept_frames)])

    def moved(self, progress: Progress) -> None:
        """A segment went on."""
        self._done[progress.segment] = progress.frames_done
        self._expected[progress.segment] = max(self._expected[progress.segment], progress.frames_done)

    def finished(self, segment: int, frames_selected: int) -> None:
        """A segment was committed: its number of frames is known now."""
        self._finished.add(segment)
        self._done[segment] = self._expected[segment] = frames_selected

    def dropped(self, segment: int) -> None:
        """A segment's work was lost; it starts again or not at all."""
        self._done.pop(segment, None)

    def video_failed(self, video: int) -> None:
        """A video was given up: its frames no longer count."""
        self._failed_videos.add(video)

    def snapshot(self, now_s: float, mean_batch: float | None) -> RunProgress:
        """How far the job is at `now_s`."""
        live = [segment for segment in self._plan.segments if segment.video not in self._failed_videos]
        frames_done = sum(self._done.get(segment.index, 0) for segment in live)
        frames_total = sum(self._expected[segment.index] for segment in live)
        rate = self._rate(now_s, frames_done)
        return RunProgress(
            videos=tuple(self._video(video.video) for video in self._plan.videos),
            frames_done=frames_done,
            frames_total=frames_total,
            segments_done=sum(segment.index in self._finished for segment in live),
            segments_total=len(live),
            frames_per_s=rate,
            mean_batch=mean_batch,
            elapsed_s=now_s - self._started_s,
            remaining_s=(frames_total - frames_done) / rate if rate > 0 else None,
        )

    def _video(self, video: int) -> VideoProgress:
        segments = [segment.index for segment in self._plan.segments if segment.video == video]
        return VideoProgress(
            video=video,
            uri=self._plan.videos[video].uri,
            frames_done=sum(self._done.get(index, 0) for index in segments),
            frames_total=sum(self._expected[index] for index in segments),
            segments_done=sum(index in self._finished for index in segments),
            segments_total=len(segments),
            failed=video in self._failed_videos,
        )

    def _rate(self, now_s: float, frames_done: int) -> float:
        self._samples.append((now_s, frames_done))
        while len(self._samples) > 2 and now_s - self._samples[1][0] >= _RATE_WINDOW_S:
            self._samples.popleft()
        first_s, first_frames = self._samples[0]
        return max(0.0, (frames_done - first_frames) / (now_s - first_s)) if now_s > first_s else 0.0
