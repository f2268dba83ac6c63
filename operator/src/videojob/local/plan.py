"""From a manifest and the inputs on this machine to the plan of a run."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from videojob.api.videojob import VideoJob
from videojob.local.earlier import EarlierPlans
from videojob.local.run_types import JobPlan
from videojob.ports.results import Sink
from videojob.results.aggregate.segment_results import RunRecord
from videojob.video.identity import PlannedInput, RunSettings, digest_of, plan_text
from videojob.vision.select import class_ids
from videojob.vision.tensors import ModelContract
from videojob.worker.segment.task import VideoPlan
from videojob.worker.steps.probing import cut_videos

MARK_FILE = "job-mark"


def job_uid(job: VideoJob, output: Path) -> str:
    """The job's identity: metadata.uid where a cluster gave one, else its name and the output folder's own mark.

    The mark moves with the folder, so a job goes on after a move or in another container that mounts it, and two people
    who share a table do not meet.
    """
    if job.metadata.uid:
        return job.metadata.uid
    mark = output / MARK_FILE
    if not mark.exists():
        part = mark.with_suffix(f".{os.getpid()}.part")
        part.write_text(secrets.token_hex(16), encoding="ascii")
        part.rename(mark)
    place = f"{mark.read_text(encoding='ascii')}\n{job.metadata.namespace}/{job.metadata.name}"
    return hashlib.sha256(place.encode()).hexdigest()[:32]


def make_plan(
    job: VideoJob,
    plans: EarlierPlans,
    *,
    videos: tuple[VideoPlan, ...],
    settings: RunSettings,
    contract: ModelContract,
    engine_text: str,
    sink: Sink,
) -> JobPlan:
    """Cuts the videos, registers the run with the sink, and learns and takes over what earlier runs left.

    Raises:
        ManifestError: the model has no such class.
        SinkError: the store does not answer.
    """
    class_ids(contract.labels, settings.classes)
    segments = cut_videos(videos, settings.segment_ms)
    inputs = [PlannedInput(video.uri, video.version, video.error.reason if video.error else "") for video in videos]
    uid = job_uid(job, plans.output)
    newest = sink.newest(uid)
    text = plan_text(inputs, segments, f"{contract.digest} {engine_text}", settings)
    run = sink.begin(
        RunRecord(
            uid=uid,
            namespace=job.metadata.namespace,
            name=job.metadata.name,
            plan_digest=digest_of(text),
            segments=len(segments),
        )
    )
    plans.keep(run, text)
    finished = sink.finished(run)
    if finished is None:
        plans.take_over(sink, run, text, newest)
    return JobPlan(run, videos, segments, settings, contract, sink.committed(run), finished)
