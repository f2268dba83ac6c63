"""Jobs that could not be folded are refused before they cost anything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.decisions import a_job
from support.fakes import FakeClock
from support.job_stores import FakeJobStore
from support.segments import video_info
from videojob.errors import JobTooLarge
from videojob.kube.job_file import JobFile
from videojob.planning.placement.job_size import MOST_SEGMENTS, MOST_VIDEOS, check_segments, check_videos
from videojob.worker.pods.planner import Planner, _Probed
from videojob.worker.pods.program import Drain
from videojob.worker.segment.task import VideoPlan


@pytest.mark.parametrize("check", [check_videos, lambda count: check_segments(count, 30)])
@pytest.mark.parametrize("beyond", [False, True])
def test_a_job_may_have_as_many_as_a_fold_was_measured_with(check: Callable[[int], None], beyond: bool) -> None:
    most = MOST_VIDEOS if check is check_videos else MOST_SEGMENTS
    if not beyond:
        check(most)
        return
    with pytest.raises(JobTooLarge, match=f"{most}") as caught:
        check(most + 1)
    assert not caught.value.retryable


def test_every_key_of_an_allowed_job_sorts_as_its_number_does() -> None:
    assert MOST_SEGMENTS < 1_000_000
    assert MOST_VIDEOS < 1_000_000


def test_a_plan_of_too_many_segments_is_not_stored(tmp_path: Path) -> None:
    step_pts = 30_000
    info = video_info(
        duration_ms=(MOST_SEGMENTS + 1) * step_pts,
        cut_pts=tuple(step_pts * at for at in range(1, MOST_SEGMENTS + 1)),
    )
    store = FakeJobStore()
    file = JobFile(a_job(), "team.1", "results", None, "sha256:1", 1)
    planner = Planner(file, store, tmp_path, 1, Drain(0.0, FakeClock()))
    plan = VideoPlan(0, "s3://b/k", "", "etag", None, info, None)
    with pytest.raises(JobTooLarge, match=f"has {MOST_SEGMENTS + 1} segments of about 30 s") as caught:
        planner._plan(1, [_Probed(plan, "s3://b/k", "")])
    assert "segmentSeconds" in caught.value.hint
    assert store.head is None
