"""Builders of results, with defaults that make a valid small value."""

from __future__ import annotations

from videojob.results.aggregate.segment_results import (
    ClassStats,
    Gap,
    Presence,
    RunRecord,
    SegmentCommit,
    SegmentResult,
    SegmentTimings,
    TrackSpan,
    Window,
)
from videojob.results.aggregate.summary import JobDescription, JobIdentity, ResultSettings, VideoEntry
from videojob.results.stored.codec import digest
from videojob.video.info import Segment


def run_record(uid: str = "uid-1", *, plan: str = "plan-a", segments: int = 3, name: str = "faces") -> RunRecord:
    """A run that no sink has seen yet."""
    return RunRecord(uid=uid, namespace="default", name=name, plan_digest=plan, segments=segments)


def planned(segments: int = 3, *, video: int = 0, first_index: int = 0) -> tuple[Segment, ...]:
    """One video's cover: ranges of 1000 ticks, open at both ends."""
    return tuple(
        Segment(
            index=first_index + at,
            video=video,
            start_pts=None if at == 0 else 1000 * at,
            end_pts=None if at == segments - 1 else 1000 * (at + 1),
        )
        for at in range(segments)
    )


def segment_result(
    segment: Segment,
    *,
    windows: int = 2,
    gaps: tuple[Gap, ...] = (),
    tracks: tuple[TrackSpan, ...] = (),
    score_ppm: int = 900_000,
) -> SegmentResult:
    """A segment of `windows` windows with 10 frames each and two classes."""
    first = segment.index * windows
    return SegmentResult(
        segment=segment.index,
        video=segment.video,
        start_pts=segment.start_pts,
        end_pts=segment.end_pts,
        frames_decoded=20 * windows,
        frames_selected=10 * windows,
        frames_gated=windows,
        windows=tuple(
            Window(
                index,
                10,
                (ClassStats(0, 12, 8, 2, 12 * score_ppm, score_ppm), ClassStats(1, 3, 3, 1, 2_000_000, 700_000)),
            )
            for index in range(first, first + windows)
        ),
        presence=tuple(
            Presence(0, index * 10_000 + 1000, index * 10_000 + 5000, index * 10_000 + 1500, score_ppm, (1, 2, 30, 40))
            for index in range(first, first + windows)
        ),
        tracks=tracks,
        gaps=gaps,
    )


def segment_commit(result: SegmentResult, *, wall_s: float = 1.5) -> SegmentCommit:
    """The commit of a result, with its true digest."""
    return SegmentCommit(result, digest(result), SegmentTimings(wall_s=wall_s, decode_s=0.25, retries=1))


def job_description(segments: tuple[Segment, ...] | None = None, *, videos: int = 1) -> JobDescription:
    """A job of one model with two labels."""
    return JobDescription(
        identity=JobIdentity("default", "faces", "face_detector", "1", ("face", "car")),
        settings=ResultSettings(window_ms=10_000, presence_gap_ms=2000),
        videos=tuple(VideoEntry(f"file:///videos/{at}.mp4", 60_000, 640, 272) for at in range(videos)),
        segments=planned() if segments is None else segments,
    )
