"""What a worker pod reads of its job's plan: its own index's segments, and the videos that they lie in."""

from __future__ import annotations

from dataclasses import dataclass

from videojob.errors import ResultsIncomplete, UsageError
from videojob.kube.job_file import JobFile
from videojob.ports.results import JobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.info import Segment
from videojob.video.plan import PlannedVideo


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """One index of the Job: the run that it belongs to, its segments ascending, and their videos."""

    run: RunRecord
    videos: tuple[PlannedVideo, ...]
    segments: tuple[Segment, ...]


def planned_batch(file: JobFile, store: JobStore, *, attempt: int, epoch: int, index: int, batch: int) -> PlannedBatch:
    """Reads one index's part of the plan.

    Args:
        file: the job.
        store: that holds its plan.
        attempt: of the planner whose plan is run.
        epoch: as the controller began it.
        index: of the pod; a last one may own fewer segments than the others, one behind it none.
        batch: segments of one index.

    Raises:
        UsageError: there is no such plan.
        SinkError: the store does not answer.
        ResultsIncomplete: the table lacks segments that the plan says are there.
    """
    head = store.plan_head(file.uid, attempt)
    if head is None:
        raise UsageError(f"there is no plan of attempt {attempt} in the table", uri=file.table)
    first = index * batch
    expected = range(first, min(first + batch, head.segments))
    videos = tuple(store.videos_of_segments(file.uid, head, first, batch)) if expected else ()
    segments = tuple(segment for video in videos for segment in video.segments if segment.index in expected)
    if [segment.index for segment in segments] != list(expected):
        raise ResultsIncomplete(
            f"index {index} has {len(segments)} of its {len(expected)} segments, from {first} on, in the stored plan",
            uri=file.table,
            hint="Items of the plan were removed from the table or have expired: create the job again.",
            retryable=False,
        )
    metadata = file.job.metadata
    run = RunRecord(
        file.uid, metadata.namespace, metadata.name, head.plan_digest, head.segments, epoch=epoch, keys=head.keys
    )
    return PlannedBatch(run, videos, segments)
