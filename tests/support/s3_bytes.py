"""What a whole job fetches from S3: planner and pods with the real fetch path and decoder, before a server that counts.

Bytes of the media are those between the container's first and last picture; all others are its index and header.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from support.decoding import decode, request_for
from support.fakes import FakeClock
from support.job_stores import FakeJobStore
from support.long_videos import LongMp4
from support.range_s3 import RangeServer
from videojob.api.videojob import VideoJob
from videojob.kube.job_file import JobFile
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.info import Sampling
from videojob.video.plan import PlannedVideo
from videojob.worker.pods.planner import Planner
from videojob.worker.pods.program import Drain
from videojob.worker.pods.video_files import SCRATCH_BYTES, FetchedFiles, paging_for_work
from videojob.worker.steps.inputs import InputResolver


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes and requests of one part of a job.

    Attributes:
        media_bytes: of the container's media. index_bytes: all others.
        requests: GETs.
    """

    media_bytes: int = 0
    index_bytes: int = 0
    requests: int = 0

    def __add__(self, other: Fetched) -> Fetched:
        return Fetched(
            self.media_bytes + other.media_bytes,
            self.index_bytes + other.index_bytes,
            self.requests + other.requests,
        )


@dataclass(frozen=True, slots=True)
class JobBytes:
    """A whole job.

    Attributes:
        probe: of the planner. pods: of the indexes that were run.
        own_bytes: of the pictures in the segments that were run.
        share: of all segments that were run: the planner's bytes count by this.
        segments: that were run.
    """

    probe: Fetched
    pods: Fetched
    own_bytes: int
    share: float
    segments: int

    @property
    def media_ratio(self) -> float:
        """Media bytes that pods fetched / the segments' own."""
        return self.pods.media_bytes / self.own_bytes

    @property
    def ratio(self) -> float:
        """All bytes, the planner's too / the segments' own."""
        pods = self.pods.media_bytes + self.pods.index_bytes
        return (pods + self.share * (self.probe.media_bytes + self.probe.index_bytes)) / self.own_bytes


def fetched(server: RangeServer, media: tuple[int, int]) -> Fetched:
    """What the server sent since it was last asked."""
    sent = server.take()
    inside = sum(max(0, min(start + count, media[1]) - max(start, media[0])) for start, count in sent)
    return Fetched(inside, sum(count for _, count in sent) - inside, len(sent))


def measure_job(
    video: LongMp4,
    server: RangeServer,
    folder: Path,
    *,
    batch: int = 1,
    every: int = 1,
    sampling: Sampling | None = None,
) -> JobBytes:
    """Plans a job of one video and reads the segments of every `every`th index as its pods would.

    Args:
        video: what was written. server: that has it, at the environment's S3 endpoint.
        folder: for scratch.
        batch: segments of one index.
        every: 1 runs all indexes.
        sampling: of the job; every picture when None.
    """
    store = FakeJobStore()
    scratch = folder / "scratch"
    scratch.mkdir()
    drain = Drain(0.0, FakeClock())
    head = Planner(_job_file(), store, scratch, 1, drain).run(1)
    probe = fetched(server, video.media)
    pods, own_bytes, run = Fetched(), 0, 0
    decoder = DecoderProcess()
    try:
        with InputResolver(scratch, scratch) as resolver:
            for first in range(0, head.segments, batch * every):
                files = FetchedFiles(scratch, resolver.fetcher_of, paging_for_work(SCRATCH_BYTES))
                (planned,) = store.videos_of_segments("", head, first, batch)
                for segment in planned.segments[first : first + batch]:
                    here = files.get(planned)
                    assert planned.info is not None
                    guide = planned.guide_of(segment)
                    if guide is not None and here.pages is not None:
                        here.pages.expect(guide.spans)
                    request = request_for(here.path, planned.info, segment, pages=here.pages, guide=guide)
                    decode(decoder, replace(request, sampling=sampling or Sampling()))
                    own_bytes += _own_bytes(video, planned, segment.index)
                    run += 1
                files.drop(planned)
                pods += fetched(server, video.media)
    finally:
        decoder.close()
    return JobBytes(probe, pods, own_bytes, run / head.segments, run)


def _own_bytes(video: LongMp4, planned: PlannedVideo, segment: int) -> int:
    """Of a segment's pictures; at the keyframe of a closed group, pictures count alike in time and in the file."""
    assert planned.info is not None
    ticks = round(1 / (planned.info.frame_rate or 0) / planned.info.time_base)
    bounds = [0, *((cut - planned.info.start_pts) // ticks for cut in planned.cuts), len(video.frame_bytes)]
    return sum(size for _, size in video.frame_bytes[bounds[segment] : bounds[segment + 1]])


def _job_file() -> JobFile:
    values: dict[str, Any] = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "job", "namespace": "team"},
        "spec": {"inputs": [{"s3": {"bucket": "videos", "key": "long.mp4"}}], "model": {"name": "m"}},
    }
    return JobFile(VideoJob.from_manifest(values), "team.1", "table", None, "sha256:0", 1)
