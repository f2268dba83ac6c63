"""The end of a job on a cluster: all segments settled, commits folded into the summary, stored once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from videojob.api.videojob import VideoJob
from videojob.errors import ResultsIncomplete, SinkError
from videojob.ports.results import JobStore
from videojob.results.aggregate.describe import DescribedVideo, describe
from videojob.results.aggregate.segment_results import RunRecord
from videojob.results.aggregate.summary import FailedInput, Summary, summarise
from videojob.results.stored.summary_codec import facts_of, summary_document
from videojob.video.identity import run_settings
from videojob.video.plan import (
    ModelFacts,
    PlanHead,
    PlannedSegments,
    PlannedVideo,
    SegmentFailure,
    first_failures,
    is_settled,
)
from videojob.worker.steps.learning import Lesson

_MOST_NAMED = 3  # the summary and the report name all


@dataclass(frozen=True, slots=True)
class FinalOutcome:
    """What the stored summary says.

    Attributes:
        state: "Completed", "PartiallyCompleted" or "Failed".
        message: why, with the first inputs that failed by name.
        frames: that were processed.
        reason: word of the first failed input, "" when there is none.
    """

    state: str
    message: str
    frames: int
    reason: str = ""


def outcome_of(summary: Summary) -> FinalOutcome:
    """A summary in the controller's words."""
    return _outcome(summary.state, summary.message, summary.frames.selected, summary.failed_inputs)


def _outcome(state: str, message: str, frames: int, failed: Sequence[FailedInput]) -> FinalOutcome:
    reason = next((str(one.error.get("reason", "")) for one in failed), "")
    named = [f"{one.uri} ({one.error.get('reason')}: {one.error.get('message')})" for one in failed[:_MOST_NAMED]]
    more = ["…"] if len(failed) > _MOST_NAMED else []
    words = f"{message}: {'; '.join(named + more)}" if named else message
    return FinalOutcome(state, words, frames, reason)


def stored_outcome(store: JobStore, run: RunRecord) -> FinalOutcome | None:
    """What an earlier call of `finalise_run` stored; None when there was none. Raises SinkError, also for one that is
    not valid.

    However large the summary is, little of it is read.
    """
    try:
        stored = store.finished_facts(run)
        if stored is None:
            return None
        state, message, frames, failed = facts_of(stored)
        return _outcome(state, message, frames.selected, failed)
    except (LookupError, TypeError, ValueError) as error:
        words = f"the stored summary has an unknown format: {type(error).__name__}: {error}"
        raise SinkError(words, uri=run.uid, hint="Delete the job's items, and create it again.") from error


def finalise_run(
    store: JobStore, job: VideoJob, head: PlanHead, run: RunRecord, lesson: Lesson | None = None
) -> FinalOutcome | None:
    """Stores the summary, or finds it stored.

    Args:
        store: of the job.
        job: as the user wrote it.
        head: of the plan that was run.
        run: as `store.begin` returned it.
        lesson: notes what the commits tell of speeds.

    Returns:
        The outcome; None when segments are open, whatever Kubernetes says of its pods.

    Raises:
        SinkError: the store does not answer, or holds something else than was planned.
    """
    known = stored_outcome(store, run)
    if known is not None:
        return known
    summary = _summed_up(store, job, head, run, lesson or Lesson(None, keyframes_only=False, segments=head.segments))
    if summary is None:
        return None
    if summary.state == "Failed" and any(one.error.get("retryable") is True for one in summary.failed_inputs):
        return outcome_of(summary)  # nothing was found, and a job that is resumed may find it: a summary would stand
    outcome, document = outcome_of(summary), summary_document(summary)
    del summary  # of thousands of videos it takes as much memory as what is made of it for the store
    store.finalise(run, document, None)
    return outcome


def _summed_up(store: JobStore, job: VideoJob, head: PlanHead, run: RunRecord, lesson: Lesson) -> Summary | None:
    """What the commits come to; None when segments are open."""
    failures = store.failures(run)
    committed = store.committed(run)  # after the failures: a commit that came between overrides its segment's
    failed = first_failures(failures, committed)
    segments = PlannedSegments()
    description = describe(
        job.metadata.namespace,
        job.metadata.name,
        model=store.model(run) or ModelFacts(job.spec.model.name, "", ()),
        settings=run_settings(job.spec),
        videos=_described(lesson.videos(store.planned_videos(run.uid, head.plan_id)), failed, segments),
        segments=segments,
    )
    if len(segments) != head.segments:
        raise ResultsIncomplete(f"the stored plan has {len(segments)} of its {head.segments} segments", uri=run.uid)
    if not all(is_settled(segment, committed, failed) for segment in segments):
        return None
    del committed
    return summarise(description, lesson.results(store.commits(run)))


def _described(
    videos: Iterable[PlannedVideo], failed: Mapping[int, SegmentFailure], segments: PlannedSegments
) -> Iterator[DescribedVideo]:
    for video in videos:
        segments.add(video)
        failure = failed.get(video.video)
        yield DescribedVideo(video.video, video.uri, video.info, video.error if failure is None else failure.error)
