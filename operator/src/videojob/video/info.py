"""Frozen values that describe a video and the work on it. Made by `media.parent.probe`, read by everything else.

Times are integers. `*_pts` counts ticks of the stream's own `time_base` (exact, for cutting and selecting);
`*_ms` counts milliseconds from the video's first frame (for people and results).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from videojob.video.rates import positive, rate_or_none


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What probing one video found out.

    Attributes:
        uri: the input as the manifest named it, for messages and results.
        size_bytes: length of the file.
        demuxer: FFmpeg's demuxer name, pinned by content, as in "mov,mp4,m4a,3gp,3g2,mj2".
        codec: FFmpeg's codec name, as in "h264".
        pixel_format: as in "yuv420p"; empty when the header does not say.
        width, height: coded size in pixels, before rotation and sample aspect ratio.
        rotation_deg: clockwise turn that makes the picture upright, after it was mirrored: 0, 90, 180 or 270.
        sample_aspect: width of one pixel / its height; 1 when the header does not say.
        time_base: seconds per tick of every `*_pts`.
        start_pts: presentation time of the first frame.
        duration_ms: estimated length; 0 when nothing tells.
        frame_rate: average frames per second; None when nothing tells.
        frames_estimate: how many frames there probably are; an estimate, container counts lie.
        cut_pts: presentation times of keyframes where the video may be cut, ascending, without the first frame.
        cut_bytes: where in the file each of these keyframes begins, ascending; empty when nothing tells.
        notices: sentences that a person should read, such as that a second video stream is left out.
        is_mirrored: whether left and right are to be exchanged, before the turn.
        coded_aspect: what the first picture itself, not the container, says of its pixels' aspect; 0 when it says
            nothing, None when nobody looked.

    Width, height, rotation, mirroring and aspect are the first picture's. Later ones may have others.
    """

    uri: str
    size_bytes: int
    demuxer: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation_deg: int
    sample_aspect: Fraction
    time_base: Fraction
    start_pts: int
    duration_ms: int
    frame_rate: Fraction | None
    frames_estimate: int
    cut_pts: tuple[int, ...]
    cut_bytes: tuple[int, ...] = ()
    notices: tuple[str, ...] = ()
    is_mirrored: bool = False
    coded_aspect: Fraction | None = None

    @property
    def display_size(self) -> tuple[int, int]:
        """(width, height) of the upright first picture with square pixels; boxes of all pictures are given in it."""
        return upright_size(self.width, self.height, self.sample_aspect, self.rotation_deg)

    def time_ms(self, pts: int) -> int:
        """Milliseconds from the first frame to `pts`, rounded half up."""
        # In whole numbers: this is asked for every frame, and fractions take longer than all the rest around it.
        base = self.time_base
        return ((pts - self.start_pts) * base.numerator * 2000 + base.denominator) // (2 * base.denominator)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able values; fractions as "n/d". `video_info_from_dict` reads them back."""
        return {
            "uri": self.uri,
            "size_bytes": self.size_bytes,
            "demuxer": self.demuxer,
            "codec": self.codec,
            "pixel_format": self.pixel_format,
            "width": self.width,
            "height": self.height,
            "rotation_deg": self.rotation_deg,
            "sample_aspect": str(self.sample_aspect),
            "time_base": str(self.time_base),
            "start_pts": self.start_pts,
            "duration_ms": self.duration_ms,
            "frame_rate": None if self.frame_rate is None else str(self.frame_rate),
            "frames_estimate": self.frames_estimate,
            "cut_pts": list(self.cut_pts),
            "cut_bytes": list(self.cut_bytes),
            "notices": list(self.notices),
            "is_mirrored": self.is_mirrored,
            "coded_aspect": None if self.coded_aspect is None else str(self.coded_aspect),
        }


def video_info_from_dict(values: dict[str, Any]) -> VideoInfo:
    """The inverse of `VideoInfo.as_dict`; raises KeyError, ValueError or TypeError on anything else."""
    return VideoInfo(
        uri=str(values["uri"]),
        size_bytes=int(values["size_bytes"]),
        demuxer=str(values["demuxer"]),
        codec=str(values["codec"]),
        pixel_format=str(values["pixel_format"]),
        width=int(values["width"]),
        height=int(values["height"]),
        rotation_deg=int(values["rotation_deg"]),
        sample_aspect=positive(values["sample_aspect"], "the pixel aspect"),
        time_base=positive(values["time_base"], "the time base"),
        start_pts=int(values["start_pts"]),
        duration_ms=int(values["duration_ms"]),
        frame_rate=rate_or_none(values["frame_rate"]),
        frames_estimate=int(values["frames_estimate"]),
        cut_pts=tuple(int(value) for value in values["cut_pts"]),
        # Plans of the releases before do not have what follows.
        cut_bytes=tuple(int(value) for value in values.get("cut_bytes", ())),
        notices=tuple(str(value) for value in values.get("notices", ())),
        is_mirrored=bool(values.get("is_mirrored", False)),
        coded_aspect=_coded_aspect(values.get("coded_aspect")),
    )


def _coded_aspect(text: object) -> Fraction | None:
    if text is None:
        return None
    return Fraction(0) if text == "0" else positive(text, "the pictures' pixel aspect")


def upright_size(width: int, height: int, aspect: Fraction, rotation_deg: int) -> tuple[int, int]:
    """(width, height) of a picture once its pixels are square and it is upright."""
    square = max(1, round(width * aspect))
    return (square, height) if rotation_deg in (0, 180) else (height, square)


@dataclass(frozen=True, slots=True)
class Segment:
    """A half-open stretch `[start_pts, end_pts)` of one video: the unit of work, of retry and of commit.

    Attributes:
        index: job-wide, 0-based; part of the result's key.
        video: position of the video in the job's inputs.
        start_pts: first presentation time inside; None in a video's first segment, which takes all that comes before
            its end, however early.
        end_pts: first presentation time outside; None in a video's last segment, which runs to the end of the file.
    """

    index: int
    video: int
    start_pts: int | None
    end_pts: int | None

    def contains(self, pts: int) -> bool:
        """Whether a frame at `pts` belongs to this segment."""
        return (self.start_pts is None or pts >= self.start_pts) and (self.end_pts is None or pts < self.end_pts)


@dataclass(frozen=True, slots=True)
class Gate:
    """Motion gate: a frame that hardly differs from the last one inferred repeats that one's detections.

    Attributes:
        threshold: mean absolute luma difference (0..255), on a small grey picture, from which a frame counts as moved.
        max_skip_ms: a frame is inferred at least this often, however still the picture is.
    """

    threshold: float
    max_skip_ms: int


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames are asked for. At most one of the first three is set; none means every frame."""

    frames_per_second: Fraction | None = None
    every_nth_frame: int | None = None
    keyframes_only: bool = False
    gate: Gate | None = None
