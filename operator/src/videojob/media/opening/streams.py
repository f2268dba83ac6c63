"""Which of a container's video streams is the video. Runs in the decoder process only.

The first stream may be a thumbnail, a preview or a cover. So streams are ranked by what they hold: moving pictures
before a single one, a video codec before one of still pictures, a size that is known before none, the one that players
show before others. Between equal ones, as of a recorder with two cameras, the first is taken. Every other stream with
moving pictures is named: nobody should believe that it was looked at.
"""

from __future__ import annotations

from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

_PICTURE_CODECS = frozenset(("mjpeg", "png", "bmp", "gif", "tiff", "webp", "jpegxl", "ljpeg", "jpeg2000"))
_PICTURES_ONLY = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


def ranked(container: InputContainer) -> list[VideoStream]:
    """The streams that may be the video, the best first; none when there are only cover pictures."""
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    return sorted(streams, key=_rank, reverse=True)


def left_out(chosen: VideoStream, container: InputContainer) -> tuple[str, ...]:
    """A sentence that names the other streams with moving pictures; none when there are none."""
    others = [
        stream
        for stream in ranked(container)
        if stream is not chosen and not _is_still(stream) and _size(stream) is not None
    ]
    if not others:
        return ()
    others.sort(key=lambda stream: stream.index)
    named = ", ".join(_named(stream) for stream in others)
    kind = "a further video stream is" if len(others) == 1 else f"{len(others)} further video streams are"
    return (f"{kind} left out: {named}; processed is {_named(chosen)}",)


def _rank(stream: VideoStream) -> tuple[bool, bool, bool, bool, int]:
    context = _context(stream)
    return (
        not _is_still(stream),
        context is not None and context.codec.canonical_name not in _PICTURE_CODECS,
        _size(stream) is not None,
        bool(stream.disposition & Disposition.default),
        -stream.index,
    )


def _is_still(stream: VideoStream) -> bool:
    # The header's count of pictures is 0 where it says nothing.
    return bool(stream.disposition & _PICTURES_ONLY) or stream.frames == 1


def _size(stream: VideoStream) -> tuple[int, int] | None:
    context = _context(stream)
    return None if context is None or not context.width else (context.width, context.height)


def _context(stream: VideoStream) -> VideoCodecContext | None:
    # A codec that FFmpeg does not know has no context, against what the type stubs say.
    return stream.codec_context


def _named(stream: VideoStream) -> str:
    context, size = _context(stream), _size(stream)
    words = [] if context is None else [context.codec.canonical_name]
    words += [] if size is None else [f"{size[0]} x {size[1]}"]
    return f"stream {stream.index}" + (f" ({', '.join(words)})" if words else "")
