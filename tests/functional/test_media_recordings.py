"""Recordings that begin late, and recordings whose clock starts again: nothing is lost and nothing goes back."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from support import bad_videos as bad
from support.decoding import decode, request_for
from support.videos import Spec, picture_number, write_video
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.info import Gate, Sampling


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3])
@pytest.mark.parametrize(
    "spec",
    [
        Spec(frames=120, gop=20),
        Spec(frames=120, gop=20, options={"x264-params": "open-gop=1:bframes=3:b-adapt=0"}),
        Spec(frames=120, codec="libx265", options={"x265-params": "keyint=10:open-gop=1:log-level=none:pools=none"}),
        Spec(frames=120, codec="mpeg2video", options={"bf": "2"}, time_base=Fraction(1, 25)),
    ],
    ids=["h264", "h264-open", "hevc-open", "mpeg2"],
)
def test_what_a_recording_lacks_before_its_first_keyframe_is_no_damage(
    decoder: DecoderProcess, tmp_path: Path, share: float, spec: Spec
) -> None:
    path = bad.begun_late(tmp_path / "late.ts", spec, share)
    info = decoder.probe(path, "late")
    frames, report = decode(decoder, request_for(path, info))
    assert frames[0].time_ms == 0
    numbers = [picture_number(frame.pixels) for frame in frames if frame.pixels is not None]
    assert numbers == list(range(numbers[0], 120))
    assert report.gaps == ()
    assert len(frames) == len(numbers) >= 60


def test_a_recording_may_begin_long_before_its_first_keyframe(decoder: DecoderProcess, tmp_path: Path) -> None:
    spec = Spec(frames=1260, gop=600, size=(64, 48), options={"preset": "ultrafast", "x264-params": "scenecut=0"})
    path = bad.begun_late(tmp_path / "late.ts", spec, 0.02)
    info = decoder.probe(path, "late")
    frames, report = decode(decoder, request_for(path, info))
    assert (len(frames), report.gaps) == (660, ())


JOINS = [
    (Spec(frames=75), Spec(frames=75)),
    (Spec(frames=100), Spec(frames=15)),
    (Spec(frames=15), Spec(frames=100)),
    (Spec(frames=40, options=bad.SOUND.options), Spec(frames=40), Spec(frames=40, options=bad.SOUND.options)),
]


@pytest.mark.parametrize("specs", JOINS)
def test_a_clock_that_starts_again_goes_on_and_no_picture_is_lost(
    decoder: DecoderProcess, tmp_path: Path, specs: tuple[Spec, ...]
) -> None:
    path = bad.joined_without_care(tmp_path / "joined.ts", *specs)
    info = decoder.probe(path, "joined", cut_every_ms=400)
    total = sum(spec.frames for spec in specs)

    frames, report = decode(decoder, request_for(path, info))
    assert (len(frames), report.gaps) == (total, ())
    times = [frame.time_ms for frame in frames]
    assert all(0 < after - before <= 200 for before, after in pairwise(times))

    per_second = decode(decoder, request_for(path, info, sampling=Sampling(frames_per_second=Fraction(5))))[0]
    assert [frame.pts for frame in per_second] == [
        frame.pts for before, frame in zip([-1, *times], frames, strict=False) if before // 200 < frame.time_ms // 200
    ]
    gated = decode(decoder, request_for(path, info, sampling=Sampling(gate=Gate(255.0, 400))))[0]
    passed = [frame.time_ms for frame in gated if frame.pixels is not None]
    assert all(400 <= after - before <= 600 for before, after in pairwise(passed))
    assert passed[-1] > times[-1] - 600


def test_counters_that_start_again_with_the_clock_are_no_loss(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = bad.joined_without_care(tmp_path / "joined.ts", Spec(frames=75), Spec(frames=75), is_counted=False)
    info = decoder.probe(path, "joined")
    for skip_corrupt in (False, True):
        frames, report = decode(decoder, request_for(path, info, skip_corrupt=skip_corrupt))
        times = [frame.time_ms for frame in frames]
        assert times == sorted(set(times))
        assert (len(frames), report.gaps) == (150, ())


HOURS_20_S = 72_000
YEARS_40_S = 40 * 365 * 86_400


@pytest.mark.parametrize(
    ("name", "jump_s", "ticks_per_s"),
    [
        ("jump.mkv", HOURS_20_S, 1000),
        ("jump.mkv", YEARS_40_S, 1000),
        ("jump.mp4", HOURS_20_S, 1000),
        ("jump.flv", HOURS_20_S, 1000),
    ],
)
def test_a_clock_that_jumps_ahead_loses_no_picture_and_leaves_a_rate_over_0(
    decoder: DecoderProcess, tmp_path: Path, name: str, jump_s: int, ticks_per_s: int
) -> None:
    seconds = [Fraction(number, 25) + (jump_s if number >= 20 else 0) for number in range(50)]
    spec = Spec(frames=50, time_base=Fraction(1, ticks_per_s), pts=lambda number: int(seconds[number] * ticks_per_s))
    info = decoder.probe(write_video(tmp_path / name, spec), name)
    assert info.frame_rate
    frames, report = decode(decoder, request_for(tmp_path / name, info))
    assert [frame.time_ms for frame in frames] == [int(second * 1000) for second in seconds]
    assert report.gaps == ()
