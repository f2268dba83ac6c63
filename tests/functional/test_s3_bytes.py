"""What a job fetches from S3 is little more than its segments, whatever the bitrate: planner and pods together."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from support.long_videos import write_long_mp4
from support.range_s3 import range_server
from support.s3 import use_endpoint
from support.s3_bytes import measure_job
from videojob.video.info import Sampling

DURATION_S = 600


@pytest.mark.parametrize("index_first", [False, True], ids=["index last", "index first"])
@pytest.mark.parametrize("bits_per_s", [400_000, 1_200_000, 6_100_000])
def test_a_job_fetches_little_more_than_its_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits_per_s: int, index_first: bool
) -> None:
    video = write_long_mp4(tmp_path / "long.mp4", duration_s=DURATION_S, bits_per_s=bits_per_s, index_first=index_first)
    with range_server(video.path) as server:
        use_endpoint(monkeypatch, server.url)
        sampling = Sampling(frames_per_second=Fraction(5)) if index_first else Sampling()
        found = measure_job(video, server, tmp_path, sampling=sampling)
    assert found.segments == DURATION_S // 30
    assert found.media_ratio <= 1.1
    assert found.ratio <= 1.3
