"""What was recorded reaches the end of the file, or a gap says what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from support import broken_ends as broken
from support.bad_videos import joined_without_care
from support.decoding import Decoded, decode, decode_all, request_for
from support.joined_videos import joined, numbered_from, on_pid, overlapping, with_streams
from support.videos import Spec, picture_number, write_video
from videojob.errors import InputCorrupt
from videojob.media.parent.decoder import DecoderProcess
from videojob.media.protocol.messages import DecodeReport
from videojob.video.info import Sampling
from videojob.video.segments import cut

FRAGMENTED = Spec(frames=60, mux_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
B_FRAMES = replace(FRAGMENTED, options={"x264-params": "bframes=2:b-adapt=0"})
CLIP = Spec(frames=40)


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=20)
    yield process
    process.close()


def numbers(frames: Sequence[Decoded]) -> list[int]:
    return [picture_number(frame.pixels) for frame in frames if frame.pixels is not None]


def in_gap(report: DecodeReport, time_ms: int) -> bool:
    return any(gap.start_ms <= time_ms < gap.end_ms for gap in report.gaps)


FRAGMENTS = [
    (broken.last_media_cut, 50),
    (broken.last_media_short, 50),
    (broken.last_media_gone, 50),
    (broken.last_media_empty, 50),
    (broken.head_zeroed, 30),
    (broken.head_unknown, 48),
    (broken.junk_between, 30),
    (broken.media_too_long, 30),
]


@pytest.mark.parametrize("spec", [FRAGMENTED, B_FRAMES], ids=["usual", "two_b_frames"])
@pytest.mark.parametrize(("damage", "at_least"), FRAGMENTS, ids=[damage.__name__ for damage, _ in FRAGMENTS])
def test_what_of_fragments_cannot_be_read_is_a_gap(
    decoder: DecoderProcess, tmp_path: Path, spec: Spec, damage: broken.Damage, at_least: int
) -> None:
    sound = write_video(tmp_path / "sound.mp4", spec)
    true, _ = decode(decoder, request_for(sound, decoder.probe(sound, "sound")))
    assert len(true) == 60
    path = tmp_path / "damaged.mp4"
    path.write_bytes(damage(sound.read_bytes()))
    info = decoder.probe(path, "damaged")
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    assert at_least <= len(frames) < 60
    kept = {frame.time_ms for frame in frames}
    assert [frame.digest for frame in frames] == [frame.digest for frame in true if frame.time_ms in kept]
    assert not [frame.time_ms for frame in true if frame.time_ms not in kept and not in_gap(report, frame.time_ms)]
    with pytest.raises(InputCorrupt) as refusal:
        decode(decoder, request_for(path, info))
    assert refusal.value.time_ms == report.gaps[0].start_ms


LIVE = replace(CLIP, mux_options={"live": "1"})
FAST = replace(CLIP, mux_options={"movflags": "faststart"})
MJPEG = Spec(frames=40, codec="mjpeg", pixel_format="yuvj420p")
DOCUMENTS = [
    ("sized.mkv", CLIP, broken.tail_zeroed),
    ("sized.mkv", CLIP, broken.headless),
    ("live.mkv", LIVE, broken.tail_zeroed),
    ("plain.mp4", CLIP, broken.cut_at(0.6)),
    ("plain.mp4", CLIP, broken.headless),
    ("fast.mp4", FAST, broken.tail_zeroed),
    ("fast.mp4", FAST, broken.headless),
    ("fragmented.mp4", replace(FRAGMENTED, frames=40), broken.tail_zeroed),
    ("fragmented.mp4", replace(FRAGMENTED, frames=40), broken.headless),
    ("flash.flv", CLIP, broken.tail_zeroed),
    ("flash.flv", CLIP, broken.headless),
    ("mjpeg.avi", MJPEG, broken.tail_random),
]


@pytest.mark.parametrize(("name", "spec", "damage"), DOCUMENTS)
def test_documents_behind_one_that_cannot_be_read_to_its_end_are_read(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec, damage: broken.Damage
) -> None:
    joined(tmp_path / name, spec, spec, spec)
    pieces = [(tmp_path / f"{number}_{name}").read_bytes() for number in range(3)]
    path = tmp_path / f"broken_{name}"
    path.write_bytes(pieces[0] + damage(pieces[1]) + pieces[2])
    info = decoder.probe(path, name)
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    found = numbers(frames)
    lost = sorted(set(range(120)) - set(found))
    # Where a document has no end, what its last pictures refer to may count as lost, too.
    assert 38 <= lost[0] <= lost[-1] < 80
    assert found == [number for number in range(120) if not lost[0] <= number <= lost[-1]]
    times = [frame.time_ms for frame in frames]
    assert times == sorted(set(times))
    (gap,) = report.gaps
    assert not [time for time in times if in_gap(report, time)]
    assert times[lost[0] - 1] < gap.start_ms < gap.end_ms <= times[lost[0]]
    with pytest.raises(InputCorrupt):
        decode(decoder, request_for(path, info))


@pytest.mark.parametrize("name", ["sized.mkv", "fast.mp4"])
def test_a_last_document_without_a_head_is_a_gap_at_the_end(decoder: DecoderProcess, tmp_path: Path, name: str) -> None:
    whole = write_video(tmp_path / name, FAST if name == "fast.mp4" else CLIP).read_bytes()
    path = tmp_path / f"broken_{name}"
    path.write_bytes(whole + broken.headless(whole))
    frames, report = decode(decoder, request_for(path, decoder.probe(path, name), skip_corrupt=True))
    assert numbers(frames) == list(range(40))
    assert [gap.start_ms for gap in report.gaps] == [1600]


@pytest.mark.parametrize(("name", "spec"), [("sized.mkv", CLIP), ("fast.mp4", FAST)])
def test_a_gap_within_a_document_is_as_long_as_its_header_says(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec
) -> None:
    joined(tmp_path / name, spec, spec, spec)
    pieces = [(tmp_path / f"{number}_{name}").read_bytes() for number in range(3)]
    path = tmp_path / f"broken_{name}"
    path.write_bytes(pieces[0] + broken.tail_zeroed(pieces[1]) + pieces[2])
    frames, report = decode(decoder, request_for(path, decoder.probe(path, name), skip_corrupt=True))
    assert [round(frame.time_ms / 40) for frame in frames] == numbers(frames)
    assert [round(gap.end_ms / 40) for gap in report.gaps] == [80]


VP8_IN_OGG = Spec(codec="libvpx", frames=60, options={"deadline": "realtime"})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (broken.last_page_cut, "ends within a page"),
        (broken.last_page_head_cut, "ends within a page"),
        (broken.page_gone, "pages are missing"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_an_ogg_that_lost_pages_or_ends_within_one_has_a_gap(
    decoder: DecoderProcess, tmp_path: Path, damage: broken.Damage, reason: str
) -> None:
    path = tmp_path / "damaged.ogv"
    path.write_bytes(damage(write_video(tmp_path / "sound.ogv", VP8_IN_OGG).read_bytes()))
    info = decoder.probe(path, "damaged")
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    assert numbers(frames)[:58] == list(range(58))
    (gap,) = report.gaps
    assert reason in gap.reason
    assert gap.start_ms > frames[57].time_ms
    with pytest.raises(InputCorrupt, match=reason):
        decode(decoder, request_for(path, info))


@pytest.mark.parametrize("count", [1, 3])
def test_an_ogg_whose_last_pages_are_lost_to_the_byte_has_a_notice(
    decoder: DecoderProcess, tmp_path: Path, count: int
) -> None:
    path = tmp_path / "damaged.ogv"
    path.write_bytes(broken.without_pages(count)(write_video(tmp_path / "sound.ogv", VP8_IN_OGG).read_bytes()))
    info = decoder.probe(path, "damaged")
    assert [words for words in info.notices if "not marked as the end" in words]
    frames, report = decode(decoder, request_for(path, info))
    assert (len(frames), report.gaps) == (60 - count, ())


def test_a_whole_ogg_has_neither_gap_nor_notice_nor_have_two_that_are_joined(
    decoder: DecoderProcess, tmp_path: Path
) -> None:
    whole = write_video(tmp_path / "whole.ogv", VP8_IN_OGG).read_bytes()
    for name, data, count in (("one", whole, 60), ("two", whole + whole, 120), ("padded", whole + bytes(3000), 60)):
        path = tmp_path / f"{name}.ogv"
        path.write_bytes(data)
        info = decoder.probe(path, name)
        frames, report = decode(decoder, request_for(path, info))
        assert numbers(frames) == list(range(60)) * (count // 60)
        assert (report.gaps, info.notices) == ((), ())
        times = [frame.pts for frame in frames]
        assert times == sorted(set(times))


@pytest.mark.parametrize("change_at", [30, 40, 50], ids=["as_the_other_begins", "meanwhile", "as_the_first_ends"])
def test_of_two_streams_that_overlap_where_one_follows_the_other_every_frame_comes_once(
    decoder: DecoderProcess, tmp_path: Path, change_at: int
) -> None:
    path = overlapping(tmp_path / "overlap.ts", change_at)
    info = decoder.probe(path, "overlap", cut_every_ms=500)
    frames, report = decode(decoder, request_for(path, info))
    assert numbers(frames) == list(range(80))
    assert [frame.time_ms for frame in frames] == list(range(0, 3200, 40))
    assert report.gaps == ()
    again = decode_all(decoder, path, info, cut([info], target_ms=700))
    assert [frame.digest for frame in again] == [frame.digest for frame in frames]


@pytest.mark.parametrize("sampling", [Sampling(frames_per_second=Fraction(5)), Sampling(keyframes_only=True)])
def test_sampling_takes_no_frame_of_an_overlap_twice(
    decoder: DecoderProcess, tmp_path: Path, sampling: Sampling
) -> None:
    path = overlapping(tmp_path / "overlap.ts", 40)
    frames, _ = decode(decoder, request_for(path, decoder.probe(path, "overlap"), sampling=sampling))
    assert numbers(frames) == list(range(0, 80, 10 if sampling.keyframes_only else 5))


def test_of_two_streams_that_overlap_by_clocks_of_their_own_what_has_no_keyframe_is_a_gap(
    decoder: DecoderProcess, tmp_path: Path
) -> None:
    path = overlapping(tmp_path / "overlap.ts", 40, other_begins_s=3600)
    frames, report = decode(decoder, request_for(path, decoder.probe(path, "overlap"), skip_corrupt=True))
    # Its next keyframe behind the end of the first stream.
    assert numbers(frames) == [*range(50), *range(numbers(frames)[50], 80)]
    assert 50 <= numbers(frames)[50] <= 60
    assert [frame.time_ms for frame in frames] == sorted({frame.time_ms for frame in frames})
    (gap,) = report.gaps
    assert frames[49].time_ms < gap.start_ms < gap.end_ms <= frames[50].time_ms


def test_a_stream_that_the_programme_does_not_list_in_the_place_of_its_video_is_none_of_it(
    decoder: DecoderProcess, tmp_path: Path
) -> None:
    path = overlapping(tmp_path / "overlap.ts", 100)
    frames, report = decode(decoder, request_for(path, decoder.probe(path, "overlap")))
    assert (numbers(frames), report.gaps) == (list(range(50)), ())


@pytest.mark.parametrize("own_clock", [False, True], ids=["same_clock", "own_clock"])
@pytest.mark.parametrize("inserted", [3, 10, 25])
def test_a_short_insert_in_another_stream_is_read(
    decoder: DecoderProcess, tmp_path: Path, inserted: int, *, own_clock: bool
) -> None:
    def piece(pid: int, first: int, frames: int, begins_at: int) -> Spec:
        spec = replace(on_pid(pid, Spec(frames=frames)), pts=lambda number: (number + begins_at) * 512)
        return numbered_from(first, spec)

    path = joined_without_care(
        tmp_path / "insert.ts",
        piece(256, 0, 40, 25),
        piece(400, 40, inserted, 25 if own_clock else 65),
        piece(256, 40 + inserted, 40, 65 + inserted),
    )
    total = 80 + inserted
    frames, report = decode(decoder, request_for(path, decoder.probe(path, "insert")))
    assert numbers(frames) == list(range(total))
    assert [frame.time_ms for frame in frames] == list(range(0, 40 * total, 40))
    assert report.gaps == ()


def test_a_second_camera_is_no_insert(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = with_streams(tmp_path / "two.ts", ("libx264", 50, 0), ("libx264", 80, 500))
    frames, report = decode(decoder, request_for(path, decoder.probe(path, "two")))
    assert (numbers(frames), report.gaps) == (list(range(50)), ())


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("fields", ["tff=1", "bff=1:bframes=2:b-adapt=0"])
def test_interlaced_frames_of_h264_come_once_each(
    decoder: DecoderProcess, tmp_path: Path, suffix: str, fields: str
) -> None:
    # Pairs of macroblocks are coded by fields (MBAFF); no encoder here writes pictures that are single fields (PAFF).
    spec = Spec(frames=50, size=(320, 192), options={"x264-params": f"interlaced=1:{fields}"})
    path = write_video(tmp_path / f"interlaced{suffix}", spec)
    frames, report = decode(decoder, request_for(path, decoder.probe(path, "interlaced")))
    assert (numbers(frames), report.gaps) == (list(range(50)), ())
    assert [frame.time_ms for frame in frames] == list(range(0, 2000, 40))
