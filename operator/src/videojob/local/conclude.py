"""The end of a run: commits folded into the summary, finalised once; the report and the record beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from videojob.api.videojob import VideoJob
from videojob.errors import VideoJobError, WorkerLost, error_from_dict
from videojob.local.outputs import OutputConfig
from videojob.local.record import REPORT_FILE, RunTimes, read_facts, run_facts, write_facts
from videojob.local.report import write_report
from videojob.local.run_types import JobPlan, RunOptions, RunOutcome
from videojob.local.work import WorkDone
from videojob.ports.clock import Clock
from videojob.ports.results import Sink
from videojob.results.aggregate.describe import DescribedVideo, describe
from videojob.results.aggregate.segment_results import WriteUsage
from videojob.results.aggregate.summary import JobDescription, Summary, summarise
from videojob.results.run_facts import RunFacts
from videojob.results.stored.summary_codec import decode_summary, encode_summary
from videojob.video.plan import ModelFacts
from videojob.worker.segment.task import VideoPlan
from videojob.worker.steps.dispatch import Dispatcher


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Everything that is known when the pool has stopped.

    Attributes:
        outputs: the per-frame outputs that were asked for.
        server: what served the model, as text.
        started_s: when the run began, seconds since the epoch.
        notice: gets what a person should know.
    """

    job: VideoJob
    options: RunOptions
    plan: JobPlan
    work: WorkDone
    outputs: OutputConfig
    server: str
    started_s: float
    clock: Clock
    notice: Callable[[str], None]

    def outcome(self, dispatcher: Dispatcher, sink: Sink) -> RunOutcome:
        """How the run ended; finalises when every segment of every good video is committed.

        Raises:
            SinkError: the store does not answer, or its commits do not cover the plan.
        """
        videos = _with_failures(self.plan.videos, dispatcher)
        outcome = self._so_far(videos)
        if dispatcher.job_error is not None:
            return replace(outcome, error=dispatcher.job_error)
        if dispatcher.unfinished:
            return replace(outcome, state="Interrupted")
        if self.plan.finished is not None:
            return self._as_before(self.plan.finished, sink)
        # A failure that a retry may cure is not written down for good: the next run keeps what is done and tries again.
        # A fault of the program is: it would come back at each run, and no other video would ever have a result.
        again = _to_retry(videos, dispatcher)
        if again is not None:
            return replace(outcome, error=again)
        results = (commit.result for commit in sink.commits(self.plan.run))
        summary = summarise(description(self.job, self.plan, videos), results)
        encoded = encode_summary(summary)
        sink.finalise(self.plan.run, encoded, None)
        usage = self.usage(sink)
        facts = self._record(usage)
        report = write_report(sink, self.plan.run, facts, self.clock, self.options.output / REPORT_FILE)
        # An input of which nothing was intact shows only now, when all its segments are there.
        found = _errors(summary)
        outcome = self._so_far(tuple(replace(one, error=one.error or found.get(one.video)) for one in videos))
        return replace(outcome, state=summary.state, summary=encoded, write_units=usage.write_units, report=report)

    def _as_before(self, encoded: bytes, sink: Sink) -> RunOutcome:
        """An earlier run finished this very plan: its summary stands, whatever this one would have met."""
        summary = decode_summary(encoded)
        errors = _errors(summary)
        videos = tuple(replace(video, error=errors.get(video.video)) for video in self.plan.videos)
        facts = self._record(self.usage(sink))
        report = write_report(sink, self.plan.run, facts, self.clock, self.options.output / REPORT_FILE)
        return replace(self._so_far(videos), state=summary.state, summary=encoded, report=report)

    def _record(self, usage: WriteUsage) -> RunFacts:
        # A rerun that found everything done says nothing new: the facts of the run that did the work stay.
        known = None if self.work.segments else read_facts(self.options.output, self.plan.run, self._rewrite)
        if known is not None:
            return known
        times = RunTimes(self.started_s, self.clock.now_s())
        facts = run_facts(self.job, self.options, self.plan, self.work, server=self.server, times=times, usage=usage)
        write_facts(self.options.output, facts)
        return facts

    def _rewrite(self, why: str) -> None:
        self.notice(f"{why}; it is rewritten without timings")

    def usage(self, sink: Sink) -> WriteUsage:
        """What the sink took in this run, workers and parent together."""
        return sink.usage() + self.work.usage

    def _so_far(self, videos: tuple[VideoPlan, ...]) -> RunOutcome:
        work = self.work
        return RunOutcome(
            state="Failed",
            run=self.plan.run,
            failed=tuple(video for video in videos if video.error is not None),
            segments_run=work.segments,
            segments_kept=len(self.plan.kept),
            kept_other=work.kept_other,
            frames_selected=work.frames_selected,
            frames_inferred=work.frames_inferred,
            wall_s=work.wall_s,
            frames_per_s=work.frames_per_s,
            mean_batch=work.mean_batch,
            transport=work.transport,
            timings=work.timings,
            detections=_existing(self.outputs.detections_folder(self.plan.run)),
            preview=_existing(self.outputs.preview_folder(self.plan.run)),
            videos=videos,
        )


def _to_retry(videos: tuple[VideoPlan, ...], dispatcher: Dispatcher) -> VideoJobError | None:
    """The first failure that leaves the job to its next run; None when the failures stand.

    A video that killed worker after worker stands as failed, as on a cluster, where others have results: it would kill
    the next run's workers, too.
    """
    has_results = any(video.error is None for video in videos)
    for failure in dispatcher.failures:
        is_settled = isinstance(failure.error, WorkerLost) and has_results
        if failure.error.retryable and not is_settled:
            return failure.error
    return None


def _existing(folder: Path | None) -> Path | None:
    """The folder, when something was written there: a place that is not there must not be announced."""
    return folder if folder is not None and folder.is_dir() else None


def _with_failures(videos: tuple[VideoPlan, ...], dispatcher: Dispatcher) -> tuple[VideoPlan, ...]:
    failures: dict[int, VideoJobError] = {failure.video: failure.error for failure in dispatcher.failures}
    return tuple(replace(video, error=failures.get(video.video, video.error)) for video in videos)


def _errors(summary: Summary) -> dict[int, VideoJobError]:
    return {failed.video: error_from_dict(failed.error) for failed in summary.failed_inputs}


def description(job: VideoJob, plan: JobPlan, videos: tuple[VideoPlan, ...]) -> JobDescription:
    """What the summary says beside the results themselves."""
    return describe(
        job.metadata.namespace,
        job.metadata.name,
        model=ModelFacts(plan.contract.name, plan.contract.version, plan.contract.labels),
        settings=plan.settings,
        videos=[
            DescribedVideo(video.video, video.uri, video.info, None if video.error is None else video.error.as_dict())
            for video in videos
        ],
        segments=plan.segments,
    )
