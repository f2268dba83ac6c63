"""The end of a job on a cluster: all segments settled, commits folded into the summary, stored once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from videojob.api.videojob import VideoJob
from videojob.errors import ResultsIncomplete, SinkError
from videojob.planning.jobplan import ModelFacts, PlanHead, PlannedVideo, SegmentFailure, first_failures, is_settled
from videojob.planning.settings import run_settings
from videojob.ports import JobStore
from videojob.results.describe import DescribedVideo, describe
from videojob.results.summary import Summary, summarise
from videojob.results.summary_codec import decode_summary, encode_summary
from videojob.results.values import RunRecord

_MOST_NAMED = 3  # the summary and the report name all


@dataclass(frozen=True, slots=True)
class FinalOutcome:
    """What the stored summary says.

    Attributes:
        state: "Completed", "PartiallyCompleted" or "Failed".
        message: why, with the first inputs that failed by name.
        frames: that were looked at.
        reason: word of the first failed input, "" when there is none.
    """

    state: str
    message: str
    frames: int
    reason: str = ""


def outcome_of(summary: Summary) -> FinalOutcome:
    """A summary in the controller's words."""
    failed = summary.failed_inputs
    reason = next((str(one.error.get("reason", "")) for one in failed), "")
    named = [f"{one.uri} ({one.error.get('reason')}: {one.error.get('message')})" for one in failed[:_MOST_NAMED]]
    more = ["…"] if len(failed) > _MOST_NAMED else []
    message = f"{summary.message}: {'; '.join(named + more)}" if named else summary.message
    return FinalOutcome(summary.state, message, summary.frames.selected, reason)


def stored_outcome(store: JobStore, run: RunRecord) -> FinalOutcome | None:
    """What an earlier call of `finalise_run` stored; None when there was none. Raises SinkError, also for nonsense."""
    stored = store.finished(run)
    try:
        return None if stored is None else outcome_of(decode_summary(stored))
    except (LookupError, TypeError, ValueError) as error:
        words = f"the stored summary is not as this program writes it: {type(error).__name__}: {error}"
        raise SinkError(words, uri=run.uid, hint="Delete the job's items, and create it again.") from error


def finalise_run(store: JobStore, job: VideoJob, head: PlanHead, run: RunRecord) -> FinalOutcome | None:
    """Stores the summary, or finds it stored.

    Args:
        store: of the job.
        job: as the user wrote it.
        head: of the plan that was run.
        run: as `store.begin` returned it.

    Returns:
        The outcome; None when segments are open, whatever Kubernetes says of its pods.

    Raises:
        SinkError: the store does not answer, or holds something else than was planned.
    """
    known = stored_outcome(store, run)
    if known is not None:
        return known
    summary = _summed_up(store, job, head, run)
    if summary is None:
        return None
    if summary.state == "Failed" and any(one.error.get("retryable") is True for one in summary.failed_inputs):
        return outcome_of(summary)  # nothing was found, and a job that is resumed may find it: a summary would stand
    outcome, encoded = outcome_of(summary), encode_summary(summary)
    del summary  # of a large job it takes as much memory as what is made of it for the store
    store.finalise(run, encoded, None)
    return outcome


def _summed_up(store: JobStore, job: VideoJob, head: PlanHead, run: RunRecord) -> Summary | None:
    """What the commits come to; None when segments are open."""
    videos = list(store.planned_videos(run.uid, head.plan_id))
    failed = first_failures(store.failures(run))
    segments = [segment for video in videos for segment in video.segments]
    committed = store.committed(run)
    if len(segments) != head.segments:
        raise ResultsIncomplete(f"the stored plan has {len(segments)} of its {head.segments} segments", uri=run.uid)
    if not all(is_settled(segment, committed, failed) for segment in segments):
        return None
    model = store.model(run) or ModelFacts(job.spec.model.name, "", ())
    description = describe(
        job.metadata.namespace,
        job.metadata.name,
        model=model,
        settings=run_settings(job.spec),
        videos=[_described(video, failed) for video in videos],
        segments=segments,
    )
    return summarise(description, (commit.result for commit in store.commits(run)))


def _described(video: PlannedVideo, failed: Mapping[int, SegmentFailure]) -> DescribedVideo:
    failure = failed.get(video.video)
    return DescribedVideo(video.video, video.uri, video.info, video.error if failure is None else failure.error)
