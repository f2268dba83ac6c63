"""Whatever the video: its segments together give each of its pictures exactly once, pixel for pixel."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from support.decoding import WHOLE, decode, decode_all, request_for
from support.samples import sample_path
from support.videos import Spec, picture_number, write_video
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.segments import cut

B_FRAMES = {"x264-params": "bframes=3:b-adapt=0:b-pyramid=normal"}
OPEN_GOP = {"x264-params": "bframes=3:b-adapt=0:open-gop=1"}
X265_OPEN_GOP = {"x265-params": "open-gop=1:bframes=3:log-level=none:pools=none"}
MS = Fraction(1, 1000)

# file name, what to encode, whether there must be more than one segment
ODD_VIDEOS = [
    ("plain.mp4", Spec(), True),
    ("b_frames.mp4", Spec(options=B_FRAMES), True),
    ("open_gop.mkv", Spec(options=OPEN_GOP), True),
    ("open_gop.mp4", Spec(options=OPEN_GOP), True),
    ("open_gop.ts", Spec(options=OPEN_GOP, frames=120), True),
    ("open_gop_hevc.mkv", Spec(codec="libx265", options=X265_OPEN_GOP), True),
    ("open_gop_hevc.mp4", Spec(codec="libx265", options=X265_OPEN_GOP), True),
    ("gradual_refresh.mkv", Spec(options={"x264-params": "intra-refresh=1:keyint=10"}), False),
    ("variable_rate.mkv", Spec(pts=lambda n: n * 40 + (n * n * 7) % 31, time_base=MS), True),
    ("slideshow.mkv", Spec(gop=3, frames=12, pts=lambda n: n * 1700 + n % 3, time_base=MS), True),
    ("long_pause.mp4", Spec(pts=lambda n: n * 512 + (n > 30) * 60 * 12800, options=B_FRAMES), True),
    ("vp8.webm", Spec(codec="libvpx", options={"deadline": "realtime"}), True),
    ("vp9_alt_ref.webm", Spec(codec="libvpx-vp9", options={"cpu-used": "8", "auto-alt-ref": "1"}), True),
    ("av1.mp4", Spec(codec="libsvtav1", options={"preset": "12", "svtav1-params": "enable-overlays=0"}), True),
    ("mpeg4_b.avi", Spec(codec="mpeg4", options={"bf": "2"}, time_base=Fraction(1, 25)), True),
    ("wrong_counts.avi", Spec(codec="mpeg4", time_base=Fraction(1, 600)), True),
    ("h264_b.avi", Spec(options={"bf": "2"}, time_base=Fraction(1, 25)), False),
    ("mpeg2_b.ts", Spec(codec="mpeg2video", options={"bf": "2"}, time_base=Fraction(1, 25), frames=120), True),
    ("mjpeg.avi", Spec(codec="mjpeg", pixel_format="yuvj420p", time_base=Fraction(1, 25)), True),
    ("flash.flv", Spec(options=B_FRAMES), True),
    ("vp8.ogg", Spec(codec="libvpx", options={"deadline": "realtime"}), False),
    ("ten_bit.mp4", Spec(pixel_format="yuv420p10le", options=B_FRAMES), True),
    ("odd_size.mkv", Spec(codec="ffv1", size=(163, 97)), True),
    ("full_chroma.mp4", Spec(pixel_format="yuv444p", size=(161, 97)), True),
    ("negative_times.mkv", Spec(pts=lambda n: n * 512 - 2000), True),
    ("edit_list.mp4", Spec(pts=lambda n: n * 512 - 5120, options=B_FRAMES), True),
    ("rotated.mp4", Spec(rotation_deg=90), True),
    ("upside_down.mp4", Spec(rotation_deg=180), True),
    ("anamorphic.mp4", Spec(sample_aspect=Fraction(4, 3)), True),
    ("interlaced.ts", Spec(options={"x264-params": "interlaced=1"}, frames=120), True),
    ("full_range.mp4", Spec(full_range=True), True),
    ("fragmented.mp4", Spec(mux_options={"movflags": "frag_keyframe+empty_moov"}, options=B_FRAMES), True),
    ("one_keyframe.mp4", Spec(gop=1000, options=B_FRAMES), False),
    ("one_keyframe.ts", Spec(gop=1000), False),
    ("one_picture.mp4", Spec(frames=1), False),
    ("every_picture_a_key.mp4", Spec(gop=1), True),
    ("long_reorder.mkv", Spec(gop=20, options={"x264-params": "bframes=8:b-adapt=0:b-pyramid=normal:ref=8"}), True),
]


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


@pytest.mark.parametrize(("name", "spec", "is_cut"), ODD_VIDEOS, ids=[name for name, _, _ in ODD_VIDEOS])
def test_segments_cover_every_picture_once(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec, is_cut: bool
) -> None:
    path = write_video(tmp_path / name, spec)
    info = decoder.probe(path, name, cut_every_ms=400)
    segments = cut([info], target_ms=600)

    straight, report = decode(decoder, request_for(path, info, WHOLE))
    pieces = decode_all(decoder, path, info, segments)

    numbers = [picture_number(frame.pixels) for frame in straight if frame.pixels is not None]
    if not spec.rotation_deg:
        # The edit list leaves out ten pictures; nothing else may.
        assert numbers == list(range(10 if name == "edit_list.mp4" else 0, spec.frames))
    assert report.frames_decoded == len(straight)
    assert report.gaps == ()
    assert [frame.digest for frame in pieces] == [frame.digest for frame in straight]
    assert [frame.pts for frame in straight] == sorted({frame.pts for frame in straight})
    assert (len(segments) > 1) == is_cut, f"{len(segments)} segments"
    assert abs(info.frames_estimate - len(straight)) <= max(3, len(straight) // 20)


@pytest.mark.parametrize("name", ["bikes.mp4", "bigbuckbunny.mp4", "carphone.mp4"])
def test_segments_cover_real_videos_once(decoder: DecoderProcess, name: str) -> None:
    path = sample_path(name)
    info = decoder.probe(path, name, cut_every_ms=1000)
    segments = cut([info], target_ms=1500)
    straight, _ = decode(decoder, request_for(path, info, WHOLE))
    assert len(straight) == {"bikes.mp4": 250, "bigbuckbunny.mp4": 132, "carphone.mp4": 120}[name]
    assert info.frames_estimate == len(straight)
    pieces = decode_all(decoder, path, info, segments)
    assert [frame.digest for frame in pieces] == [frame.digest for frame in straight]


def test_a_clock_that_jumps_decades_does_not_stall_probing(decoder: DecoderProcess, tmp_path: Path) -> None:
    spec = Spec(pts=lambda n: n * 40 + (n >= 30) * 10**12, time_base=MS)
    path = write_video(tmp_path / "decades.mkv", spec)
    info = decoder.probe(path, "decades")
    straight, _ = decode(decoder, request_for(path, info))
    assert [picture_number(frame.pixels) for frame in straight if frame.pixels is not None] == list(range(60))
    pieces = decode_all(decoder, path, info, cut([info]))
    assert [frame.digest for frame in pieces] == [frame.digest for frame in straight]


def test_a_recording_whose_clock_starts_again_is_not_cut(decoder: DecoderProcess, tmp_path: Path) -> None:
    first = write_video(tmp_path / "first.ts", Spec(frames=100)).read_bytes()
    second = write_video(tmp_path / "second.ts", Spec(frames=100)).read_bytes()
    path = tmp_path / "both.ts"
    path.write_bytes(first + second)
    info = decoder.probe(path, "both", cut_every_ms=400)
    # The counters of the transport packets start again as well, which costs nothing.
    straight, report = decode(decoder, request_for(path, info))
    pieces = decode_all(decoder, path, info, cut([info], target_ms=600))
    assert [frame.digest for frame in pieces] == [frame.digest for frame in straight]
    assert (len(straight), report.gaps) == (200, ())


def test_a_recording_that_begins_in_the_middle_is_decoded_from_its_first_keyframe(
    decoder: DecoderProcess, tmp_path: Path
) -> None:
    data = write_video(tmp_path / "whole.ts", Spec(frames=100, options=B_FRAMES)).read_bytes()
    path = tmp_path / "late.ts"
    path.write_bytes(data[188 * 30 + 77 :])
    info = decoder.probe(path, "late", cut_every_ms=400)
    straight, report = decode(decoder, request_for(path, info))
    numbers = [picture_number(frame.pixels) for frame in straight if frame.pixels is not None]
    assert numbers == list(range(numbers[0], 100))
    assert numbers[0] < 60
    assert report.gaps == ()
    pieces = decode_all(decoder, path, info, cut([info], target_ms=600))
    assert [frame.digest for frame in pieces] == [frame.digest for frame in straight]


def test_a_sound_that_begins_later_does_not_disturb(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = tmp_path / "late_sound.flv"
    data = write_video(path, Spec(frames=300, size=(320, 192))).read_bytes()
    # One tag of MP3 at 16 s, behind a header that announces video only.
    tag = bytes.fromhex("08 000005 003e80 00 000000") + b"\x2f\xff\xfb\x90\x00"
    path.write_bytes(data + tag + len(tag).to_bytes(4, "big"))
    info = decoder.probe(path, "late_sound", cut_every_ms=400)
    straight, report = decode(decoder, request_for(path, info))
    pieces = decode_all(decoder, path, info, cut([info], target_ms=600))
    assert len(straight) == 300
    assert report.gaps == ()
    assert [frame.digest for frame in pieces] == [frame.digest for frame in straight]
