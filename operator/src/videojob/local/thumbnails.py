"""Pictures of peaks for the report, decoded again from the source by the decoder process, one frame each.

A report must not fail for a picture: whatever goes wrong becomes the reason that stands in the picture's place.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from math import ceil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from videojob.errors import DecoderCrashed, DecodeTimeout, InputNotFound, VideoJobError
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.protocol.messages import DecodeRequest
from videojob.media.protocol.ring import FileRing
from videojob.ports.clock import Clock
from videojob.results.report import Peak, PeakPicture
from videojob.results.run_facts import VideoFacts
from videojob.video.info import Sampling, Segment, VideoInfo, video_info_from_dict
from videojob.vision.tensors import Geometry

Region = tuple[int, int, int, int]
TILE_ASPECT = 16 / 9
TILE_WIDTH = 480
BUDGET_S = 20.0
"""How long all pictures together may take; those that are left when it is over get a remark instead."""

_MAX_LEAD_MS = 60_000  # decoding begins at a keyframe: further back than this, one picture would take too long
_BOX_SHARE = 4  # the region is this many times as wide as the box,
_LEAST_SHARE = 0.3  # and no less than this share of the picture
_JPEG_QUALITY = 82
_EXPECTED = (VideoJobError, OSError, LookupError, TypeError, ValueError, ArithmeticError, cv2.error)
"""What one picture may end in: a video or disk that is bad now, or a run's record that somebody edited."""


def peak_pictures(
    peaks: Sequence[Peak], videos: Sequence[VideoFacts], clock: Clock, budget_s: float = BUDGET_S
) -> tuple[PeakPicture, ...]:
    """A picture, or the reason why there is none, for every peak.

    Args:
        peaks: by video.
        videos: where the videos lie.
        clock: measures the budget.
        budget_s: seconds for all of them.
    """
    by_position = {video.video: video for video in videos}
    deadline_s = clock.monotonic_s() + budget_s
    with closing(DecoderProcess()) as decoder:
        return tuple(_pictures(peaks, by_position, decoder, clock, deadline_s))


def _pictures(
    peaks: Sequence[Peak], videos: dict[int, VideoFacts], decoder: DecoderProcess, clock: Clock, deadline_s: float
) -> Iterator[PeakPicture]:
    for peak in peaks:
        left_s = deadline_s - clock.monotonic_s()
        if left_s <= 0:
            yield _missing(peak, "Left out: the pictures before it took too long.")
            continue
        try:
            yield _picture(peak, videos.get(peak.video), decoder, left_s)
        except _EXPECTED as error:
            yield _missing(peak, _why(error))


def _why(error: Exception) -> str:
    if isinstance(error, VideoJobError):
        return f"{error.reason}: {error.message}."
    return f"The picture could not be made: {type(error).__name__}: {error}"


def _missing(peak: Peak, why: str) -> PeakPicture:
    return PeakPicture(peak, None, peak.box, why)


def _picture(peak: Peak, video: VideoFacts | None, decoder: DecoderProcess, left_s: float) -> PeakPicture:
    if video is None or video.path is None or video.info is None:
        return _missing(peak, "This machine does not know where the video is.")
    path, info = Path(video.path), video_info_from_dict(dict(video.info))
    try:
        size_bytes = path.stat().st_size
    except OSError:
        return _missing(peak, "The video no longer exists.")
    if size_bytes != info.size_bytes:
        return _missing(peak, "The video has changed since the run.")
    if min(info.width, info.height) < 1:
        return _missing(peak, "The run's record of the video is not valid.")
    if _lead_ms(info, peak.time_ms) > _MAX_LEAD_MS:
        return _missing(peak, "Left out: too far from a keyframe to decode for one picture.")
    region = region_around(peak.box, info.display_size)
    request = _request(path, info, peak, scale=min(1.0, TILE_WIDTH / (region[2] - region[0])))
    pixels = _frame(request, decoder, left_s)
    return PeakPicture(peak, _jpeg(_cut(pixels, region, info.display_size)), region)


def region_around(box: Region, size: tuple[int, int]) -> Region:
    """The part of a picture to show of a box: around it, in the tiles' aspect, large enough to see where it is.

    Args:
        box: (x_min, y_min, x_max, y_max) in source pixels.
        size: (width, height) of the upright source picture.

    Returns:
        Like `box`, which it contains; inside the picture. It has another aspect only where the picture's own shape
        leaves no choice.
    """
    width, height = size
    box_width, box_height = box[2] - box[0], box[3] - box[1]
    wish = max(_BOX_SHARE * box_width, _BOX_SHARE * box_height * TILE_ASPECT, width * _LEAST_SHARE)
    region_width = max(1, min(width, max(box_width, min(ceil(wish), int(height * TILE_ASPECT)))))
    region_height = max(1, min(height, max(int(region_width / TILE_ASPECT), box_height)))
    left = _centred(box[0] + box[2], region_width, width)
    top = _centred(box[1] + box[3], region_height, height)
    return (left, top, left + region_width, top + region_height)


def _centred(twice_centre: int, length: int, limit: int) -> int:
    return max(0, min(limit - length, (twice_centre - length) // 2))


def _lead_ms(info: VideoInfo, time_ms: int) -> int:
    cuts = [at for at in (info.time_ms(pts) for pts in info.cut_pts) if at <= time_ms]
    return time_ms - (cuts[-1] if cuts else 0)


def _request(path: Path, info: VideoInfo, peak: Peak, scale: float) -> DecodeRequest:
    """Asks for the upright frame at the peak's time, scaled, as BGR."""
    source_width, source_height = info.display_size
    width, height = (max(2, round(side * scale)) for side in info.display_size)
    geometry = Geometry(
        source_width, source_height, width, height, width / source_width, height / source_height, pad_x=0, pad_y=0
    )
    return DecodeRequest(
        path=path,
        info=info,
        segment=_moment(info, peak),
        sampling=Sampling(),
        geometry=geometry,
        colour="BGR",
        pad_value=0,
        skip_corrupt=True,
    )


def _frame(request: DecodeRequest, decoder: DecoderProcess, left_s: float) -> NDArray[np.uint8]:
    """(height, width, 3), the first frame of what is asked for; the way to it from a keyframe may take `left_s`."""
    width, height = request.geometry.width, request.geometry.height
    with closing(FileRing(slots=2, slot_bytes=width * height * 3)) as ring:
        frames = decoder.open(request, ring)
        with _interrupted_after(left_s, decoder):
            for frame in frames:
                if frame.slot is not None:
                    pixels: NDArray[np.uint8] = ring.view(frame.slot, 1, (height, width, 3))[0].copy()
                    return pixels
    raise InputNotFound("the video no longer has a frame at this time", uri=request.info.uri)


@contextmanager
def _interrupted_after(left_s: float, decoder: DecoderProcess) -> Iterator[None]:
    """Ends the decoder's work when its time is over. Raises DecodeTimeout then."""
    over = threading.Event()

    def end() -> None:
        over.set()
        decoder.interrupt()

    timer = threading.Timer(left_s, end)
    timer.start()
    try:
        yield
    except DecoderCrashed as error:
        if over.is_set():
            raise DecodeTimeout("there was not enough time left to decode up to this picture") from error
        raise
    finally:
        timer.cancel()
        timer.join()


def _moment(info: VideoInfo, peak: Peak) -> Segment:
    """The stretch of all frames whose time rounds to the peak's."""
    ticks_per_ms = 1 / (info.time_base * 1000)
    start = ceil((peak.time_ms - Fraction(1, 2)) * ticks_per_ms)
    end = max(start + 1, ceil((peak.time_ms + Fraction(1, 2)) * ticks_per_ms))
    return Segment(0, peak.video, info.start_pts + start, info.start_pts + end)


def _cut(pixels: NDArray[np.uint8], region: Region, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The region of a scaled picture."""
    across, down = pixels.shape[1] / size[0], pixels.shape[0] / size[1]
    left, top = int(region[0] * across), int(region[1] * down)
    right, bottom = max(left + 1, round(region[2] * across)), max(top + 1, round(region[3] * down))
    return pixels[top:bottom, left:right]


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    done, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise InputNotFound("the picture could not be encoded")
    return encoded.tobytes()
