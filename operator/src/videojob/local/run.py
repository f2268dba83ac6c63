"""`videojob run`: one manifest, from its inputs to a finalised summary and a report, on this machine.

The steps are those of the cluster: pin and probe the inputs, cut them, run the segments that no earlier run finished,
read the commits back, fold, finalise once. Killed at any moment and started again, it goes on where the commits end.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from videojob.adapters.triton.client import connect
from videojob.api.videojob import VideoJob
from videojob.errors import ManifestError, NoFrames, VideoJobError
from videojob.local.conclude import Conclusion
from videojob.local.earlier import EarlierPlans
from videojob.local.host import sole_use, usable_cpus
from videojob.local.outputs import OutputConfig, finish_outputs
from videojob.local.plan import job_uid, make_plan
from videojob.local.pool import StopRequest
from videojob.local.process import WorkerConfig
from videojob.local.reading import InputReading, reason_to_wait
from videojob.local.run_types import JobPlan, RunObserver, RunOptions, RunOutcome
from videojob.local.server import RunningServer, check_model, serve
from videojob.local.sinks import create_table, open_sink
from videojob.local.work import Work, WorkDone, tasks_of
from videojob.ports.clock import Clock
from videojob.ports.inference import Inference
from videojob.ports.results import Sink
from videojob.video.identity import ignored_fields, run_settings
from videojob.worker.segment.flow import in_flight_frames
from videojob.worker.segment.task import VideoPlan
from videojob.worker.steps.dispatch import Dispatcher, is_away
from videojob.worker.steps.inputs import InputResolver
from videojob.worker.steps.probing import engine


@dataclass(frozen=True, slots=True)
class LocalRun:
    """One run: the manifest, how to run it, who watches, and who may stop it.

    Attributes:
        inputs: makes what brings the inputs, from the manifest's folder and that of downloads.
        pause: waits that many seconds for inputs that are away.
    """

    job: VideoJob
    options: RunOptions
    observer: RunObserver
    stop: StopRequest
    clock: Clock
    inputs: Callable[[Path, Path], InputResolver] = InputResolver
    pause: Callable[[float], None] = time.sleep

    def run(self) -> RunOutcome:
        """Runs the job to its end.

        Raises:
            VideoJobError: nothing could be started: no server, no model, no store. What goes wrong with the inputs or
                in the middle of the work is in the outcome.
        """
        if self.job.spec.suspend:
            raise ManifestError("the job is suspended", hint="Set suspend to false to run it.")
        with sole_use(self.options.output):
            return self._run()

    def _run(self) -> RunOutcome:
        started_s, deadline_s = self.clock.now_s(), self._deadline_s()
        model = self.job.spec.model
        for name in ignored_fields(self.job.spec):
            self.observer.notice(f"{name} has no meaning on this machine and is ignored")
        with contextlib.ExitStack() as stack:
            # What is quickly known to be wrong comes before downloads that may take hours.
            version = "" if model.version is None else str(model.version)
            check_model(self.options, model.name, version)
            if self.options.create_table:
                create_table(self.options.sink)
            sink = open_sink(self.options.sink)
            stack.callback(sink.close)
            videos = self._read_inputs(deadline_s)
            wait = reason_to_wait(self.job.spec, videos, sink, job_uid(self.job, self.options.output))
            if is_away(wait):
                self.observer.notice(
                    "an earlier run has results of a video that cannot be read now: they are kept, nothing was started"
                )
            if wait is not None or all(video.info is None for video in videos):
                return _nothing_to_do(videos, wait)
            self.observer.stage(f"Starting the server for {model.name}")
            server = stack.enter_context(serve(self.options, model.name, self._cpus()))
            inference = connect(server.address, model.name, version, options=server.options())
            stack.callback(inference.close)
            plan = self._plan(videos, inference, sink)
            self.observer.planned(plan)
            work, dispatcher = self._process(plan, server, inference, deadline_s)
            self.observer.stage("Aggregating the results")
            conclusion = Conclusion(
                self.job,
                self.options,
                plan,
                work,
                outputs=self._outputs(),
                server=server.description,
                started_s=started_s,
                clock=self.clock,
                notice=self.observer.notice,
            )
            outcome = conclusion.outcome(dispatcher, sink)
            if outcome.summary is not None:
                finish_outputs(self._outputs(), plan, outcome.failed, self.observer.notice)
            return outcome

    def _read_inputs(self, deadline_s: float | None) -> tuple[VideoPlan, ...]:
        self.observer.stage("Reading the inputs")
        reading = InputReading(self.job.spec, self._cpus(), self.pause, self.clock, self.observer.notice, deadline_s)
        with self.inputs(self.options.base, self.options.output / "inputs") as resolver:
            return reading.videos(resolver)

    def _plan(self, videos: tuple[VideoPlan, ...], inference: Inference, sink: Sink) -> JobPlan:
        plan = make_plan(
            self.job,
            EarlierPlans(self.options.output, self.options.sink, self.observer.notice),
            videos=videos,
            settings=run_settings(self.job.spec),
            contract=inference.contract,
            engine_text=engine(embedded=self.options.triton_url is None),
            sink=sink,
        )
        return replace(plan, lacking=self._outputs().lacking(plan))

    def _cpus(self) -> int:
        limits = self.job.spec.compute.limits
        return min(usable_cpus(), (limits and limits.cpus) or usable_cpus())

    def _workers(self, tasks: int) -> int:
        limits = self.job.spec.compute.limits
        allowed = [(limits and limits.workers) or tasks, (limits and limits.cpus) or tasks]
        return min(tasks, self.options.workers or self._cpus(), *allowed)

    def _deadline_s(self) -> float | None:
        limit_s = self.job.spec.active_deadline_seconds
        return None if limit_s is None else self.clock.monotonic_s() + limit_s

    def _process(
        self, plan: JobPlan, server: RunningServer, inference: Inference, deadline_s: float | None
    ) -> tuple[WorkDone, Dispatcher]:
        tasks = tasks_of(plan)
        dispatcher = Dispatcher(tasks, self.job.spec.backoff_limit)
        if not tasks:
            return WorkDone(), dispatcher
        workers = self._workers(len(tasks))
        contract = plan.contract
        config = WorkerConfig(
            workers=workers,
            server=server,
            model=contract.name,
            version=contract.version,
            sink=self.options.sink,
            in_flight_frames=in_flight_frames(contract.max_batch, contract.instances, workers),
            outputs=self._outputs(),
        )
        work = Work(plan, self.observer, inference, self.clock, deadline_s)
        return work.run(config, dispatcher, self.stop, self.options.grace_s), dispatcher

    def _outputs(self) -> OutputConfig:
        results = self.job.spec.results
        preview = results.preview
        return OutputConfig(
            folder=self.options.output,
            detections=results.detections_enabled,
            preview=preview.mode if preview is not None and preview.enabled else None,
        )


def _nothing_to_do(videos: tuple[VideoPlan, ...], wait: VideoJobError | None) -> RunOutcome:
    """Nothing is begun; of several errors one that may pass is reported, because the job may do better then."""
    failed = tuple(video for video in videos if video.error is not None)
    errors = [video.error for video in failed if video.error is not None]
    first = wait or next(filter(is_away, errors), next(iter(errors), None))
    error = first or NoFrames("the manifest's inputs hold no video")
    return RunOutcome("Failed", None, error=error, failed=failed, videos=videos)
