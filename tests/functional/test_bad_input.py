"""Each class of bad input gets its named error, takes at most the decoder process down, and leaves the rest alone."""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from support import bad_videos as bad
from support.decoding import decode, request_for, ring_for, same_size
from support.refused_videos import REFUSED, Maker
from support.samples import sample_path
from support.videos import Spec, write_video
from videojob.errors import (
    DecoderCrashed,
    DecodeTimeout,
    InputCorrupt,
    InputError,
    InputNotFound,
    InputNotVideo,
)
from videojob.media.parent.decoder import PROGRESS_TIMEOUT_S, DecoderProcess
from videojob.media.parent.probe import probe


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=20)
    yield process
    process.close()


@pytest.mark.parametrize(("name", "make", "error"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_refuses_what_is_no_video(
    decoder: DecoderProcess, tmp_path: Path, name: str, make: Maker, error: type[InputError]
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError) as caught:
        decoder.probe(path, f"s3://bucket/{name}")
    assert type(caught.value) is error, str(caught.value)
    assert caught.value.uri == f"s3://bucket/{name}"
    assert caught.value.hint
    assert not caught.value.retryable
    assert decoder.pid is not None, "the decoder process died of it"


def test_a_missing_file_is_not_found(decoder: DecoderProcess, tmp_path: Path) -> None:
    with pytest.raises(InputNotFound):
        decoder.probe(tmp_path / "absent.mp4", "absent.mp4")


def test_only_regular_files_are_read(decoder: DecoderProcess, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    link = tmp_path / "link.mp4"
    link.symlink_to(pipe)
    for path in (pipe, link, tmp_path, Path("/dev/zero")):
        with pytest.raises(InputNotVideo, match="not a regular file"):
            decoder.probe(path, str(path))


def test_a_link_to_a_video_is_followed(decoder: DecoderProcess, tmp_path: Path) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(sample_path("carphone.mp4"))
    assert decoder.probe(link, "link").frames_estimate == 120


def test_the_widest_picture_allowed_is_decoded(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", Spec(size=(8192, 16), frames=2, options={"preset": "ultrafast"}))
    frames, _ = decode(decoder, request_for(path, decoder.probe(path, "wide.mp4")))
    assert len(frames) == 2


def test_a_wrong_duration_in_the_header_does_not_matter(decoder: DecoderProcess, tmp_path: Path) -> None:
    data = write_video(tmp_path / "sound.mp4").read_bytes()
    header, _ = bad.box(data, b"moov", b"trak", b"mdia", b"mdhd")
    path = bad.patched(tmp_path / "long.mp4", data, header + 24, struct.pack(">I", 0x7FFFFFFF))
    info = decoder.probe(path, "long.mp4")
    assert (info.duration_ms, info.frames_estimate) == (2400, 60)
    assert len(decode(decoder, request_for(path, info))[0]) == 60


AVI_CLIP = Spec(codec="mpeg4", time_base=Fraction(1, 25))
CUT_SHORT = [
    ("index_first.mp4", bad.faststart()),
    ("fragmented.mp4", Spec(mux_options={"movflags": "frag_keyframe+empty_moov"})),
    ("clip.mkv", None),
    ("clip.avi", AVI_CLIP),
    ("clip.flv", None),
    ("clip.ts", Spec(frames=61)),
]


@pytest.mark.parametrize(("name", "spec"), CUT_SHORT, ids=[name for name, _ in CUT_SHORT])
def test_a_file_cut_short_fails_or_ends_in_a_named_gap(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec | None
) -> None:
    path = bad.cut_short(tmp_path / name, spec, share=0.601)
    info = decoder.probe(path, name)
    with pytest.raises(InputCorrupt) as caught:
        decode(decoder, request_for(path, info))
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))

    assert 20 <= len(frames) < 60
    assert len(report.gaps) == 1
    gap = report.gaps[0]
    assert frames[-1].time_ms < gap.start_ms < gap.end_ms
    assert caught.value.time_ms == gap.start_ms
    assert caught.value.segment == 0


DAMAGED = [
    ("clip.mp4", bad.SOUND),
    ("clip.mkv", bad.SOUND),
    ("clip.ts", bad.SOUND),
    ("clip.flv", bad.SOUND),
    ("mpeg4.mp4", Spec(codec="mpeg4", options={"bf": "1"})),
    ("av1.mp4", Spec(codec="libsvtav1", options={"preset": "12"})),
]


@pytest.mark.parametrize(("name", "spec"), DAMAGED, ids=[name for name, _ in DAMAGED])
def test_a_damaged_stretch_fails_or_becomes_named_gaps(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec
) -> None:
    data = write_video(tmp_path / f"sound_{name}", spec).read_bytes()
    path = bad.flipped(tmp_path / name, data, first=0.45, last=0.55, flips=40, seed=3)
    info = decoder.probe(path, name)
    with pytest.raises(InputCorrupt) as caught:
        decode(decoder, request_for(path, info))
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    again, same_report = decode(decoder, request_for(path, info, skip_corrupt=True))

    assert report.gaps, "damage went unnoticed"
    assert caught.value.time_ms == report.gaps[0].start_ms
    assert len(frames) >= 30
    for gap in report.gaps:
        assert 0 <= gap.start_ms < gap.end_ms
        assert gap.reason
        assert not [frame.time_ms for frame in frames if gap.start_ms <= frame.time_ms < gap.end_ms]
    assert frames[-1].time_ms > report.gaps[-1].start_ms, "decoding did not resume"
    assert [frame.digest for frame in again] == [frame.digest for frame in frames]
    assert same_report.gaps == report.gaps


def test_a_file_that_yields_more_data_than_it_holds_is_stopped(decoder: DecoderProcess) -> None:
    path = sample_path("bigbuckbunny.mp4")
    info = replace(decoder.probe(path, "endless"), size_bytes=1)
    with pytest.raises(DecodeTimeout, match="again and again"):
        decode(decoder, request_for(path, info))


@pytest.mark.parametrize("signal_number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_of_the_decoder_is_named_and_the_next_file_is_decoded(signal_number: signal.Signals) -> None:
    path = sample_path("carphone.mp4")
    decoder = DecoderProcess()
    try:
        info = decoder.probe(path, "carphone")
        with ring_for(same_size(info), slots=2) as ring:
            frames = iter(decoder.open(request_for(path, info), ring))
            next(frames)
            assert decoder.pid is not None
            os.kill(decoder.pid, signal_number)
            with pytest.raises(DecoderCrashed, match=signal_number.name) as caught:
                list(frames)
        # Only the system's want of memory kills like that: the file may be sound.
        assert caught.value.retryable is (signal_number == signal.SIGKILL)
        assert len(decode(decoder, request_for(path, info))[0]) == 120
    finally:
        decoder.close()


def test_a_decoder_without_progress_is_killed_and_replaced() -> None:
    path = sample_path("carphone.mp4")
    decoder = DecoderProcess()
    try:
        info = decoder.probe(path, "carphone")
        stopped = decoder.pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        decoder.progress_timeout_s = 0.5
        with pytest.raises(DecodeTimeout):
            decode(decoder, request_for(path, info))
        decoder.progress_timeout_s = PROGRESS_TIMEOUT_S
        with pytest.raises(ProcessLookupError):
            os.kill(stopped, 0)
        assert len(decode(decoder, request_for(path, info))[0]) == 120
    finally:
        decoder.close()


def test_one_call_probes_one_file() -> None:
    info = probe(sample_path("bikes.mp4"), "bikes.mp4")
    assert (info.codec, info.width, info.height, info.frames_estimate) == ("h264", 640, 272, 250)


SEEDS = [
    ("seed.mp4", Spec(frames=12, gop=4, options=bad.SOUND.options)),
    ("fast.mp4", Spec(frames=12, gop=4, mux_options={"movflags": "faststart"})),
    ("seed.mkv", Spec(frames=12, gop=4)),
    ("seed.ts", Spec(frames=12, gop=4)),
    ("seed.flv", Spec(frames=12, gop=4)),
    ("seed.avi", Spec(codec="mpeg4", frames=12, gop=4, time_base=Fraction(1, 25))),
    ("seed.webm", Spec(codec="libvpx", frames=12, gop=4, options={"deadline": "realtime"})),
    ("hevc.mp4", Spec(codec="libx265", frames=12, gop=4, options={"x265-params": "log-level=none:pools=none"})),
]


@pytest.mark.parametrize(("name", "spec"), SEEDS, ids=[name for name, _ in SEEDS])
def test_any_mutation_ends_in_frames_or_a_named_error(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec
) -> None:
    data = write_video(tmp_path / name, spec).read_bytes()
    outcomes: set[str] = set()
    for number, mutate in enumerate(bad.mutations(data, 60, seed=len(name))):
        path = tmp_path / f"{number}_{name}"
        path.write_bytes(mutate())
        try:
            info = decoder.probe(path, name, cut_every_ms=100)
            decode(decoder, request_for(path, info, skip_corrupt=number % 2 == 0))
            outcomes.add("decoded")
        except InputError as error:
            outcomes.add(error.reason)
        path.unlink()
    assert "decoded" in outcomes
    assert len(outcomes) > 1


@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", {}), ("mpeg4", {"bf": "1"}), ("libx265", {"x265-params": "keyint=20:log-level=none:pools=none"})],
)
def test_a_damaged_beginning_is_damage(
    decoder: DecoderProcess, tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    spec = Spec(codec=codec, frames=60, gop=20, options=options)
    path = bad.without_first_packets(tmp_path / "clip.mkv", spec, 20)
    info = decoder.probe(path, "clip")
    assert info.start_pts == 0
    with pytest.raises(InputCorrupt) as caught:
        decode(decoder, request_for(path, info))
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    assert caught.value.time_ms is not None
    assert caught.value.time_ms <= 800
    assert report.gaps[0].start_ms == 0
    assert frames[0].time_ms >= 800, "the times of what is left are those of the whole video"
    assert frames[-1].time_ms == 59 * 40
