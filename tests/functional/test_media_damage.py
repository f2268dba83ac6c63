"""What is damaged and what only looks like it: no counted frame is wrong, no good file is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from support import bad_videos as bad
from support import damaged_streams as damaged
from support.decoding import Decoded, decode, request_for
from support.videos import Spec, write_video
from videojob.errors import InputCorrupt
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.protocol.messages import DecodeReport
from videojob.video.info import Segment, VideoInfo

_X265 = "keyint=25:log-level=none:pools=none:frame-threads=1"
LOSSY = {
    "h264": Spec(gop=25, options={"x264-params": "bframes=3:b-adapt=0", "crf": "18"}),
    "hevc": Spec(codec="libx265", options={"x265-params": _X265, "crf": "18", "preset": "ultrafast"}),
    "mpeg2": Spec(codec="mpeg2video", gop=12, options={"bf": "2", "q": "3"}, time_base=Fraction(1, 25)),
    "mpeg4": Spec(codec="mpeg4", gop=12, options={"bf": "2"}, time_base=Fraction(1, 25)),
}
RATES = (0.002, 0.007, 0.02)


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=20)
    yield process
    process.close()


def skipped(decoder: DecoderProcess, path: Path, info: VideoInfo) -> tuple[list[Decoded], DecodeReport]:
    return decode(decoder, request_for(path, info, skip_corrupt=True))


def refusal(decoder: DecoderProcess, path: Path, info: VideoInfo) -> int | None:
    """Where a job that fails on damage finds some."""
    try:
        decode(decoder, request_for(path, info))
    except InputCorrupt as error:
        return error.time_ms
    return None


def in_gap(report: DecodeReport, time_ms: int) -> bool:
    return any(gap.start_ms <= time_ms < gap.end_ms for gap in report.gaps)


@pytest.mark.parametrize("codec", LOSSY)
def test_no_counted_frame_differs_and_none_is_lost_in_silence_whatever_packets_are_lost(
    decoder: DecoderProcess, tmp_path: Path, codec: str
) -> None:
    sound = write_video(tmp_path / "sound.ts", replace(LOSSY[codec], frames=120))
    info = decoder.probe(sound, "sound")
    true, report = skipped(decoder, sound, info)
    assert (len(true), report.gaps) == (120, ())
    digests = {frame.digest for frame in true}
    gaps = 0
    for seed, rate in enumerate(RATES * 3):
        path = tmp_path / "lossy.ts"
        path.write_bytes(damaged.with_losses(sound.read_bytes(), rate, seed))
        frames, report = skipped(decoder, path, info)
        times = {frame.time_ms for frame in frames}
        assert not [frame.time_ms for frame in frames if frame.digest not in digests], (codec, seed, rate)
        lost = [frame.time_ms for frame in true if frame.time_ms not in times]
        assert not [time_ms for time_ms in lost if not in_gap(report, time_ms)], (codec, seed, rate)
        assert not [time_ms for time_ms in times if in_gap(report, time_ms)]
        if seed == len(RATES):
            assert refusal(decoder, path, info) == (report.gaps[0].start_ms if report.gaps else None)
        gaps += len(report.gaps)
    assert gaps > 10
    assert len(frames) > 5


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_the_segments_of_a_lossy_stream_add_up_to_the_whole(
    decoder: DecoderProcess, tmp_path: Path, codec: str
) -> None:
    sound = write_video(tmp_path / "sound.ts", replace(LOSSY[codec], frames=120))
    path = tmp_path / "lossy.ts"
    path.write_bytes(damaged.with_losses(sound.read_bytes(), 0.01, 5))
    info = decoder.probe(path, "lossy", cut_every_ms=900)
    whole, report = skipped(decoder, path, info)
    parts: list[Decoded] = []
    covered: set[int] = set()
    assert len(info.cut_pts) >= 2
    for number, (start, end) in enumerate(pairwise([None, *info.cut_pts, None])):
        segment = Segment(index=number, video=0, start_pts=start, end_pts=end)
        frames, its = decode(decoder, request_for(path, info, segment, skip_corrupt=True))
        parts += frames
        covered |= {time_ms for time_ms in range(0, 4800, 40) if in_gap(its, time_ms)}
    assert [frame.digest for frame in parts] == [frame.digest for frame in whole]
    assert covered == {time_ms for time_ms in range(0, 4800, 40) if in_gap(report, time_ms)}
    assert report.gaps


# Of the picture that is decoded as the 30th: a packet at its start, in its middle, at its end.
@pytest.mark.parametrize("packet", [0, 1, -1])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_one_lost_packet_costs_what_refers_to_it_and_nothing_before(
    decoder: DecoderProcess, tmp_path: Path, codec: str, packet: int
) -> None:
    sound = write_video(tmp_path / "sound.ts", replace(LOSSY[codec], frames=75, size=(192, 112)))
    info = decoder.probe(sound, "sound")
    true, _ = skipped(decoder, sound, info)
    path = tmp_path / "lossy.ts"
    path.write_bytes(damaged.without_packet(sound.read_bytes(), 30, packet))
    frames, report = skipped(decoder, path, info)
    (gap,) = report.gaps
    assert 1000 < gap.start_ms <= 1240
    assert gap.end_ms == 2000
    assert [frame.digest for frame in frames] == [
        frame.digest for frame in true if not gap.start_ms <= frame.time_ms < gap.end_ms
    ]
    assert refusal(decoder, path, info) == gap.start_ms


def test_a_damaged_keyframe_begins_a_gap(decoder: DecoderProcess, tmp_path: Path) -> None:
    sound = write_video(tmp_path / "sound.ts", replace(LOSSY["h264"], frames=75, size=(192, 112)))
    info = decoder.probe(sound, "sound")
    path = tmp_path / "lossy.ts"
    path.write_bytes(damaged.without_packet(sound.read_bytes(), 25, 2))
    frames, report = skipped(decoder, path, info)
    # The pictures that lead the keyframe refer to it.
    assert [(gap.start_ms <= 1000, gap.end_ms) for gap in report.gaps] == [(True, 2000)]
    assert not [frame for frame in frames if 1000 <= frame.time_ms < 2000]


def test_of_a_video_whose_only_keyframe_is_damaged_nothing_counts(decoder: DecoderProcess, tmp_path: Path) -> None:
    sound = write_video(tmp_path / "sound.ts", replace(LOSSY["h264"], frames=30, gop=60, size=(192, 112)))
    path = tmp_path / "lossy.ts"
    path.write_bytes(damaged.without_packet(sound.read_bytes(), 0, 3))
    info = decoder.probe(path, "lossy")
    frames, report = skipped(decoder, path, info)
    assert frames == []
    assert [(gap.start_ms, gap.end_ms) for gap in report.gaps] == [(0, 1200)]
    assert refusal(decoder, path, info) == 0


JOINED = [("h264", 188), ("hevc", 188), ("mpeg2", 188), ("h264", 192)]


@pytest.mark.parametrize(("codec", "packet_bytes"), JOINED)
def test_counters_that_jump_between_two_complete_pictures_are_no_loss(
    decoder: DecoderProcess, tmp_path: Path, codec: str, packet_bytes: int
) -> None:
    sound = write_video(tmp_path / "sound.ts", replace(LOSSY[codec], frames=75, gop=25))
    data = damaged.recounted(sound.read_bytes(), {25: 5, 50: 9})
    path = tmp_path / "joined.ts"
    path.write_bytes(damaged.in_blu_ray_packets(data) if packet_bytes == 192 else data)
    true, _ = decode(decoder, request_for(sound, decoder.probe(sound, "sound")))
    for skip_corrupt in (False, True):
        info = decoder.probe(path, "joined")
        frames, report = decode(decoder, request_for(path, info, skip_corrupt=skip_corrupt))
        assert ([frame.digest[1] for frame in frames], report.gaps) == ([frame.digest[1] for frame in true], ())


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize(("codec", "place"), [("hevc", "front"), ("hevc", "end"), ("h264", "front")])
def test_a_broken_message_is_no_damaged_picture(
    decoder: DecoderProcess, tmp_path: Path, codec: str, place: str, suffix: str
) -> None:
    sound = write_video(tmp_path / "sound.mp4", replace(LOSSY[codec], frames=30))
    true, _ = decode(decoder, request_for(sound, decoder.probe(sound, "sound")))
    unit = damaged.MESSAGE_UNITS[codec] if place == "front" else damaged.LATE_MESSAGE_UNIT
    path = damaged.with_units(sound, tmp_path / f"odd{suffix}", unit, is_late=place == "end")
    for skip_corrupt in (False, True):
        frames, report = decode(decoder, request_for(path, decoder.probe(path, "odd"), skip_corrupt=skip_corrupt))
        assert report.gaps == ()
        assert [frame.time_ms for frame in frames] == [frame.time_ms for frame in true]
        assert [frame.digest[1] for frame in frames] == [frame.digest[1] for frame in true]


@pytest.mark.parametrize("flips_seed", range(3))
def test_skip_and_fail_agree_on_flipped_bits(decoder: DecoderProcess, tmp_path: Path, flips_seed: int) -> None:
    data = bad.sound_bytes(tmp_path, ".mkv", replace(bad.SOUND, frames=75, gop=25))
    path = bad.flipped(tmp_path / "flipped.mkv", data, first=0.3, last=0.7, flips=3, seed=flips_seed)
    info = decoder.probe(path, "flipped")
    _, report = skipped(decoder, path, info)
    assert refusal(decoder, path, info) == (report.gaps[0].start_ms if report.gaps else None)
