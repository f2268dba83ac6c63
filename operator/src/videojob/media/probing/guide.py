"""Making a video's guide, and using it: see `video.guide`. Runs in the decoder process only."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise

from videojob.media.containers.mp4_tables import NoTables
from videojob.media.files import sniff
from videojob.media.files.video_file import Overlay, PagedFile
from videojob.media.opening.container import Source, opened
from videojob.media.probing import matroska_excerpt, mp4_excerpt
from videojob.video.guide import PART_SEGMENTS, GuidePart, VideoGuide
from videojob.video.info import VideoInfo

Spans = tuple[tuple[int, int], ...]

_MP4, _MATROSKA = b"M", b"K"
_RESTORE: dict[bytes, Callable[[bytes, bytes], tuple[int, bytes]]] = {
    _MP4: mp4_excerpt.restored,
    _MATROSKA: matroska_excerpt.restored,
}
_NO_EXCERPT = (NoTables, ValueError, IndexError, struct.error, zlib.error)


def make_guide(video: PagedFile, info: VideoInfo, cuts: Sequence[int]) -> VideoGuide:
    """The guide of a whole video.

    Args:
        video: the file.
        info: what probing found, with the places of its keyframes.
        cuts: presentation times where it is cut.

    Raises:
        InputError: it cannot be read.
    """
    places = dict(zip(info.cut_pts, info.cut_bytes, strict=True)) if info.cut_bytes else {}
    at = [places[cut] for cut in cuts] if all(cut in places for cut in cuts) else []
    with opened(video, info.uri) as source:
        head = video.read_so_far()
        plain = _plain(info, head, at)
        if len(at) < PART_SEGMENTS:
            return plain
        try:
            if source.demuxer == sniff.MOV:
                return _of_mp4(video, source, cuts, at, head)
            if source.demuxer == sniff.MATROSKA:
                return _of_matroska(video, plain, at)
        except _NO_EXCERPT:
            # The pods read the whole index, as those of every other kind of container.
            return plain
        return plain


def _plain(info: VideoInfo, head: Spans, at: Sequence[int]) -> VideoGuide:
    """Only where the segments lie."""
    if not info.cut_bytes:
        return VideoGuide(head, "", PART_SEGMENTS)
    spans = tuple(pairwise([0, *at, info.size_bytes]))
    return VideoGuide(head, "", PART_SEGMENTS, _parts(spans, (None,) * len(spans)))


def _parts(
    spans: Sequence[tuple[int, int]], before: Sequence[int | None], index: Callable[[int, int], str] | None = None
) -> tuple[GuidePart, ...]:
    """Parts of `PART_SEGMENTS`; `index` is asked for the index of the segments from one to before another."""
    made = []
    for first in range(0, len(spans), PART_SEGMENTS):
        stop = min(first + PART_SEGMENTS, len(spans))
        own = "" if index is None else index(first, stop)
        made.append(GuidePart(first, tuple(spans[first:stop]), tuple(before[first:stop]), own))
    return tuple(made)


def _of_mp4(video: PagedFile, source: Source, cuts: Sequence[int], at: Sequence[int], head: Spans) -> VideoGuide:
    with video.reading() as file:
        index = mp4_excerpt.read_index(file, video.size_bytes(), source, head)
    bounds = [0, *index.keyframes(at), len(index.samples)]
    back = [index.before(keyframe) for keyframe in bounds[1:-1]]
    before = [None, *(None if ticks is None else cut - ticks for cut, ticks in zip(cuts, back, strict=True))]
    spans = [index.span(first, stop) for first, stop in pairwise(bounds)]
    parts = _parts(spans, before, lambda first, stop: _text(index.excerpt(bounds[first], bounds[stop])))
    return VideoGuide(
        _without(head, index.at, index.at + index.length), _text(_MP4 + index.common), PART_SEGMENTS, parts
    )


def _of_matroska(video: PagedFile, plain: VideoGuide, at: Sequence[int]) -> VideoGuide:
    with video.reading() as file:
        index = matroska_excerpt.read_index(file, video.size_bytes())
    bounds = [0, *at, video.size_bytes()]
    parts = tuple(
        GuidePart(
            part.first,
            part.spans,
            part.before,
            _text(index.excerpt(bounds[part.first], bounds[part.first + len(part.spans)])),
        )
        for part in plain.parts
    )
    return VideoGuide(plain.head, _text(_MATROSKA + index.common), PART_SEGMENTS, parts)


def _without(spans: Spans, start: int, stop: int) -> Spans:
    """What is left of some stretches: what an excerpt stands for is not read any more."""
    pieces = [piece for one, end in spans for piece in ((one, min(end, start)), (max(one, stop), end))]
    return tuple((one, end) for one, end in pieces if one < end)


def overlay_of(common: str, own: str) -> Overlay:
    """What stands in the place of the container's index. Raises ValueError: it is no excerpt."""
    try:
        kind = base64.b85decode(common)
        return Overlay(*_RESTORE[kind[:1]](kind[1:], base64.b85decode(own)))
    except (*_NO_EXCERPT, KeyError) as error:
        raise ValueError("the plan's part of the index cannot be read") from error


def _text(data: bytes) -> str:
    return base64.b85encode(data).decode("ascii")
