"""Annotated preview: the frames that the model saw, boxes drawn or faces blurred, one small H.264 file per segment.

The pictures are at model size: that is what was processed, and it costs nothing more to decode. There are no B-frames,
so that packets lie in the order of their times and `join_previews` can put one segment's behind another's, however
irregular the times are. A segment without a frame leaves an empty file: it was done, and there is nothing to show.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from videojob.adapters.files.part_file import PartFile
from videojob.errors import SinkError
from videojob.vision.geometry import to_input
from videojob.vision.tensors import Detections, Geometry

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
    """Writes one segment's preview; implements `worker.segment.task.FrameObserver`. Every method raises SinkError.

    Args:
        path: where the file appears on `commit`; its folder is made.
        geometry: of the frames.
        style: how they are shown.
    """

    def __init__(self, path: Path, geometry: Geometry, style: PreviewStyle) -> None:
        self._file = PartFile(path, "preview")
        self._geometry = geometry
        self._style = style
        self._output: tuple[OutputContainer, VideoStream] | None = None
        self._still: NDArray[np.uint8] | None = None
        self._last_ms = -1

    def frame(self, time_ms: int, pixels: NDArray[np.uint8] | None, found: Detections) -> None:
        """Encodes one frame; a gated one repeats its neighbour's picture and boxes."""
        if pixels is not None:
            self._still = annotate(pixels, to_input(found, self._geometry), self._style)
        if self._still is None or time_ms <= self._last_ms:
            return
        self._last_ms = time_ms
        with self._file.errors(av.FFmpegError):
            container, stream = self._output or self._open()
            container.mux(stream.encode(self._picture(self._still, time_ms, stream)))

    def _open(self) -> tuple[OutputContainer, VideoStream]:
        self._file.make_folder()
        container = av.open(str(self._file.part), "w", format="mp4")
        width, height = (side - side % 2 for side in self._geometry.inner_size)  # yuv420p wants even sides
        stream = container.add_stream("libx264", rate=_NOMINAL_RATE, options=dict(_CODEC_OPTIONS))
        stream.width, stream.height, stream.pix_fmt = max(2, width), max(2, height), "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TIME_BASE
        stream.codec_context.thread_count = 1
        stream.codec_context.max_b_frames = 0
        self._output = container, stream
        return self._output

    def _picture(self, still: NDArray[np.uint8], time_ms: int, stream: VideoStream) -> av.VideoFrame:
        left, top = self._geometry.pad_x, self._geometry.pad_y
        inner = still[top : top + stream.height, left : left + stream.width]
        colours = "rgb24" if self._style.colour == "RGB" else "bgr24"
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(inner), format=colours)
        picture.pts, picture.time_base = time_ms, _TIME_BASE
        return picture

    def finish(self) -> None:
        """Completes the file, unseen."""
        with self._file.errors(av.FFmpegError):
            if self._output is None:
                self._file.make_folder()
                self._file.part.touch()
            else:
                container, stream = self._output
                container.mux(stream.encode(None))
                container.close()
                self._output = None
            self._file.sync()

    def commit(self) -> None:
        """Gives the finished file its name."""
        with self._file.errors():
            self._file.publish()

    def discard(self) -> None:
        """Removes what was written."""
        if self._output is not None:
            with contextlib.suppress(OSError, av.FFmpegError):
                self._output[0].close()
            self._output = None
        self._file.discard()


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

    One part is open at a time; what is held is the index that an MP4 file ends with, about 100 bytes per frame.

    Args:
        parts: finished previews of one video, by time.
        target: appears when it is complete; one that is newer than every part is left as it is.

    Returns:
        False when no part had a frame.

    Raises:
        SinkError: a part cannot be read or does not fit the others, or the file cannot be written.
    """
    file = PartFile(target, "preview")
    filled = {path: found for path in parts if (found := _stat(path)).st_size}
    if not filled:
        return False
    try:
        with file.errors(av.FFmpegError):
            newest_ns = max(found.st_mtime_ns for found in filled.values())
            if target.is_file() and target.stat().st_mtime_ns >= newest_ns:
                return True
            file.make_folder()
            with av.open(str(file.part), "w", format="mp4") as container:
                joined = _Joined(container)
                for path in filled:
                    joined.append(path)
            file.sync()
            file.publish()
    except BaseException:  # also a signal's: nothing half written stays
        file.discard()
        raise
    return True


class _Joined:
    """A preview that grows by whole parts."""

    def __init__(self, container: OutputContainer) -> None:
        self._container = container
        self._stream: VideoStream | None = None
        self._form: object = None
        self._last_dts = -1

    def append(self, path: Path) -> None:
        """Copies a part's packets. Raises SinkError when it is damaged or of another form than the first."""
        try:
            part = av.open(str(path))
        except (OSError, av.FFmpegError) as error:
            raise _bad_part(path, str(error)) from error
        with part:
            if not part.streams.video:
                raise _bad_part(path, "it holds no video")
            source = part.streams.video[0]
            form = (source.codec_context.extradata, source.width, source.height, source.time_base)
            if self._stream is None:
                self._stream, self._form = self._container.add_stream_from_template(source), form
            elif form != self._form:
                raise _bad_part(path, "its encoding differs from that of the segments before it")
            for packet in part.demux(source):
                self._copy(packet, self._stream)

    def _copy(self, packet: av.Packet[VideoStream], stream: VideoStream) -> None:
        if packet.dts is None:
            return  # the empty one at the end
        # Two frames at the border of segments may have been rounded to the same millisecond: a tick keeps them apart.
        packet.dts = self._last_dts = max(packet.dts, self._last_dts + 1)
        packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
        packet.stream = stream
        self._container.mux(packet)


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _bad_part(path, error.strerror or str(error)) from error


def _bad_part(path: Path, why: str) -> SinkError:
    return SinkError(
        f"a segment's preview cannot be joined: {why}", uri=str(path), hint="Remove the file and run the job again."
    )
