"""What a job of a 12-hour recording fetches from S3, at three bitrates: the planner whole, every 48th pod.

The pods are alike: all 1,440 of them would decode 36 hours of video. The planner's bytes count by the share of the
segments that were run, so the ratio is that of the whole job.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.soak.table import Row
from support.long_videos import write_long_mp4
from support.range_s3 import range_server
from support.s3_bytes import measure_job

DURATION_S = 12 * 3600
BITRATES = (400_000, 1_200_000, 6_100_000)
EVERY = 48
_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def rows() -> Iterator[Row]:
    """Ratios to the segments' own bytes, and the planner's bytes."""
    for bits_per_s in BITRATES:
        with tempfile.TemporaryDirectory(prefix="videojob-s3-bytes-") as name:
            folder = Path(name)
            video = write_long_mp4(folder / "long.mp4", duration_s=DURATION_S, bits_per_s=bits_per_s)
            with range_server(video.path) as server:
                os.environ.update(_SETTINGS, AWS_ENDPOINT_URL=server.url)
                found = measure_job(video, server, folder, every=EVERY)
        what = f"12 h at {bits_per_s / 1e6:g} Mbit/s"
        note = f"{found.segments} of {round(found.segments / found.share)} segments, one a pod"
        yield Row(f"{what}: media that pods fetch / the segments' own", found.media_ratio, "", 1.1, note=note)
        yield Row(f"{what}: all bytes, the planner's too / the segments' own", found.ratio, "", 1.3, note=note)
        probe_mb = (found.probe.media_bytes + found.probe.index_bytes) / 1e6
        yield Row(f"{what}: the planner", probe_mb, "MB", note=f"{found.probe.requests} requests")
