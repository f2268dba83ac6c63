"""What a job's commits teach about speeds, gathered while they are folded into its summary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from videojob.planning.throughput.learn import (
    Executed,
    Sample,
    SegmentFacts,
    Served,
    by_subject,
    samples,
)
from videojob.planning.throughput.measured import Subject
from videojob.results.aggregate.segment_results import SegmentCommit, SegmentResult
from videojob.video.plan import PlannedVideo

Learned = Mapping[Subject, tuple[str, Sequence[float]]]
"""Samples of one job: by subject the model's name, and values."""

_MOST_SAMPLES = 2_000
_MOST_KINDS = 64  # of videos


class Lesson:
    """What one job teaches; takes little memory, however many segments the job has.

    Args:
        served: the server that its frames went to; None when nothing tells it.
        keyframes_only: whether only keyframes were decoded.
        segments: of the job.
    """

    def __init__(self, served: Served | None, *, keyframes_only: bool, segments: int) -> None:
        self._served = served
        self._keyframes_only = keyframes_only
        self._every = max(1, segments // _MOST_SAMPLES)
        self._kinds: set[tuple[str, int]] = set()
        self._kind_of: dict[int, tuple[str, int]] = {}
        self._samples: list[Sample] = []

    def videos(self, planned: Iterable[PlannedVideo]) -> Iterator[PlannedVideo]:
        """The same videos; what each is, is noted."""
        for video in planned:
            if video.info is not None:
                kind = (video.info.codec, video.info.width * video.info.height)
                if kind in self._kinds or len(self._kinds) < _MOST_KINDS:
                    self._kinds.add(kind)
                    self._kind_of[video.video] = kind
            yield video

    def results(self, commits: Iterable[SegmentCommit]) -> Iterator[SegmentResult]:
        """The commits' results; what each tells of speeds, is noted."""
        for place, commit in enumerate(commits):
            if place % self._every == 0:
                self._note(commit)
            yield commit.result

    def learned(self) -> Learned:
        """What was noted."""
        return by_subject(self._samples)

    def _note(self, commit: SegmentCommit) -> None:
        kind = self._kind_of.get(commit.result.video)
        if kind is None:
            return
        timings, server = commit.timings, commit.timings.server
        spent_s = (timings.decode_s, timings.prepare_s, timings.transport_s, timings.boxes_s, timings.aggregate_s)
        facts = SegmentFacts(
            *kind,
            keyframes_only=self._keyframes_only,
            pictures=commit.result.frames_decoded,
            decoding_s=sum(spent_s),
            retries=timings.retries,
            worker="" if server is None else server.worker,
            input_pixels=0 if server is None else server.input_pixels,
            executed=None
            if server is None
            else Executed(
                server.window_s,
                server.executions,
                server.frames,
                server.frames_squared,
                server.execution_s,
                server.frame_execution_s,
                server.max_batch,
                server.instances,
            ),
        )
        self._samples.extend(samples(facts, self._served))
