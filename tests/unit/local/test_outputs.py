"""Which per-frame files a run must have, where they lie, and what is said of those that are missing or left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from support.segments import job_plan, run_record, video_plan
from videojob.adapters.files.preview import PreviewMode, PreviewStyle, SegmentPreview
from videojob.errors import InputCorrupt
from videojob.local.outputs import OutputConfig, finish_outputs
from videojob.local.run_types import JobPlan
from videojob.local.work import tasks_of
from videojob.video.info import Segment
from videojob.vision.tensors import Detections, Geometry

GEOMETRY = Geometry(160, 96, 160, 96, 1.0, 1.0, pad_x=0, pad_y=0)
TWO_VIDEOS = (video_plan(0), video_plan(1))


def outputs(folder: Path, *, detections: bool = True, preview: PreviewMode | None = "boxes") -> OutputConfig:
    return OutputConfig(folder, detections=detections, preview=preview)


def write_files(wanted: OutputConfig, plan: JobPlan, segments: Sequence[int]) -> None:
    for segment in plan.segments:
        if segment.index in segments:
            if (path := wanted.detections_file(plan.run, segment)) is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            if (path := wanted.preview_file(plan.run, segment)) is not None:
                _write_preview(path, segment)


def _write_preview(path: Path, segment: Segment) -> None:
    preview = SegmentPreview(path, GEOMETRY, PreviewStyle("boxes", (), "RGB"))
    for time_ms in (0, 40, 80):
        preview.frame((segment.start_pts or 0) + time_ms, np.zeros((96, 160, 3), np.uint8), Detections.empty())
    preview.finish()
    preview.commit()


def finish(wanted: OutputConfig, plan: JobPlan, *failed: int) -> list[str]:
    """What was reported."""
    told: list[str] = []
    finish_outputs(wanted, plan, [plan.videos[video] for video in failed], told.append)
    return told


def frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_files_of_another_plan_epoch_or_mode_never_share_a_folder(tmp_path: Path) -> None:
    segment = job_plan().segments[1]
    runs = [run_record(epoch=epoch, plan_digest=digest * 64) for epoch in (1, 2) for digest in "ab"]
    modes: tuple[PreviewMode, ...] = ("boxes", "blur")
    paths = {outputs(tmp_path, preview=mode).preview_file(run, segment) for run in runs for mode in modes}
    assert len(paths) == 8
    name = "preview-blur/epoch-1-aaaaaaaa/video-0000/seg-000001.mp4"
    assert tmp_path / name in paths
    found = outputs(tmp_path).detections_file(runs[0], segment)
    assert found == tmp_path / "detections/epoch-1-aaaaaaaa/video-0000/seg-000001.parquet"


@pytest.mark.parametrize(
    ("written", "wanted", "lacking"),
    [
        ((False, None), (False, None), set()),
        ((False, None), (True, None), {0, 1}),
        ((True, None), (True, None), set()),
        ((True, None), (True, "boxes"), {0, 1}),
        ((True, "boxes"), (True, "boxes"), set()),
        ((True, "boxes"), (True, "blur"), {0, 1}),
        ((True, "boxes"), (False, None), set()),
    ],
    ids=["none", "boxes added", "boxes", "preview added", "both", "another mode", "none any more"],
)
def test_stored_segments_without_a_wanted_file_run_again(
    written: tuple[bool, PreviewMode | None],
    wanted: tuple[bool, PreviewMode | None],
    lacking: set[int],
    tmp_path: Path,
) -> None:
    plan = job_plan(committed=frozenset({0, 1}), videos=TWO_VIDEOS)
    write_files(OutputConfig(tmp_path, *written), plan, [0, 1])
    plan = replace(plan, lacking=OutputConfig(tmp_path, *wanted).lacking(plan))
    assert plan.lacking == lacking
    assert plan.kept == {0, 1} - lacking
    assert [task.segment.index for task in tasks_of(plan)] == sorted({2, 3} | lacking)


def test_of_a_finished_job_only_segments_without_a_file_run(tmp_path: Path) -> None:
    plan = replace(job_plan(committed=frozenset({0, 1, 2}), videos=TWO_VIDEOS), finished=b"{}")
    assert tasks_of(plan) == []
    write_files(outputs(tmp_path), plan, [0, 2])
    plan = replace(plan, lacking=outputs(tmp_path).lacking(plan))
    assert [task.segment.index for task in tasks_of(plan)] == [1]


def test_previews_are_joined_from_the_plans_own_segments_alone(tmp_path: Path) -> None:
    plan = job_plan(videos=TWO_VIDEOS)
    wanted = outputs(tmp_path)
    write_files(wanted, plan, range(4))
    folder = wanted.preview_folder(plan.run)
    assert folder is not None
    _write_preview(folder / "video-0000" / "seg-000009.mp4", Segment(9, 0, 90_000, None))
    _write_preview(folder / "video-0007" / "seg-000010.mp4", Segment(10, 7, 0, None))
    assert finish(wanted, plan) == []
    assert sorted(path.name for path in folder.glob("*.mp4")) == ["video-0000.mp4", "video-0001.mp4"]
    assert frames(folder / "video-0000.mp4") == 6


def test_a_failed_video_has_no_joined_preview(tmp_path: Path) -> None:
    bad = replace(video_plan(1), error=InputCorrupt("bad"))
    plan = job_plan(videos=(video_plan(0), bad))
    wanted = outputs(tmp_path)
    write_files(wanted, plan, [0, 1, 2])
    assert finish(wanted, plan, 1) == []
    folder = wanted.preview_folder(plan.run)
    assert folder is not None
    assert [path.name for path in folder.glob("*.mp4")] == ["video-0000.mp4"]


def test_segments_whose_stored_result_is_another_are_named(tmp_path: Path) -> None:
    plan = job_plan(videos=TWO_VIDEOS)
    wanted = outputs(tmp_path)
    write_files(wanted, plan, [1, 2, 3])
    (told,) = finish(wanted, plan)
    assert "clip-0.mp4 are missing" in told
    assert told.endswith("in segment 0")
    folder = wanted.preview_folder(plan.run)
    assert folder is not None
    assert [path.name for path in folder.glob("*.mp4")] == ["video-0001.mp4"]


def test_a_preview_that_cannot_be_joined_is_a_notice_and_the_next_video_goes_on(tmp_path: Path) -> None:
    plan = job_plan(videos=TWO_VIDEOS)
    wanted = outputs(tmp_path)
    write_files(wanted, plan, range(4))
    damaged = wanted.preview_file(plan.run, plan.segments[1])
    assert damaged is not None
    damaged.write_bytes(b"no video")
    (told,) = finish(wanted, plan)
    assert str(damaged) in told
    assert damaged.parent.parent.joinpath("video-0001.mp4").is_file()


def test_files_of_other_plans_and_modes_are_told_and_kept(tmp_path: Path) -> None:
    plan, wanted = job_plan(), outputs(tmp_path, preview="blur")
    write_files(outputs(tmp_path), plan, [0, 1])
    before = replace(plan, run=run_record(epoch=7, plan_digest="before"))
    write_files(wanted, before, [0])
    write_files(wanted, plan, [0, 1])
    (told,) = finish(wanted, plan)
    for name in ("detections/epoch-7-before", "preview-blur/epoch-7-before", "preview-boxes/epoch-1-digest"):
        assert str(tmp_path / name) in told
        assert (tmp_path / name).is_dir()
    assert "preview-blur/epoch-1-digest" not in told


def test_a_job_without_files_says_nothing_of_files(tmp_path: Path) -> None:
    plan = job_plan()
    write_files(outputs(tmp_path), plan, [0])
    assert finish(outputs(tmp_path, detections=False, preview=None), plan) == []
