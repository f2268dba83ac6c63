"""What a job's summary says beside the results themselves, the same for a run on one machine and on a cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from videojob.results.aggregate.document import Document
from videojob.results.aggregate.summary import FailedInput, JobDescription, JobIdentity, ResultSettings, VideoEntry
from videojob.video.identity import RunSettings, sampling_text, track_memory_ms
from videojob.video.info import Segment, VideoInfo
from videojob.video.plan import ModelFacts


@dataclass(frozen=True, slots=True)
class DescribedVideo:
    """One input: as probed, or None; and `VideoJobError.as_dict()` when it is not in the results."""

    video: int
    uri: str
    info: VideoInfo | None
    error: Mapping[str, Document] | None


def describe(
    namespace: str,
    name: str,
    *,
    model: ModelFacts,
    settings: RunSettings,
    videos: Iterable[DescribedVideo],
    segments: Collection[Segment],
) -> JobDescription:
    """The description of a job, for `results.aggregate.summary.summarise`.

    Args:
        namespace: of the VideoJob.
        name: of the VideoJob.
        model: that answered.
        settings: of the run.
        videos: every input, by position; what is known of one is not kept until the next.
        segments: every planned one, once the videos were asked for.
    """
    entries, failed, memories_ms = [], [], []
    for video in videos:
        entries.append(_entry(video))
        memories_ms.append(settings.presence_gap_ms if video.info is None else track_memory_ms(settings, video.info))
        if video.error is not None:
            failed.append(FailedInput(video.video, video.uri, video.error))
    return JobDescription(
        identity=JobIdentity(namespace, name, model.name, model.version, model.labels),
        settings=ResultSettings(
            window_ms=settings.window_ms,
            presence_gap_ms=settings.presence_gap_ms,
            threshold_ppm=settings.threshold_ppm,
            sampling=sampling_text(settings.sampling),
            tracked=settings.track,
        ),
        videos=tuple(entries),
        segments=segments,
        failed=tuple(failed),
        track_memory_ms=tuple(memories_ms),
    )


def _entry(video: DescribedVideo) -> VideoEntry:
    if video.info is None:
        return VideoEntry(video.uri, 0, 0, 0)
    width, height = video.info.display_size
    return VideoEntry(video.uri, video.info.duration_ms, width, height)
