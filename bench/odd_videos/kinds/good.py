"""Good files that look damaged: joins of HLS segments, messages with a wrong length, sound that is torn at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.odd_videos.cases import Case
from bench.odd_videos.kinds.codecs import H264, HEVC, MPEG2
from bench.odd_videos.scene import FRAMES, clip, parts, shown
from support import damaged_streams as damaged
from support.bad_videos import joined_without_care
from support.joined_videos import numbered_from
from support.sound_videos import torn, with_sound_to_the_end
from support.videos import Spec, write_video

_JOINS, _MESSAGES, _SOUND = "joined HLS segments", "a message with a wrong length", "sound torn at the end"


def _recounted(spec: Spec) -> Callable[[Path], object]:
    """Counters that jump where segments were joined."""

    def make(path: Path) -> object:
        data = write_video(path, clip(spec)).read_bytes()
        return path.write_bytes(damaged.recounted(data, {FRAMES // 5: 5, FRAMES // 5 * 3: 9}))

    return make


def _counters_from_0(path: Path) -> object:
    """Counters and clock start again with each segment."""
    pieces = parts(H264, H264, H264)
    numbered = [numbered_from(number * piece.frames, piece) for number, piece in enumerate(pieces)]
    return joined_without_care(path, *numbered, is_counted=False)


def _message(codec: str, spec: Spec, *, is_late: bool = False) -> Callable[[Path], object]:
    def make(path: Path) -> object:
        sound = write_video(path.with_name(f"without_{path.stem}.mp4"), clip(spec))
        unit = damaged.LATE_MESSAGE_UNIT if is_late else damaged.MESSAGE_UNITS[codec]
        return damaged.with_units(sound, path, unit, is_late=is_late)

    return make


def _torn(spec: Spec, lost_bytes: int) -> Callable[[Path], object]:
    return lambda path: torn(path, with_sound_to_the_end(path, clip(spec)).read_bytes(), lost_bytes)


CASES = (
    Case(_JOINS, "hevc.ts", "HEVC, counters jump", _recounted(HEVC), shown()),
    Case(_JOINS, "mpeg2.ts", "MPEG-2, counters jump", _recounted(MPEG2), shown()),
    Case(_JOINS, "from_0.ts", "counters and clock start again", _counters_from_0, shown()),
    Case(_MESSAGES, "sei.mkv", "H.264 in Matroska", _message("h264", H264), shown()),
    Case(_MESSAGES, "sei.ts", "HEVC in a transport stream", _message("hevc", HEVC), shown()),
    Case(_MESSAGES, "late_sei.mp4", "HEVC, behind each picture", _message("hevc", HEVC, is_late=True), shown()),
    Case(_SOUND, "torn.ts", "in a packet of a transport stream", _torn(H264, 100), shown()),
    Case(_SOUND, "torn.flv", "in a tag of Flash video", _torn(H264, 100), shown()),
    Case(
        _SOUND,
        "torn.mp4",
        "in the last sample of an MP4 with its index in front",
        _torn(replace(H264, mux_options={"movflags": "faststart"}), 100),
        shown(),
    ),
)
