"""A worker pod's work: the segments of one index of the Job, each to its commit or to a stored failure.

What is settled already is left alone, so an index may run any number of times, also twice at once. A fault of a video
is data: it is stored, and the index goes on. A fault of the server, the store or the model ends the pod with an exit
code that tells Kubernetes what to do (`Ending`).

What may pass, or look different from another machine (a video that cannot be read now, a decoder that died, a fault of
the program), is left open: the pod goes on with all else and ends with FAILED, and Kubernetes starts the index's next
pod after a pause that doubles. Only the last pod that the index may have gives such a video up; of a decoder's death a
second pod that meets the same is enough. A segment in which pods die without a word is given up likewise (`Silence`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from videojob.errors import (
    Cancelled,
    InputError,
    ModelNotFound,
    ServerUnavailable,
    SetupError,
    SinkUnavailable,
    VideoJobError,
    WorkerLost,
)
from videojob.planning.state.ending import Ending
from videojob.ports.clock import Clock
from videojob.ports.inference import Inference
from videojob.ports.inputs import FetchedInput
from videojob.ports.results import CommitOutcome, FailOutcome, JobStore
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.identity import RunSettings
from videojob.video.info import Segment
from videojob.video.plan import (
    ModelFacts,
    PlannedVideo,
    SegmentDoubt,
    SegmentFailure,
    first_failures,
    is_settled,
)
from videojob.worker.pods.silent_deaths import Silence
from videojob.worker.pods.turn import Turn
from videojob.worker.segment.runner import SegmentRunner
from videojob.worker.segment.task import SegmentOutcome, SegmentTask, SegmentTools, fault_in_video, may_pass
from videojob.worker.steps.dispatch import Dispatcher, Verdict, concerns_video, is_away, is_machines

_LOG = logging.getLogger(__name__)
_TRIES_MORE = 1
"""Here, after an error that may pass: the index's next pod tries again, and later."""


class VideoFiles(Protocol):
    """What is here of a batch's videos."""

    def get(self, video: PlannedVideo) -> FetchedInput:
        """The video, opened when it is first asked for. Raises InputError subclasses."""
        ...

    def drop(self, video: PlannedVideo) -> None:
        """The video is not needed any more; a second call does nothing."""
        ...


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """How a batch ended. `error` says why it did not settle."""

    ending: Ending
    error: VideoJobError | None = None
    committed: int = 0
    failed: int = 0
    skipped: int = 0
    left: int = 0
    conflicting: int = 0


@dataclass(slots=True)
class Batch:
    """One index.

    Attributes:
        run: as the controller began it. settings: of the job.
        videos: that hold the batch's segments. segments: its own, ascending.
        turn: which of the index's pods this is.
        store: where results and failures go.
        files: brings the videos.
        tools: makes the process's ports; called once, and only when there is something to run.
        stopping: whether the process was asked to end: no further segment is begun.
        clock: the time.
    """

    run: RunRecord
    settings: RunSettings
    videos: Sequence[PlannedVideo]
    segments: Sequence[Segment]
    turn: Turn
    store: JobStore
    files: VideoFiles
    tools: Callable[[], SegmentTools]
    stopping: Callable[[], bool]
    clock: Clock
    _outcome: BatchOutcome = field(init=False, default=BatchOutcome(Ending.SETTLED))

    def work(self) -> BatchOutcome:
        """Settles what is open.

        Raises:
            VideoJobError: the store does not answer, or the server cannot be reached or has no such model.
        """
        open_segments = self._open()
        _LOG.info("batch started", extra={"segments": len(self.segments), "open": len(open_segments)})
        self._outcome = replace(self._outcome, skipped=len(self.segments) - len(open_segments))
        if not open_segments:
            return self._outcome
        tools = self.tools()
        self._check_model(_facts(tools.inference))
        runner = SegmentRunner(tools)
        try:
            tries_more = min(_TRIES_MORE, self.turn.limit)
            self._run_all(runner, Dispatcher(self._tasks(open_segments), tries_more, self._leaves))
        finally:
            runner.close()
        done = self._outcome
        details = {
            "committed": done.committed,
            "failed": done.failed,
            "left": done.left,
            "conflicting": done.conflicting,
            "ending": done.ending.name,
        }
        _LOG.info("batch ended", extra=details)
        return done

    def _check_model(self, found: ModelFacts) -> None:
        """All segments of a run are of one model: the one that answered its first worker."""
        stands = self.store.describe_model(self.run, found)
        if stands != found:
            raise ModelNotFound(
                f"the server has another model {found.name!r} than the one that this run started with",
                uri=found.name,
                hint="Give a changed model a new version and digest in the installation, and create a new VideoJob.",
            )

    def _open(self) -> list[Segment]:
        if not self.segments:
            return []
        first, last = self.segments[0].index, self.segments[-1].index
        committed = self.store.committed_between(self.run, first, last - first + 1)
        begins = min(first, *(video.first_segment for video in self.videos if video.info is not None))
        failed = first_failures(self._standing(begins, last))
        return [segment for segment in self.segments if not is_settled(segment, committed, failed)]

    def _standing(self, first: int, last: int) -> list[SegmentFailure]:
        """Failures of the segments from `first` to `last` that no commit overrides."""
        return [
            failure
            for failure in self.store.failures_between(self.run, first, last - first + 1)
            if not self.store.committed_between(self.run, failure.segment, 1)
        ]

    def _tasks(self, segments: Sequence[Segment]) -> list[SegmentTask]:
        infos = {video.video: video.info for video in self.videos}
        tasks = []
        for segment in segments:
            info = infos[segment.video]
            if info is not None:
                tasks.append(SegmentTask(self.run, Path(), info, segment, self.settings))
        return tasks

    def _run_all(self, runner: SegmentRunner, dispatcher: Dispatcher) -> None:
        videos = {video.video: video for video in self.videos}
        silence = Silence(self.run, self.store, self.turn, self.clock)
        current: PlannedVideo | None = None
        try:
            while not self.stopping() and (task := dispatcher.next_task()) is not None:
                video = videos[task.segment.video]
                if current is not None and current.video != video.video:
                    self.files.drop(current)
                current = video
                error = self._run_one(runner, task, video, silence)
                if error is None:
                    dispatcher.succeeded(task.segment.index)
                elif not self._leave_or_retry(dispatcher, task.segment, error):
                    return
        finally:
            if current is not None:
                self.files.drop(current)
        if dispatcher.unfinished:
            self._outcome = replace(self._outcome, ending=Ending.STOPPED, error=Cancelled("the pod was asked to stop"))
        elif dispatcher.left:
            self._outcome = replace(self._outcome, ending=Ending.FAILED, error=dispatcher.left[0])

    def _run_one(
        self, runner: SegmentRunner, task: SegmentTask, video: PlannedVideo, silence: Silence
    ) -> VideoJobError | None:
        """Runs a segment unless another worker found its video bad before it; returns what went wrong."""
        segment = task.segment
        if self._standing(video.first_segment, segment.index):
            _LOG.info("segment not needed", extra={"segment": segment.index, "uri": video.uri})
            return None
        killer = silence.verdict(segment)
        if killer is not None:
            killer.uri = video.uri
            return killer
        error = self._try(runner, task, video)
        if error is not None:
            silence.outlived(segment, error)
        return error

    def _try(self, runner: SegmentRunner, task: SegmentTask, video: PlannedVideo) -> VideoJobError | None:
        segment = task.segment
        _LOG.info("segment started", extra={"segment": segment.index, "uri": video.uri})
        try:
            fetched = self.files.get(video)
            guide = video.guide_of(segment)
            if guide is not None and fetched.pages is not None:
                fetched.pages.expect(guide.spans)
            done = runner.run(replace(task, path=fetched.path, pages=fetched.pages, guide=guide))
        except VideoJobError as error:
            error.uri = error.uri or video.uri
            error.segment = segment.index if error.segment is None else error.segment
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this segment, and must be named
            _LOG.exception("unexpected error", extra={"segment": segment.index, "uri": video.uri})
            return fault_in_video(error, video.uri, segment.index)
        self._settled(done, video)
        return None

    def _settled(self, done: SegmentOutcome, video: PlannedVideo) -> None:
        about = {"segment": done.commit.result.segment, "uri": video.uri}
        if done.outcome is CommitOutcome.OTHER_KEPT:
            self._outcome = replace(self._outcome, conflicting=self._outcome.conflicting + 1)
            _LOG.warning("another result of the segment is stored and kept", extra=about)
        else:
            self._outcome = replace(self._outcome, committed=self._outcome.committed + 1)
            _LOG.info("segment committed", extra=about)

    def _leave_or_retry(self, dispatcher: Dispatcher, segment: Segment, error: VideoJobError) -> bool:
        """Stores what is the video's fault; False when the pod must end."""
        if isinstance(error, SinkUnavailable):
            # Each call has been patient for minutes: to run the segment again here would only cost more of them.
            raise error
        verdict = dispatcher.failed(segment.index, error)
        _LOG.warning("segment failed", extra={"segment": segment.index, "verdict": verdict.value, "error": str(error)})
        if verdict is Verdict.RETRY:
            return True
        if verdict is Verdict.LEFT:
            self._outcome = replace(self._outcome, left=self._outcome.left + 1)
            return True
        if verdict is Verdict.VIDEO_FAILED:
            self._fail(dispatcher, SegmentFailure(segment.index, segment.video, error.as_dict()), segment)
            return True
        self._outcome = replace(self._outcome, ending=ending_of(error, tried=self.turn.is_last), error=error)
        return False

    def _leaves(self, segment: Segment, error: VideoJobError) -> bool:
        """Whether the segment stays open for another pod; who met the error first is noted."""
        if isinstance(error, SetupError) and error.retryable:
            return not self.turn.is_last  # a full disk is this node's; without AWS access no video is to blame
        if not concerns_video(error) or not (is_away(error) or is_machines(error) or may_pass(error)):
            return False
        now_s = int(self.clock.now_s())
        doubt = SegmentDoubt(segment.index, error.reason, self.turn.pod, now_s)
        first = self.store.doubt(self.run, doubt)
        is_confirmed = is_machines(error) and first.pod != self.turn.pod
        if not (self.turn.is_last or is_confirmed):
            return True
        if is_away(error) and first.pod != self.turn.pod:
            pods, minutes = self.turn.failures + 1, max(1, round((now_s - first.since_s) / 60))
            error.message = f"{error.message}; {pods} pods tried it, for {minutes} min"
        return False

    def _fail(self, dispatcher: Dispatcher, failure: SegmentFailure, segment: Segment) -> None:
        """Gives the segment's video up, unless another worker has its result: then this verdict is this machine's."""
        if self.store.fail(self.run, failure) is FailOutcome.COMMITTED:
            dispatcher.overruled(segment)
            self._outcome = replace(self._outcome, skipped=self._outcome.skipped + 1)
            _LOG.warning("another worker has the segment's result", extra={"segment": segment.index})
        else:
            self._outcome = replace(self._outcome, failed=self._outcome.failed + 1)


def ending_of(error: VideoJobError, *, tried: bool = False) -> Ending:
    """What an error means to Kubernetes.

    Args:
        error: that ends the pod.
        tried: the pod has tried again as often as it may.
    """
    if isinstance(error, Cancelled | ServerUnavailable):
        return Ending.STOPPED
    if isinstance(error, ModelNotFound):
        # A server that was just restarted may not have loaded it yet; the controller knows what the server says.
        return Ending.FAILED
    if error.retryable or isinstance(error, InputError | WorkerLost) or may_pass(error):
        return Ending.EXHAUSTED if tried else Ending.FAILED
    return Ending.HOPELESS


def _facts(inference: Inference) -> ModelFacts:
    contract = inference.contract
    return ModelFacts(contract.name, contract.version, contract.labels, contract.digest)
