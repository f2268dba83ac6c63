"""Annotated preview: the frames that the model saw, boxes drawn or faces blurred, one small H.264 file per segment.

The pictures are at model size: that is what was looked at, and it costs nothing more to decode. A segment's file
appears by rename when all its frames are in, so a killed run leaves nothing half written; `join_previews` makes one
file per video.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videojob.vision.geometry import to_input
from videojob.vision.values import Detections, Geometry

PreviewMode = Literal["boxes", "blur"]
_TIME_BASE = Fraction(1, 1000)
_NOMINAL_RATE = 30  # only a hint for the encoder: every frame carries its own time
_CODEC_OPTIONS = {"preset": "veryfast", "crf": "26"}
_LINE_COLOURS = ((255, 92, 56), (64, 156, 255), (52, 199, 89), (255, 204, 0), (191, 90, 242), (255, 55, 95))
_BLUR_DIVISOR = 3  # kernel side / box side: a face is beyond recognition from about a quarter on


@dataclass(frozen=True, slots=True)
class PreviewStyle:
    """How a preview looks: `mode`, the class names, and the channel order of the frames."""

    mode: PreviewMode
    labels: tuple[str, ...]
    colour: Literal["RGB", "BGR"]


class SegmentPreview:
    """Writes one segment's preview; implements `worker.values.FrameObserver`."""

    def __init__(self, path: Path, geometry: Geometry, style: PreviewStyle) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._part = path.with_suffix(".part")
        self._geometry = geometry
        self._style = style
        self._container = av.open(str(self._part), "w", format="mp4")
        self._stream = self._add_stream()
        self._still: NDArray[np.uint8] | None = None
        self._last_ms = -1

    def _add_stream(self) -> VideoStream:
        width, height = (side - side % 2 for side in self._geometry.inner_size)  # yuv420p wants even sides
        stream = self._container.add_stream("libx264", rate=_NOMINAL_RATE, options=dict(_CODEC_OPTIONS))
        stream.width, stream.height, stream.pix_fmt = max(2, width), max(2, height), "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.thread_count = 1
        return stream

    def frame(self, time_ms: int, pixels: NDArray[np.uint8] | None, found: Detections) -> None:
        """Encodes one frame; a gated one repeats its neighbour's picture and boxes."""
        if pixels is not None:
            self._still = annotate(pixels, to_input(found, self._geometry), self._style)
        if self._still is None or time_ms <= self._last_ms:
            return
        self._last_ms = time_ms
        left, top = self._geometry.pad_x, self._geometry.pad_y
        inner = self._still[top : top + self._stream.height, left : left + self._stream.width]
        picture = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(inner), format="rgb24" if self._style.colour == "RGB" else "bgr24"
        )
        picture.pts, picture.time_base = time_ms, _TIME_BASE
        self._container.mux(self._stream.encode(picture))

    def commit(self) -> None:
        """Finishes the file and gives it its name."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._part.rename(self._path)

    def discard(self) -> None:
        """Removes what was written."""
        with contextlib.suppress(av.FFmpegError):
            self._container.close()
        self._part.unlink(missing_ok=True)


def annotate(pixels: NDArray[np.uint8], found: Detections, style: PreviewStyle) -> NDArray[np.uint8]:
    """A copy of `pixels` (height, width, 3) with the boxes (in the same pixels) drawn or blurred."""
    picture = pixels.copy()
    height, width = picture.shape[:2]
    for box, score, class_id in zip(found.boxes, found.scores, found.class_ids, strict=True):
        x_min, y_min = (max(0, int(value)) for value in box[:2])
        x_max, y_max = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
        if x_max <= x_min or y_max <= y_min:
            continue
        if style.mode == "blur":
            _blur(picture[y_min:y_max, x_min:x_max])
        else:
            _draw(picture, (x_min, y_min, x_max, y_max), _caption(style.labels, int(class_id), float(score)), class_id)
    return picture


def _caption(labels: Sequence[str], class_id: int, score: float) -> str:
    name = labels[class_id] if class_id < len(labels) else f"class {class_id}"
    return f"{name} {score:.2f}"


def _blur(region: NDArray[np.uint8]) -> None:
    side = max(3, max(region.shape[:2]) // _BLUR_DIVISOR)
    region[:] = cv2.blur(region, (side, side))


def _draw(picture: NDArray[np.uint8], box: tuple[int, int, int, int], caption: str, class_id: int) -> None:
    colour = _LINE_COLOURS[class_id % len(_LINE_COLOURS)]
    cv2.rectangle(picture, box[:2], box[2:], colour, 1)
    place = (box[0], max(8, box[1] - 3))
    cv2.putText(picture, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.35, colour, 1, cv2.LINE_AA)


def join_previews(parts: Sequence[Path], target: Path) -> bool:
    """Puts a video's segment previews, in order, into one file without encoding again.

    Returns:
        False when there was nothing to join.
    """
    if not parts:
        return False
    partial = target.with_suffix(".part")
    with av.open(str(partial), "w", format="mp4") as joined:
        stream: VideoStream | None = None
        for path in parts:
            with av.open(str(path)) as part:
                source = part.streams.video[0]
                stream = stream or joined.add_stream_from_template(source)
                for packet in part.demux(source):
                    if packet.dts is not None:
                        packet.stream = stream
                        joined.mux(packet)
    partial.rename(target)
    return True
