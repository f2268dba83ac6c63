"""What a job costs in pods beside the same job on this machine: 210 s of video at 5 frames per second, on a real node.

The laptop runs before and behind the cluster, on the same cores: their mean is what the cluster is compared with.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.clips import clip
from bench.soak.here import run_here
from bench.soak.table import Row
from support.cluster.videojobs import Job, start
from support.cluster.world import CREDENTIALS, MODEL, World, world

_LOOPS = 21  # of ten seconds
_SAMPLING = {"framesPerSecond": "5"}
_LIMIT = 1.3
_START_SHARE = 0.05
_END_S = 1500.0


def rows() -> Iterator[Row]:
    """Processing time in pods, on this machine, and what of a pod's life was its start."""
    with world() as made, tempfile.TemporaryDirectory() as folder:
        made.s3().upload_file(str(clip("small", _LOOPS)), "videos", "long/clip.mp4")
        made.install(models=_a_model_on_all_cores(made))
        job = start(made, "pods", "long/", sampling=_SAMPLING)
        before_s = _here_s(made, job, Path(folder) / "before")
        reason = job.end(_END_S)
        if reason != "Completed":
            raise RuntimeError(f"the job ended with {reason}: {job.status.get('message')}")
        warm = start(made, "again", "long/", sampling=_SAMPLING)
        if warm.end(_END_S) != "Completed":
            raise RuntimeError(f"the second job failed: {warm.status.get('message')}")
        after_s = _here_s(made, job, Path(folder) / "after")
        yield from _compared(warm, statistics.mean((before_s, after_s)))


def _a_model_on_all_cores(made: World) -> dict[str, Any]:
    """As on the laptop: the server of the tests' cluster has one instance, which leaves cores idle."""
    models: dict[str, Any] = made.values()["models"]
    models[MODEL]["variants"]["cpu"]["instances"] = os.cpu_count()
    return models


def _compared(job: Job, laptop_s: float) -> Iterator[Row]:
    (work,) = [one for one in _jobs(job) if "-work-" in one["metadata"]["name"]]
    cluster_s = _seconds(work["status"]["completionTime"]) - _seconds(work["status"]["startTime"])
    lives, works = zip(*(_life(job, pod) for pod in job.pods("worker")), strict=True)
    pods = f"{len(lives)} pods"
    yield Row("processing in pods", cluster_s, "s", note=f"{pods}; from the Job's start to its completion")
    yield Row("processing on this machine", laptop_s, "s", note="the mean of a run before and one behind")
    yield Row("in pods / on this machine", cluster_s / laptop_s, "ratio", _LIMIT)
    yield Row("pods of workers", len(lives), "pods")
    yield Row("life of a pod before and after its work", (sum(lives) - sum(works)) / len(lives), "s", note=pods)
    yield Row("the same of its life", 1 - sum(works) / sum(lives), "share", _START_SHARE, note=pods)


def _here_s(made: World, job: Job, folder: Path) -> float:
    environment = {"AWS_ENDPOINT_URL_S3": made.s3_url, **CREDENTIALS}
    return float(run_here(job.manifest, folder, limit_s=_END_S, environment=environment)["wall_s"])


def _jobs(job: Job) -> list[dict[str, Any]]:
    path = f"/apis/batch/v1/namespaces/{job.namespace}/jobs?labelSelector=videojob.dev/job-name={job.name}"
    items: list[dict[str, Any]] = job.world.cluster.get(path)["items"]
    return items


def _life(job: Job, pod: dict[str, Any]) -> tuple[float, float]:
    """(seconds from the kubelet's start of the pod to its end, seconds from its first to its last segment)."""
    (container,) = pod["status"]["containerStatuses"]
    life_s = _seconds(container["state"]["terminated"]["finishedAt"]) - _seconds(pod["status"]["startTime"])
    text = job.world.cluster.kubectl("-n", job.namespace, "logs", pod["metadata"]["name"])
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    times = [_seconds(line["time"]) for line in lines if line["message"] in {"segment started", "segment committed"}]
    return life_s, max(times) - min(times)


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
