"""Files that are several files: all pictures, times that run on, and a gap for what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest

from support.bad_videos import joined_without_care
from support.decoding import Decoded, decode, decode_all, request_for
from support.joined_videos import joined, numbered_from, on_pid
from support.paging import paged
from support.videos import Spec, picture_number, write_video
from videojob.errors import InputCorrupt
from videojob.media.parent.decoder import DecoderProcess
from videojob.video.info import Sampling
from videojob.video.segments import cut

CLIP = Spec(frames=40)
LIVE = replace(CLIP, mux_options={"live": "1"})
FRAGMENTED = replace(CLIP, mux_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
B_FRAMES = {"x264-params": "bframes=2:b-adapt=0"}
MJPEG = Spec(frames=40, codec="mjpeg", pixel_format="yuvj420p", time_base=Fraction(1, 25))
HEVC = replace(CLIP, codec="libx265", options={"x265-params": "log-level=none:pools=none"})

JOINED = [
    ("sized.mkv", (CLIP, CLIP, CLIP)),
    ("short.mkv", (Spec(frames=10),) * 5),
    ("codecs.mkv", (CLIP, HEVC, replace(CLIP, options=B_FRAMES))),
    ("live.mkv", (LIVE, LIVE, LIVE)),
    ("live_then_sized.mkv", (LIVE, CLIP)),
    ("plain.mp4", (CLIP, replace(CLIP, options=B_FRAMES, time_base=Fraction(1, 90_000)))),
    ("fragmented.mp4", (FRAGMENTED, FRAGMENTED, FRAGMENTED)),
    ("flash.flv", (CLIP, CLIP, CLIP)),
    ("mjpeg.avi", (MJPEG, MJPEG)),
    ("codecs.avi", (MJPEG, Spec(frames=40, codec="mpeg4", time_base=Fraction(1, 25)))),
]
PID_CHANGES = [
    ("goes_on.ts", (on_pid(256, CLIP), on_pid(400, CLIP, 2))),
    ("other_codec.ts", (on_pid(256, CLIP), on_pid(400, HEVC))),
    ("and_back.ts", (on_pid(256, CLIP), on_pid(400, CLIP), on_pid(256, CLIP, 4))),
    ("and_back_in_time.ts", (on_pid(256, CLIP), on_pid(400, CLIP, 2), on_pid(256, CLIP, 4))),
]


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


def numbers(frames: Sequence[Decoded]) -> list[int]:
    return [picture_number(frame.pixels) for frame in frames if frame.pixels is not None]


@pytest.mark.parametrize(("name", "specs"), JOINED, ids=[name for name, _ in JOINED])
def test_every_document_of_a_joined_file_is_read(
    decoder: DecoderProcess, tmp_path: Path, name: str, specs: Sequence[Spec]
) -> None:
    path = joined(tmp_path / name, *specs)
    info = decoder.probe(path, name, cut_every_ms=500)
    frames, report = decode(decoder, request_for(path, info))
    total = sum(spec.frames for spec in specs)
    assert numbers(frames) == list(range(total))
    # To a millisecond: containers round.
    assert [round(frame.time_ms / 40) for frame in frames] == list(range(total))
    assert report.gaps == ()
    segments = cut([info], target_ms=700)
    assert [frame.digest for frame in decode_all(decoder, path, info, segments)] == [frame.digest for frame in frames]


@pytest.mark.parametrize(("name", "specs"), PID_CHANGES, ids=[name for name, _ in PID_CHANGES])
def test_video_that_goes_on_in_another_stream_is_followed(
    decoder: DecoderProcess, tmp_path: Path, name: str, specs: Sequence[Spec]
) -> None:
    firsts = accumulate((spec.frames for spec in specs[:-1]), initial=0)
    numbered = [numbered_from(first, spec) for first, spec in zip(firsts, specs, strict=True)]
    path = joined_without_care(tmp_path / name, *numbered)
    info = decoder.probe(path, name, cut_every_ms=500)
    # Where the first stream comes back, the demuxer believes that packets of it are lost: then one gap is allowed.
    comes_back = len(specs) > len({spec.mux_options["mpegts_start_pid"] for spec in specs})
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=comes_back))
    total = sum(spec.frames for spec in specs)
    assert numbers(frames) == [number for number in range(total) if number in set(numbers(frames))]
    assert len(frames) == total or (comes_back and len(report.gaps) == 1 and len(frames) >= total - 10)
    again = decode_all(decoder, path, info, cut([info], target_ms=700), skip_corrupt=comes_back)
    assert [frame.digest for frame in again] == [frame.digest for frame in frames]


BROKEN = [
    ("plain.mp4", CLIP, 0.6, "moov"),
    ("sized.mkv", CLIP, 0.02, "cannot be read"),
    ("flash.flv", CLIP, 0.005, "cannot be read"),
]


@pytest.mark.parametrize(("name", "spec", "share", "words"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_a_document_that_cannot_be_read_is_a_gap_at_the_end(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec, share: float, words: str
) -> None:
    whole = write_video(tmp_path / name, spec).read_bytes()
    path = tmp_path / f"broken_{name}"
    path.write_bytes(whole + whole[: int(len(whole) * share)])
    info = decoder.probe(path, name)
    with pytest.raises(InputCorrupt, match=words):
        decode(decoder, request_for(path, info))
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    assert numbers(frames) == list(range(40))
    (gap,) = report.gaps
    assert words in gap.reason
    assert (gap.start_ms, gap.end_ms) >= (1600, 1601)


def test_what_stands_behind_a_whole_file_and_is_no_video_is_no_damage(decoder: DecoderProcess, tmp_path: Path) -> None:
    for suffix in (".mkv", ".mp4", ".flv", ".avi"):
        path = write_video(tmp_path / f"padded{suffix}", MJPEG if suffix == ".avi" else CLIP)
        path.write_bytes(path.read_bytes() + bytes(3000))
        frames, report = decode(decoder, request_for(path, decoder.probe(path, suffix)))
        assert (len(frames), report.gaps) == (40, ())


def test_a_joined_file_that_comes_block_by_block_is_the_same(decoder: DecoderProcess, tmp_path: Path) -> None:
    for name, specs in (JOINED[0], ("plain.mp4", (CLIP, CLIP))):
        path = joined(tmp_path / name, *specs)
        info = decoder.probe(path, name)
        frames, _ = decode(decoder, request_for(path, info))
        with paged(path, tmp_path) as pages:
            assert decoder.probe(pages.path, name, pages=pages) == info
            again, report = decode(decoder, request_for(pages.path, info, pages=pages))
        assert [frame.digest for frame in again] == [frame.digest for frame in frames]
        assert report.gaps == ()


@pytest.mark.parametrize("sampling", [Sampling(frames_per_second=Fraction(5)), Sampling(keyframes_only=True)])
def test_sampling_goes_on_in_the_next_document(decoder: DecoderProcess, tmp_path: Path, sampling: Sampling) -> None:
    path = joined(tmp_path / "sampled.mkv", CLIP, CLIP)
    frames, _ = decode(decoder, request_for(path, decoder.probe(path, "sampled"), sampling=sampling))
    step = 10 if sampling.keyframes_only else 5
    assert numbers(frames) == list(range(0, 80, step))


def test_whole_fragments_before_one_whose_head_is_cut_off_are_read(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "cut_off.mp4", FRAGMENTED)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moof") + 20])
    info = decoder.probe(path, "cut_off")
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    assert numbers(frames) == list(range(30))
    (gap,) = report.gaps
    assert (gap.start_ms, gap.reason) == (1200, "the file ends before its container does")
    with pytest.raises(InputCorrupt, match="ends before its container does"):
        decode(decoder, request_for(path, info))
