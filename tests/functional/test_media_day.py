"""A video of 24 hours, block by block: it is cut from its beginning to its end, and whoever looks at it or runs some of
its segments fetches and keeps little of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support.decoding import decode, request_for
from support.paging import paged
from support.plans import plan_head
from support.videos import Spec, write_repeated
from videojob.adapters.inputs.paged import PagedVideo
from videojob.media.parent.decoder import DecoderProcess
from videojob.results.stored.plan_items import video_item
from videojob.video.info import VideoInfo
from videojob.video.plan import PlannedVideo
from videojob.video.segments import cut

DAY_S = 24 * 3600
GOP_S = 120
DISK_BYTES = 512 << 10


def noise(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture that no encoder makes small."""
    return np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), np.uint8)


OPTIONS = {"bf": "0", "qp": "40", "sc_threshold": "0"}
SPEC = Spec(frames=GOP_S, rate=Fraction(1), size=(64, 48), gop=GOP_S, options=OPTIONS, draw=noise)
FORMATS = {"day.mp4": GOP_S, "day.ts": 8 * GOP_S}
"""With the longest segment there may be, in seconds: without an index it is looked for keyframes in fewer places."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=120)
    yield process
    process.close()


@pytest.fixture(scope="module", params=FORMATS)
def day(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("day") / str(request.param)
    yield write_repeated(path, SPEC, DAY_S // GOP_S)
    path.unlink()


def disk_bytes(pages: PagedVideo) -> int:
    """What is here of it."""
    return pages.path.stat().st_blocks * 512


def looked_at(decoder: DecoderProcess, day: Path, folder: Path) -> tuple[VideoInfo, int]:
    """As a planner does; and how many bytes that took."""
    with paged(day, folder, disk_bytes=DISK_BYTES, ahead_bytes=0) as pages:
        info = decoder.probe(pages.path, day.name, cut_every_ms=10_000, pages=pages)
        assert disk_bytes(pages) <= DISK_BYTES + (64 << 10)  # a file system takes some for its tables
        return info, pages.fetched_bytes


@pytest.mark.timeout(1800)
def test_a_day_is_cut_from_its_beginning_to_its_end(decoder: DecoderProcess, day: Path, tmp_path: Path) -> None:
    info, fetched_bytes = looked_at(decoder, day, tmp_path)
    assert info == decoder.probe(day, day.name, cut_every_ms=10_000)
    assert abs(info.duration_ms - DAY_S * 1000) < 10_000
    segments = cut([info])
    ends = [0.0, *(float((one.end_pts - info.start_pts) * info.time_base) for one in segments if one.end_pts), DAY_S]
    assert GOP_S <= max(two - one for one, two in pairwise(ends)) <= FORMATS[day.name]
    assert fetched_bytes < day.stat().st_size * 0.6
    video = PlannedVideo(
        0, day.name, day.name, "", "v1", "", info, tuple(one.end_pts for one in segments if one.end_pts)
    )
    assert video.segments == segments
    assert video_item("uid", plan_head([video]), video).parts == (), "its plan is one item"


@pytest.mark.timeout(1800)
def test_an_index_of_a_days_job_fetches_its_own_segments(decoder: DecoderProcess, day: Path, tmp_path: Path) -> None:
    """Four neighbours, and a second index far behind them: as much is fetched for either."""
    info, _ = looked_at(decoder, day, tmp_path)
    segments = cut([info])
    index_bytes = (2 << 20) if day.suffix == ".mp4" else 0
    share_bytes = day.stat().st_size * 4 // len(segments)
    for first in (len(segments) // 3, len(segments) - 4):
        with paged(day, tmp_path, disk_bytes=DISK_BYTES) as pages:
            for segment in segments[first : first + 4]:
                frames, report = decode(decoder, request_for(pages.path, info, segment, pages=pages))
                times_s = [frame.time_ms // 1000 for frame in frames]
                assert times_s == list(range(times_s[0], times_s[0] + len(times_s)))
                assert report.gaps == ()
            assert disk_bytes(pages) <= DISK_BYTES + (64 << 10)
            assert pages.fetched_bytes < index_bytes + 3 * share_bytes + (256 << 10)
