"""From a manifest and the inputs on this machine to the plan of a run."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from videojob.api.videojob import VideoJob
from videojob.errors import VideoJobError
from videojob.local.inputs import FailedInput
from videojob.local.values import JobPlan, VideoPlan
from videojob.media.decoder import DecoderProcess
from videojob.planning.segments import cut
from videojob.planning.settings import PlannedInput, RunSettings, plan_digest
from videojob.planning.video import Segment
from videojob.ports import FetchedInput, Sink
from videojob.results.values import RunRecord
from videojob.vision.select import class_ids
from videojob.vision.values import ModelContract


def probe_inputs(inputs: Sequence[FetchedInput | FailedInput], workers: int) -> tuple[VideoPlan, ...]:
    """Looks into every input, `workers` at a time, in processes that a bad file can only take down alone."""
    processes = [DecoderProcess() for _ in range(max(1, min(workers, len(inputs))))]
    idle: SimpleQueue[DecoderProcess] = SimpleQueue()
    for process in processes:
        idle.put(process)

    def probe_with_any(video: int, item: FetchedInput | FailedInput) -> VideoPlan:
        process = idle.get()
        try:
            return _probe_one(process, video, item)
        finally:
            idle.put(process)

    try:
        with ThreadPoolExecutor(max_workers=len(processes)) as pool:
            return tuple(pool.map(probe_with_any, range(len(inputs)), inputs))
    finally:
        for process in processes:
            process.close()


def _probe_one(decoder: DecoderProcess, video: int, item: FetchedInput | FailedInput) -> VideoPlan:
    if isinstance(item, FailedInput):
        return VideoPlan(video, item.uri, item.name, "", None, None, item.error)
    try:
        info = decoder.probe(item.path, item.uri)
    except VideoJobError as error:
        error.uri = error.uri or item.uri
        return VideoPlan(video, item.uri, item.name, item.version, item.path, None, error)
    return VideoPlan(video, item.uri, item.name, item.version, item.path, info, None)


def cut_videos(videos: Sequence[VideoPlan], segment_ms: int) -> tuple[Segment, ...]:
    """Segments of the videos that could be probed, each pointing at its video's position among all inputs."""
    good = [(video.video, video.info) for video in videos if video.info is not None]
    segments = cut([info for _, info in good], target_ms=segment_ms)
    return tuple(replace(segment, video=good[segment.video][0]) for segment in segments)


def job_uid(job: VideoJob, manifest: Path) -> str:
    """The job's identity: metadata.uid where a cluster gave one, else a hash of its name and its manifest's place."""
    if job.metadata.uid:
        return job.metadata.uid
    place = f"{socket.gethostname()}\n{manifest.resolve()}\n{job.metadata.namespace}/{job.metadata.name}"
    return hashlib.sha256(place.encode()).hexdigest()[:32]


def make_plan(
    job: VideoJob,
    manifest: Path,
    *,
    videos: tuple[VideoPlan, ...],
    settings: RunSettings,
    contract: ModelContract,
    sink: Sink,
) -> JobPlan:
    """Cuts the videos, registers the run with the sink and learns what an earlier run left.

    Raises:
        ManifestError: the model has no such class.
        SinkError: the store does not answer.
    """
    class_ids(contract.labels, settings.classes)
    segments = cut_videos(videos, settings.segment_ms)
    inputs = [PlannedInput(video.uri, video.version, video.error.reason if video.error else "") for video in videos]
    run = sink.begin(
        RunRecord(
            uid=job_uid(job, manifest),
            namespace=job.metadata.namespace,
            name=job.metadata.name,
            plan_digest=plan_digest(inputs, segments, contract.digest, settings),
            segments=len(segments),
        )
    )
    return JobPlan(run, videos, segments, settings, contract, sink.committed(run))
