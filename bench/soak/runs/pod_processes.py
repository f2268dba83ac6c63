"""CPU time of a job's pods beside the same job on this machine: 210 s of video at 5 frames per second.

Pods are processes here, without containers: what they import and connect counts, the container's own start does not.
The server's CPU time is in all of it. CPU time hardly depends on what else runs on the machine.
"""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from bench.clips import clip
from bench.soak.here import run_here
from bench.soak.table import Row
from support.decisions import CPU, a_catalogue
from support.dynamodb import dynamodb_local
from support.pods import PodJob, job_manifest
from support.s3 import direct_client, moto_server
from support.triton import start
from videojob.local.models.ready import ensure_built
from videojob.planning.placement.batches import deal, indexes
from videojob.video.plan import PlanHead

_LOOPS = 21  # of ten seconds
_LIMIT = 1.3
_END_S = 1500.0
_AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


def rows() -> Iterator[Row]:
    """A pod for each segment, pods as they are dealt out, and this machine, which runs before and behind them."""
    with _world() as (make, server_cpu_s, folder):
        measured = _Measured(server_cpu_s)
        before_s = measured.of(lambda: _here(make("before"), folder / "here-1"))
        head = _planned(make("each"))
        each_s = measured.of(lambda: _run(make("each"), head, 1))
        _planned(make("dealt"))
        dealt = deal(head, make("dealt").job.spec, a_catalogue(), CPU, deadline_left_s=None)
        dealt_s = measured.of(lambda: _run(make("dealt"), head, dealt.batch))
        machine_s = (before_s + measured.of(lambda: _here(make("after"), folder / "here-2"))) / 2
        start_s = (each_s - dealt_s) / (head.segments - dealt.completions)
    yield Row("CPU time on this machine", machine_s, "s", note="videojob run, the mean of one before and one behind")
    yield Row("CPU time, a pod for each segment", each_s, "s", note=f"{head.segments} pods, as earlier releases did")
    yield Row("CPU time, pods as dealt out", dealt_s, "s", note=f"{dealt.completions} pods of {dealt.batch} segments")
    yield Row("a pod for each segment / this machine", each_s / machine_s, "ratio")
    yield Row("pods as dealt out / this machine", dealt_s / machine_s, "ratio", _LIMIT)
    yield Row("CPU time of one more pod", start_s, "s", note="of two ways to deal out the same segments")


class _Measured:
    """CPU seconds of processes that this one starts and waits for, and of the server, meanwhile."""

    def __init__(self, server_cpu_s: Callable[[], float]) -> None:
        self._server_cpu_s = server_cpu_s

    def of(self, work: Callable[[], object]) -> float:
        before_s = self._now_s()
        work()
        return self._now_s() - before_s

    def _now_s(self) -> float:
        own = resource.getrusage(resource.RUSAGE_CHILDREN)
        return own.ru_utime + own.ru_stime + self._server_cpu_s()


@contextmanager
def _world() -> Iterator[tuple[Callable[[str], PodJob], Callable[[], float], Path]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="videojob-soak-")))
        s3_url = stack.enter_context(moto_server())
        table_url = stack.enter_context(dynamodb_local())
        server = stack.enter_context(start(ensure_built("face_detector"), "face_detector", folder))
        client = direct_client(s3_url)
        client.create_bucket(Bucket="videos")
        client.upload_file(str(clip("small", _LOOPS)), "videos", "long/clip.mp4")
        os.environ.update(_AWS | {"AWS_ENDPOINT_URL_S3": s3_url})

        def make(name: str) -> PodJob:
            manifest = job_manifest("long/", sampling={"framesPerSecond": "5"})
            (folder / name).mkdir(exist_ok=True)
            job = PodJob(manifest, folder / name / "pods", f"results-{name}", table_url, server.grpc_address)
            if not (folder / name / "table").exists():
                job.store().create_table()
                (folder / name / "table").touch()
            return job

        def server_cpu_s() -> float:
            root = psutil.Process(server.supervisor_pid)
            times = [one.cpu_times() for one in (root, *root.children(recursive=True))]
            return float(sum(one.user + one.system for one in times))

        yield make, server_cpu_s, folder


def _here(job: PodJob, folder: Path) -> None:
    run_here(job.manifest, folder, "--triton-url", job.server, limit_s=_END_S)


def _planned(job: PodJob) -> PlanHead:
    ended = job.plan()
    if ended.code:
        raise RuntimeError(f"the planner failed: {ended.words}")
    head, _ = job.begin()
    return head


def _run(job: PodJob, head: PlanHead, batch: int) -> None:
    for number in range(indexes(head.segments, batch)):
        ended = job.index(number, batch=batch)
        if ended.code:
            raise RuntimeError(f"index {number} ended with {ended.code}: {ended.words}")
