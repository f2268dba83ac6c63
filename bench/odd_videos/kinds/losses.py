"""What was lost in silence: video that goes on in another stream, documents behind each other, a thumbnail in front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from bench.odd_videos.cases import Case
from bench.odd_videos.kinds.codecs import FRAGMENTED, H264, HEVC, MJPEG, MPEG4, MS
from bench.odd_videos.scene import FRAMES, SIZE, draw, parts, shown
from support.bad_videos import joined_without_care
from support.joined_videos import joined, numbered_from, on_pid, with_streams
from support.videos import Spec

Maker = Callable[[Path], object]
_STREAMS, _JOINED = "video goes on in another stream", "documents behind each other"
_THUMBNAIL, _CAMERAS = "a picture as first stream", "two video streams"
_LIVE = replace(H264, time_base=MS, mux_options={"live": "1"})
_SECOND = (160, 120)


def _documents(*specs: Spec) -> Maker:
    return lambda path: joined(path, *parts(*specs))


def _continues(*streams: tuple[int, Spec]) -> Maker:
    """The scene in a transport stream, each piece of it in a stream of this number."""

    def make(path: Path) -> object:
        pieces = parts(*(spec for _, spec in streams))
        firsts = list(accumulate((piece.frames for piece in pieces), initial=0))
        numbered = [
            on_pid(pid, numbered_from(first, replace(piece, time_base=None)), first // 25)
            for first, piece, (pid, _) in zip(firsts, pieces, streams, strict=False)
        ]
        return joined_without_care(path, *numbered)

    return make


def _streams(*streams: tuple[str, int, int], default: int | None = None) -> Maker:
    return lambda path: with_streams(path, *streams, default=default, size=SIZE, draw=draw)


CASES = (
    Case(
        _STREAMS,
        "codec_too.ts",
        "H.264 on one PID, then HEVC on another",
        _continues((256, H264), (400, HEVC), (401, HEVC)),
        shown(),
    ),
    Case(
        _STREAMS, "three_pids.ts", "a new PID each second", _continues((256, H264), (300, H264), (400, H264)), shown()
    ),
    Case(
        _STREAMS,
        "hevc_pids.ts",
        "HEVC, a new PID each second",
        _continues((256, HEVC), (300, HEVC), (400, HEVC)),
        shown(),
    ),
    Case(_JOINED, "live.mkv", "three Matroska documents of unknown length", _documents(_LIVE, _LIVE, _LIVE), shown()),
    Case(_JOINED, "two_moovs.mp4", "three plain MP4s", _documents(H264, H264, H264), shown()),
    Case(_JOINED, "other_codec.avi", "AVIs, Motion JPEG and MPEG-4", _documents(MJPEG, MPEG4, MJPEG), shown()),
    Case(
        _JOINED,
        "fragments.mp4",
        "three fragmented MP4s",
        _documents(*[replace(H264, mux_options=FRAGMENTED)] * 3),
        shown(),
    ),
    Case(_THUMBNAIL, "png_first.mov", "a PNG", _streams(("png", 1, 50), ("libx264", FRAMES, 0)), shown()),
    Case(_THUMBNAIL, "jpeg_first.mkv", "a JPEG", _streams(("mjpeg", 1, 50), ("libx264", FRAMES, 0)), shown()),
    Case(
        _THUMBNAIL,
        "two_first.mp4",
        "two JPEGs, then MPEG-4",
        _streams(("mjpeg", 1, 50), ("mjpeg", 1, 60), ("mpeg4", FRAMES, 0)),
        shown(),
    ),
    Case(
        _CAMERAS,
        "cameras.ts",
        "both H.264",
        _streams(("libx264", FRAMES, 0), ("libx264", FRAMES, 9)),
        shown(notice="left out: stream 1"),
    ),
    Case(
        _CAMERAS,
        "cameras.mkv",
        "the second is the default",
        _streams(("libx264", FRAMES, 9), ("libx264", FRAMES, 0), default=1),
        shown(notice="left out: stream 0"),
    ),
    Case(
        _CAMERAS,
        "cameras.mp4",
        "MPEG-4 beside H.264",
        _streams(("mpeg4", FRAMES, 0), ("libx264", FRAMES, 9)),
        shown(notice="left out: stream 1"),
    ),
)
