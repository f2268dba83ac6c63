"""What a planner found out about a job's videos, as it is stored and read back: one `PlannedVideo` for each input, and
one `PlanHead` over all. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import Any

from videojob.video.guide import SegmentGuide, VideoGuide, guide_from_dict
from videojob.video.identity import RunSettings
from videojob.video.info import Segment, VideoInfo, video_info_from_dict

NEWEST_KEYS = 2
"""Version of the keys that new jobs are stored under; `results.stored.keys` has them all."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The model that answers in a run.

    Attributes:
        name, version: as the server names them.
        labels: class names by class id.
        digest: of all in its description that decides results; "" when that is not asked.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    digest: str = ""


@dataclass(frozen=True, slots=True)
class SegmentFailure:
    """A segment that no retry cures, and with it its video. `error` is `VideoJobError.as_dict()`."""

    segment: int
    video: int
    error: Mapping[str, Any]


_MACHINES = frozenset({"DecodeTimeout", "DecoderCrashed", "InternalError", "ProcessingFault", "WorkerLost"})


def may_be_forgiven(failure: SegmentFailure) -> bool:
    """Whether a resumed job may do better: what passes, and what more memory or a later release cures."""
    return failure.error.get("retryable") is True or failure.error.get("reason") in _MACHINES


@dataclass(frozen=True, slots=True)
class SegmentDoubt:
    """The first word about a segment that another pod may see otherwise: it fails only when a second one says the same.

    Attributes:
        segment: which.
        reason: of the error, or a word of `planning.diagnosis.silent_deaths`.
        pod: who met it first.
        since_s: when, in whole seconds since the epoch.
    """

    segment: int
    reason: str
    pod: str
    since_s: int


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """One input of a job.

    Attributes:
        video: position among the job's inputs.
        uri: what people may see of its address. address: complete, for who fetches it.
        name: what the user calls it, "" when nothing.
        version: what pins its content, "" when it could not be read.
        owner: AWS account that must own its bucket, "" when that is not checked.
        requester_pays: whoever reads it agrees to pay.
        info: as probed, without the places where it may be cut; None when it failed.
        cuts: presentation times where it is cut, ascending.
        first_segment: job-wide index of its first segment.
        error: `VideoJobError.as_dict()` of an input that cannot be used.
        guide: what a pod needs to read its segments and nothing else; None when nobody made one.
    """

    video: int
    uri: str
    address: str
    name: str
    version: str
    owner: str = ""
    info: VideoInfo | None = None
    cuts: tuple[int, ...] = ()
    first_segment: int = 0
    error: Mapping[str, Any] | None = None
    guide: VideoGuide | None = None
    requester_pays: bool = False

    @property
    def segment_count(self) -> int:
        """How many segments it has; 0 when it failed."""
        return 0 if self.info is None else len(self.cuts) + 1

    def guide_of(self, segment: Segment) -> SegmentGuide | None:
        """What is known of one of its segments, to read it and nothing else; None when that is nothing."""
        return None if self.guide is None else self.guide.of(segment.index - self.first_segment)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its segments, with job-wide indexes."""
        if self.info is None:
            return ()
        bounds = pairwise([None, *self.cuts, None])
        return tuple(Segment(self.first_segment + at, self.video, start, end) for at, (start, end) in enumerate(bounds))

    def as_dict(self) -> dict[str, Any]:
        """JSON-able values; `planned_video_from_dict` reads them back."""
        return {
            "video": self.video,
            "uri": self.uri,
            "address": self.address,
            "name": self.name,
            "version": self.version,
            "owner": self.owner,
            "info": None if self.info is None else replace(self.info, cut_pts=(), cut_bytes=()).as_dict(),
            "cuts": list(self.cuts),
            "first_segment": self.first_segment,
            "error": None if self.error is None else dict(self.error),
            # Its parts are stored apart: a pod reads those of its own segments.
            "guide": None if self.guide is None else self.guide.as_dict(),
            **({"requester_pays": True} if self.requester_pays else {}),
        }


class PlannedSegments(Collection[Segment]):
    """The segments of many videos, in the numbers that they are made of: a job may have 10^5."""

    def __init__(self) -> None:
        self._videos: list[tuple[int, int, Sequence[int]]] = []
        self._count = 0

    def add(self, video: PlannedVideo) -> None:
        """Those of one more video, behind all others."""
        if video.segment_count:
            self._videos.append((video.video, video.first_segment, _packed(video.cuts)))
            self._count += video.segment_count

    def __len__(self) -> int:
        """How many."""
        return self._count

    def __iter__(self) -> Iterator[Segment]:
        """With job-wide indexes."""
        for video, first, cuts in self._videos:
            for at, (start, end) in enumerate(pairwise(chain((None,), cuts, (None,)))):
                yield Segment(first + at, video, start, end)

    def __contains__(self, segment: object) -> bool:
        """Looks at all."""
        return any(segment == one for one in self)


def _packed(numbers: Sequence[int]) -> Sequence[int]:
    try:
        return array("q", numbers)
    except OverflowError:
        return numbers


def planned_video_from_dict(values: Mapping[str, Any]) -> PlannedVideo:
    """The inverse of `PlannedVideo.as_dict`; raises KeyError, ValueError or TypeError on anything else."""
    info = values["info"]
    guide = values.get("guide")  # plans of the release before have none
    return PlannedVideo(
        video=int(values["video"]),
        uri=str(values["uri"]),
        address=str(values["address"]),
        name=str(values["name"]),
        version=str(values["version"]),
        owner=str(values["owner"]),
        info=None if info is None else video_info_from_dict(dict(info)),
        cuts=tuple(int(cut) for cut in values["cuts"]),
        first_segment=int(values["first_segment"]),
        error=values["error"],
        guide=None if guide is None else guide_from_dict(guide),
        requester_pays=values.get("requester_pays") is True,
    )


@dataclass(frozen=True, slots=True)
class DecodedFrames:
    """What the videos of one codec give a decoder to do.

    Attributes:
        codec: FFmpeg's name.
        frames: estimate of the frames that are decoded, whether or not sampling asks for them.
        pixels: of one of them as it is stored, a mean.
    """

    codec: str
    frames: int
    pixels: int


@dataclass(frozen=True, slots=True)
class PlanHead:
    """The plan of a job at a glance.

    Attributes:
        attempt: of the planner that made it.
        plan_id: names the items of its videos.
        plan_digest: sha256 hex over all that decides the results; "" when nothing can be run.
        videos: inputs in all, of which `failed` cannot be used.
        segments: of the others.
        frames: estimate of the frames that sampling asks for.
        duration_ms: of all usable videos together.
        error: `VideoJobError.as_dict()` when nothing can be run.
        longest_ms: of the longest segment; 0 when nothing tells, as in plans of earlier releases.
        keys: version of the keys that the plan and its run are stored under.
        decoded: what is decoded, by codec; empty in plans of earlier releases.
    """

    attempt: int
    plan_id: str
    plan_digest: str
    videos: int
    failed: int
    segments: int
    frames: int
    duration_ms: int
    error: Mapping[str, Any] | None = None
    longest_ms: int = 0
    keys: int = NEWEST_KEYS
    decoded: tuple[DecodedFrames, ...] = ()


def sampled_frames(info: VideoInfo, settings: RunSettings) -> int:
    """Estimate of the frames of a whole video that sampling asks for; an upper bound for keyframes and a gate."""
    sampling = settings.sampling
    if sampling.frames_per_second is not None and info.duration_ms:
        return min(info.frames_estimate, max(1, int(sampling.frames_per_second * info.duration_ms / 1000)))
    if sampling.every_nth_frame is not None:
        return -(-info.frames_estimate // sampling.every_nth_frame)
    if sampling.keyframes_only:
        return max(1, len(info.cut_pts) + 1)
    return info.frames_estimate


def first_failures(
    failures: Iterable[SegmentFailure], committed: Collection[int] = frozenset()
) -> dict[int, SegmentFailure]:
    """By video, the failure of its first bad segment: whichever was met first in time, this one stands.

    Args:
        failures: as they are stored.
        committed: indexes of stored segments: a failure of one of these does not count. Another pod, which was late or
            on a bad machine, met it, and the segment's result is there.
    """
    found: dict[int, SegmentFailure] = {}
    for failure in failures:
        known = found.get(failure.video)
        if failure.segment not in committed and (known is None or failure.segment < known.segment):
            found[failure.video] = failure
    return found


def is_settled(segment: Segment, committed: Collection[int], failed: Mapping[int, SegmentFailure]) -> bool:
    """Whether nothing is left to do for a segment: it is committed, or lies at or behind its video's first bad one.

    Args:
        segment: which.
        committed: indexes of stored segments.
        failed: as `first_failures` gives them.
    """
    failure = failed.get(segment.video)
    return segment.index in committed or (failure is not None and failure.segment <= segment.index)


def decoded_frames(infos: Iterable[VideoInfo], settings: RunSettings) -> tuple[DecodedFrames, ...]:
    """What decoding these videos takes, by codec, in the order of their names."""
    found: dict[str, tuple[int, int]] = {}
    for info in infos:
        frames = sampled_frames(info, settings) if settings.sampling.keyframes_only else info.frames_estimate
        known = found.get(info.codec, (0, 0))
        found[info.codec] = known[0] + frames, known[1] + frames * info.width * info.height
    return tuple(
        DecodedFrames(codec, frames, pixels // max(1, frames)) for codec, (frames, pixels) in sorted(found.items())
    )
