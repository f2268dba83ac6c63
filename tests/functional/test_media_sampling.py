"""What sampling hands out of real files: the same pictures however they are cut, and decoded no more than needed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from support.decoding import WHOLE, Decoded, decode, decode_all, request_for
from support.samples import sample_path
from support.videos import Spec, numbered_picture, picture_number, write_video
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.info import Gate, Sampling, Segment, VideoInfo
from videojob.video.segments import cut

B_FRAMES = {"x264-params": "bframes=3:b-adapt=0:b-pyramid=normal"}
OPEN_GOP = {"x264-params": "bframes=3:b-adapt=0:open-gop=1"}
X265 = {"x265-params": "open-gop=1:bframes=3:log-level=none:pools=none"}
MS = Fraction(1, 1000)
VIDEOS = [
    ("closed.mp4", Spec(options=B_FRAMES)),
    ("open.mkv", Spec(options=OPEN_GOP)),
    ("open.ts", Spec(options=OPEN_GOP, frames=120)),
    ("hevc.mp4", Spec(codec="libx265", options=X265)),
    ("refresh.mkv", Spec(options={"x264-params": "intra-refresh=1:keyint=10"})),
    ("variable.mkv", Spec(pts=lambda n: n * 40 + (n * n * 7) % 31, time_base=MS, options=B_FRAMES)),
    ("pause.mp4", Spec(pts=lambda n: n * 512 + (n > 30) * 5 * 12800, options=B_FRAMES)),
    ("short_groups.mp4", Spec(gop=4, options=B_FRAMES)),
    ("mpeg4.avi", Spec(codec="mpeg4", options={"bf": "2"}, time_base=Fraction(1, 25))),
    ("mpeg2.ts", Spec(codec="mpeg2video", options={"bf": "2"}, time_base=Fraction(1, 25))),
    ("vp9.webm", Spec(codec="libvpx-vp9", options={"cpu-used": "8"})),
    ("edit_list.mp4", Spec(pts=lambda n: n * 512 - 5120, options=B_FRAMES)),
    ("h264.avi", Spec(options=B_FRAMES, time_base=Fraction(1, 25))),
]
KEYFRAMES = [
    *(video for video in VIDEOS if video[0] != "refresh.mkv"),
    ("open_long.mp4", Spec(options=OPEN_GOP, frames=160, gop=25)),
    ("open_long.mkv", Spec(options=OPEN_GOP, frames=160, gop=25)),
    ("open_long.ts", Spec(options=OPEN_GOP, frames=160, gop=25)),
    ("open.avi", Spec(options=OPEN_GOP, time_base=Fraction(1, 25))),
    ("ffv1.mkv", Spec(codec="ffv1")),
    ("vp8.webm", Spec(codec="libvpx", options={"cpu-used": "8", "deadline": "realtime"})),
    ("vp9.mp4", Spec(codec="libvpx-vp9", options={"cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "12"})),
    ("av1.mp4", Spec(codec="libsvtav1", options={"preset": "12", "svtav1-params": "lp=1"})),
    ("h264.flv", Spec(options=B_FRAMES, time_base=MS)),
]


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


def first_of_each_cell(frames: list[Decoded], info: VideoInfo, rate: Fraction) -> list[Decoded]:
    """The rule, in its plainest form, on all of a video's pictures."""
    chosen: dict[int, Decoded] = {}
    for frame in frames:
        chosen.setdefault(int((frame.pts - info.start_pts) * info.time_base * rate // 1), frame)
    return list(chosen.values())


@pytest.mark.parametrize(("name", "spec"), VIDEOS, ids=[name for name, _ in VIDEOS])
def test_frames_per_second_takes_the_same_pictures_however_the_video_is_cut(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec
) -> None:
    path = write_video(tmp_path / name, spec)
    info = decoder.probe(path, name, cut_every_ms=400)
    everything, _ = decode(decoder, request_for(path, info))
    for rate in (Fraction(1), Fraction(5), Fraction(7, 2), Fraction(12), Fraction(50)):
        wanted = [frame.digest for frame in first_of_each_cell(everything, info, rate)]
        sampling = Sampling(frames_per_second=rate)
        straight, report = decode(decoder, request_for(path, info, WHOLE, sampling=sampling))
        assert [frame.digest for frame in straight] == wanted
        assert report.frames_selected == len(wanted) <= report.frames_decoded <= len(everything)
        assert report.gaps == ()
        pieces = decode_all(decoder, path, info, cut([info], target_ms=600), sampling=sampling)
        assert [frame.digest for frame in pieces] == wanted


def test_where_seeking_fails_the_file_is_read_from_its_start(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", Spec(options=B_FRAMES))
    info = decoder.probe(path, "clip")
    # No keyframe lies at or before this start.
    segment = Segment(1, 0, info.start_pts - 1, None)
    sampling = Sampling(frames_per_second=Fraction(25))
    frames, _ = decode(decoder, request_for(path, info, segment, sampling=sampling))
    assert [picture_number(frame.pixels) for frame in frames if frame.pixels is not None] == list(range(60))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_groups_of_pictures_without_one_asked_for_are_not_decoded(
    decoder: DecoderProcess, tmp_path: Path, suffix: str
) -> None:
    path = write_video(tmp_path / f"clip.{suffix}", Spec(frames=200, gop=5, options=B_FRAMES))
    info = decoder.probe(path, "clip")
    request = request_for(path, info, sampling=Sampling(frames_per_second=Fraction(1)))
    frames, report = decode(decoder, request)
    assert [picture_number(frame.pixels) for frame in frames if frame.pixels is not None] == list(range(0, 200, 25))
    assert report.frames_decoded <= 8 * 2


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_pictures_that_nothing_refers_to_are_not_decoded(decoder: DecoderProcess, tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"clip.{suffix}", Spec(frames=100, gop=100, options=B_FRAMES))
    info = decoder.probe(path, "clip")
    _, report = decode(decoder, request_for(path, info, sampling=Sampling(frames_per_second=Fraction(5))))
    assert report.frames_selected == 20
    assert report.frames_decoded < 70


def test_every_nth_frame_counts_from_the_segments_start(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", Spec(options=B_FRAMES))
    info = decoder.probe(path, "clip", cut_every_ms=400)
    segments = cut([info], target_ms=1200)
    sampling = Sampling(every_nth_frame=7)
    pieces = decode_all(decoder, path, info, segments, sampling=sampling)
    assert [picture_number(f.pixels) for f in pieces if f.pixels is not None] == [*range(0, 30, 7), *range(30, 60, 7)]


@pytest.mark.parametrize(("name", "spec"), KEYFRAMES, ids=[name for name, _ in KEYFRAMES])
def test_keyframes_only_gives_all_keyframes_and_processes_nothing_else(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec
) -> None:
    path = write_video(tmp_path / name, spec)
    info = decoder.probe(path, name, cut_every_ms=400)
    with av.open(str(path)) as container:
        marked = [packet.pts for packet in container.demux(video=0) if packet.is_keyframe and not packet.is_discard]
    sampling = Sampling(keyframes_only=True)
    everything = {frame.pts: frame for frame in decode(decoder, request_for(path, info))[0]}
    straight, report = decode(decoder, request_for(path, info, sampling=sampling))
    assert all(frame.digest == everything[frame.pts].digest for frame in straight)
    if name not in {"h264.avi", "open.avi"}:  # their packets do not tell when they are shown
        assert [frame.pts for frame in straight] == [pts for pts in marked if pts is not None]
    assert report.frames_decoded == len(straight) == len(marked)
    assert report.gaps == ()
    pieces = decode_all(decoder, path, info, cut([info], target_ms=600), sampling=sampling)
    assert [frame.digest for frame in pieces] == [frame.digest for frame in straight]


def test_a_picture_from_which_a_decoder_only_recovers_later_is_no_keyframe(
    decoder: DecoderProcess, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "refresh.mkv", dict(VIDEOS)["refresh.mkv"])
    info = decoder.probe(path, "refresh")
    frames, _ = decode(decoder, request_for(path, info, sampling=Sampling(keyframes_only=True)))
    assert [picture_number(frame.pixels) for frame in frames if frame.pixels is not None] == [0]


def still_then_moving(number: int, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Still for 40 pictures, then moving."""
    return numbered_picture(0, size) if number < 40 else numbered_picture(number, size)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_the_motion_gate_lets_through_what_moves_and_a_picture_now_and_then(
    decoder: DecoderProcess, tmp_path: Path, pixel_format: str
) -> None:
    spec = Spec(frames=60, draw=still_then_moving, pixel_format=pixel_format)
    path = write_video(tmp_path / "clip.mp4", spec)
    info = decoder.probe(path, "clip")
    sampling = Sampling(gate=Gate(threshold=2.0, max_skip_ms=600))
    frames, report = decode(decoder, request_for(path, info, sampling=sampling), slots=3)
    passed = [number for number, frame in enumerate(frames) if frame.pixels is not None]
    assert passed == [0, 15, 30, *range(40, 60)]
    assert (report.frames_decoded, report.frames_selected, report.frames_gated) == (60, 60, 37)


def test_the_motion_gate_starts_afresh_in_each_segment(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", Spec(frames=60, draw=lambda _, size: numbered_picture(0, size)))
    info = decoder.probe(path, "clip", cut_every_ms=400)
    sampling = Sampling(gate=Gate(threshold=2.0, max_skip_ms=60_000))
    for segment in cut([info], target_ms=600):
        frames, report = decode(decoder, request_for(path, info, segment, sampling=sampling))
        assert [frame.pixels is not None for frame in frames] == [True] + [False] * (len(frames) - 1)
        assert report.frames_gated == len(frames) - 1


def test_a_gate_without_threshold_lets_everything_through(decoder: DecoderProcess) -> None:
    path = sample_path("carphone.mp4")
    info = decoder.probe(path, "carphone")
    sampling = Sampling(gate=Gate(threshold=0.0, max_skip_ms=1000))
    _, report = decode(decoder, request_for(path, info, sampling=sampling))
    assert report.frames_gated == 0
