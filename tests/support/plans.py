"""Builders of stored plans, with defaults that make a valid small value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from support.segments import video_info
from videojob.errors import InputNotVideo
from videojob.video.plan import PlanHead, PlannedVideo

STEP_PTS = 30_000


def good_video(video: int, *, cuts: int = 0, first_segment: int = 0) -> PlannedVideo:
    """A video that is cut so often, every 30 s."""
    uri = f"s3://videos/{video:05d}.mp4"
    info = replace(video_info(uri=uri), duration_ms=(cuts + 1) * STEP_PTS, cut_pts=())
    points = tuple(STEP_PTS * at for at in range(1, cuts + 1))
    return PlannedVideo(video, uri, uri, "", f"etag:{video}", "", info, points, first_segment)


def bad_video(video: int) -> PlannedVideo:
    """An input that cannot be used."""
    uri = f"s3://videos/{video:05d}.mp4"
    return PlannedVideo(video, uri, uri, "name", f"etag:{video}", error=InputNotVideo("text", uri=uri).as_dict())


def planned_job(cuts: Sequence[int | None]) -> list[PlannedVideo]:
    """Videos that are cut so often, None standing for one that cannot be used."""
    videos: list[PlannedVideo] = []
    segments = 0
    for video, count in enumerate(cuts):
        one = bad_video(video) if count is None else good_video(video, cuts=count, first_segment=segments)
        segments += one.segment_count
        videos.append(one)
    return videos


def plan_head(videos: Sequence[PlannedVideo], *, plan_id: str = "0123456789abcdef") -> PlanHead:
    """The head over these videos."""
    return PlanHead(
        attempt=1,
        plan_id=plan_id,
        plan_digest="plan-a",
        videos=len(videos),
        failed=sum(video.info is None for video in videos),
        segments=sum(video.segment_count for video in videos),
        frames=1234,
        duration_ms=sum(video.info.duration_ms for video in videos if video.info is not None),
    )
