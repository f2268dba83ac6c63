"""Ours: the laptop's own pool of workers over the clip's segments, the server already up.

The pool is warm when the measuring begins: every worker has connected, opened its store and run one short segment, as
in the middle of a job. Everything else is what `videojob run` does: spawned workers, a decoder process each, requests
to Triton, windows, one conditional commit per segment into SQLite.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

from bench import processes
from bench.child import measured
from bench.tasks import Sample, Task
from videojob.adapters.clock import SystemClock
from videojob.adapters.triton.client import TritonInference, connect
from videojob.errors import VideoJobError
from videojob.local.outputs import OutputConfig
from videojob.local.pool import PoolEvents, StopRequest, WorkerPool
from videojob.local.process import WorkerConfig
from videojob.local.run_types import SinkConfig
from videojob.local.server import RunningServer
from videojob.local.sinks import open_sink
from videojob.local.work import WorkDone
from videojob.media.parent.decoder import DecoderProcess
from videojob.results.aggregate.segment_results import RunRecord, SegmentTimings
from videojob.video.identity import RunSettings
from videojob.video.info import Sampling, Segment, VideoInfo
from videojob.video.segments import cut
from videojob.vision.tensors import ModelContract
from videojob.worker.segment.flow import in_flight_frames
from videojob.worker.segment.task import SegmentTask
from videojob.worker.steps.dispatch import Dispatcher, Verdict

WINDOW_MS = 10_000
PRESENCE_GAP_MS = 2_000
_WARM_MS = 400  # enough frames to open sessions and mappings, few enough to cost nothing


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, once for warming up and once for measuring."""

    info: VideoInfo
    segments: tuple[Segment, ...]
    settings: RunSettings
    contract: ModelContract


def job_of(task: Task, contract: ModelContract, sampling: Sampling | None = None) -> Job:
    """The clip, cut as the task says."""
    decoder = DecoderProcess()
    try:
        info = decoder.probe(task.clip, task.clip.name, cut_every_ms=task.segment_ms)
    finally:
        decoder.close()
    settings = RunSettings(
        sampling=sampling or Sampling(),
        threshold_ppm=500_000,
        classes=(),
        window_ms=WINDOW_MS,
        presence_gap_ms=PRESENCE_GAP_MS,
        track=False,
        skip_corrupt=False,
        segment_ms=task.segment_ms,
    )
    return Job(info, cut([info], target_ms=task.segment_ms), settings, contract)


def run_record(name: str, segments: int) -> RunRecord:
    """A run of its own in the store."""
    return RunRecord(uid=name, namespace="bench", name=name, plan_digest=name, segments=segments)


def worker_config(task: Task, contract: ModelContract, workers: int) -> WorkerConfig:
    """As `videojob run` would set it."""
    return WorkerConfig(
        workers=workers,
        server=running_server(task),
        model=task.model,
        version="",
        sink=SinkConfig("sqlite", path=task.scratch / "results.sqlite3"),
        in_flight_frames=in_flight_frames(contract.max_batch, contract.instances, workers),
        outputs=OutputConfig(task.scratch),
    )


def running_server(task: Task) -> RunningServer:
    """The task's server, as workers get it."""
    if task.server is None:
        raise ValueError("ours needs a server")
    return RunningServer(task.server.address, "bench", task.server.headers)


def connect_to(task: Task, *, shared_memory: bool = True) -> TritonInference:
    """A connection to the task's model; without shared memory as if the server were on another host."""
    server = running_server(task)
    options = dataclasses.replace(server.options(), shared_memory=shared_memory)
    return connect(server.address, task.model, options=options)


def contract_on_server(task: Task) -> ModelContract:
    """The model as the server describes it."""
    inference = connect_to(task)
    try:
        return inference.contract
    finally:
        inference.close()


def run(task: Task) -> Sample:
    """See `bench.child.Variant`."""
    contract = contract_on_server(task)
    job = job_of(task, contract)
    workers = min(task.cores, len(job.segments))
    config = worker_config(task, contract, workers)
    with WorkerPool(config, SystemClock()) as pool:
        _work(pool, config, _warm_up(job, workers), job, task)
        with measured(task) as measurement:
            done = _work(pool, config, job.segments, job, task)
        measurement.frames = done.frames_selected
        measurement.extra = {
            **_shares(done.timings),
            "peak_rss_per_worker_bytes": _peak_per_worker(),
            "segments": float(done.segments),
        }
    return measurement.sample()


def _warm_up(job: Job, workers: int) -> tuple[Segment, ...]:
    """The first moments of the video, once for each worker."""
    end = job.info.start_pts + round(_WARM_MS / 1000 / job.info.time_base)
    return tuple(Segment(index, 0, None, end) for index in range(workers))


def _work(pool: WorkerPool, config: WorkerConfig, segments: tuple[Segment, ...], job: Job, task: Task) -> WorkDone:
    sink = open_sink(config.sink)
    record = sink.begin(run_record(f"run-{os.getpid()}-{len(segments)}-{segments[0].end_pts}", len(segments)))
    sink.close()
    tasks = [SegmentTask(record, task.clip, job.info, segment, job.settings) for segment in segments]
    done = WorkDone()

    def failed(error: VideoJobError, verdict: Verdict) -> None:
        raise RuntimeError(f"{verdict.value}: {error}")

    events = PoolEvents(lambda _: None, done.add, failed, lambda: None)
    dispatcher = Dispatcher(tasks, 0)
    pool.run(dispatcher, events, StopRequest(), 0.0)
    if dispatcher.job_error is not None:
        raise dispatcher.job_error
    return done


def _shares(timings: SegmentTimings) -> dict[str, float]:
    """Where the workers' time went, as shares of it."""
    values = dataclasses.asdict(timings)
    names = ("decode_s", "prepare_s", "transport_s", "boxes_s", "aggregate_s", "wait_s", "decode_wait_s")
    return {f"share_{name.removesuffix('_s')}": values[name] / timings.wall_s for name in names}


def _peak_per_worker() -> float:
    """The greatest sum of a worker's and its decoder's peaks."""
    own = os.getpid()
    sums = []
    for pid in processes.children(own):
        members = processes.tree(pid)
        if len(members) > 1:  # a worker and its decoder; not multiprocessing's own helper
            sums.append(sum(processes.peak_rss_bytes(member) for member in members))
    return float(max(sums, default=0))
