"""What only looks encrypted is decoded; what declares too much costs nothing; neither is asked twice."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import psutil
import pytest

from support import forged_videos as forged
from support import protected_videos as protected
from support.damaged_streams import in_blu_ray_packets
from support.decoding import decode, decode_all, request_for
from support.refused_videos import Maker
from support.videos import Spec, write_video
from videojob.errors import DecoderCrashed, DecodeTimeout, InputContainerInvalid, InputCorrupt, InputEncrypted
from videojob.media.parent.decoder import DecoderProcess
from videojob.ports.inputs import FetchedInput
from videojob.video.info import Sampling
from videojob.video.segments import cut
from videojob.worker.steps.probing import probe_patiently

CLEAR: list[tuple[str, Maker, int]] = [
    ("marked.mp4", protected.marked_but_clear, 60),
    ("signed.mkv", lambda path: protected.matroska_encryption(path, algorithm=0), 30),
    ("keys_came_late.ts", lambda path: protected.scrambled(path, 0, 0.3, Spec(frames=250)), 152),
]


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=20)
    yield process
    process.close()


@pytest.mark.parametrize(("name", "make", "pictures"), CLEAR, ids=[name for name, _, _ in CLEAR])
def test_what_only_looks_encrypted_is_decoded(
    decoder: DecoderProcess, tmp_path: Path, name: str, make: Maker, pictures: int
) -> None:
    path = tmp_path / name
    make(path)
    frames, _ = decode(decoder, request_for(path, decoder.probe(path, name)))
    assert len(frames) >= pictures


@pytest.mark.parametrize(("first", "last"), [(0.0, 0.3), (0.4, 0.6), (0.8, 1.0)])
def test_a_stretch_that_is_scrambled_is_told_of(
    decoder: DecoderProcess, tmp_path: Path, first: float, last: float
) -> None:
    path = protected.scrambled(tmp_path / "pay.ts", first, last, Spec(frames=100))
    notices = decoder.probe(path, "pay.ts").notices
    assert [words for words in notices if words.startswith("parts of it are scrambled")]


SCRAMBLED = Spec(frames=100, options={"x264-params": "bframes=2:b-adapt=0"})


@pytest.mark.parametrize("packet_bytes", [188, 192])
@pytest.mark.parametrize(("first", "last"), [(0.33, 0.66), (0.4, 0.45), (0.8, 1.0)])
def test_a_stretch_that_is_scrambled_is_a_gap(
    decoder: DecoderProcess, tmp_path: Path, first: float, last: float, packet_bytes: int
) -> None:
    clear = write_video(tmp_path / "clear.ts", SCRAMBLED)
    true, _ = decode(decoder, request_for(clear, decoder.probe(clear, "clear")))
    path = protected.scrambled(tmp_path / "pay.ts", first, last, SCRAMBLED)
    if packet_bytes == 192:
        path.write_bytes(in_blu_ray_packets(path.read_bytes()))
    info = decoder.probe(path, "pay", cut_every_ms=500)
    frames, report = decode(decoder, request_for(path, info, skip_corrupt=True))
    (gap,) = report.gaps
    assert "scrambled" in gap.reason
    kept = {frame.time_ms for frame in frames}
    assert [frame.digest for frame in frames] == [frame.digest for frame in true if frame.time_ms in kept]
    lost = [frame.time_ms for frame in true if frame.time_ms not in kept]
    # The clock in the packets' heads tells the end of what no picture follows, but for the last picture or two.
    end_ms = gap.end_ms if last < 1 else gap.end_ms + 80
    assert (gap.start_ms <= lost[0], lost[-1] < end_ms) == (True, True)
    with pytest.raises(InputCorrupt, match="scrambled") as refusal:
        decode(decoder, request_for(path, info))
    assert refusal.value.time_ms == gap.start_ms
    again = decode_all(decoder, path, info, cut([info], target_ms=700), skip_corrupt=True)
    assert [frame.digest for frame in again] == [frame.digest for frame in frames]


def test_a_scrambled_stretch_of_which_no_frame_is_asked_for_is_a_gap_too(
    decoder: DecoderProcess, tmp_path: Path
) -> None:
    path = protected.scrambled(tmp_path / "pay.ts", 0.33, 0.66, SCRAMBLED)
    info = decoder.probe(path, "pay")
    sampling = Sampling(frames_per_second=Fraction(1, 3))
    _, report = decode(decoder, request_for(path, info, sampling=sampling, skip_corrupt=True))
    assert [gap.start_ms < 1500 and gap.end_ms >= 2400 for gap in report.gaps] == [True]


def test_marks_that_a_receiver_left_are_no_gap(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = protected.marked_but_descrambled(tmp_path / "marked.ts", 0.3, 0.7, SCRAMBLED)
    frames, report = decode(decoder, request_for(path, decoder.probe(path, "marked")))
    assert (len(frames), report.gaps) == (100, ())


def test_nothing_is_told_of_a_clear_transport_stream(decoder: DecoderProcess, tmp_path: Path) -> None:
    assert decoder.probe(write_video(tmp_path / "clear.ts"), "clear.ts").notices == ()


SCHEMES: list[tuple[str, Maker, str]] = [
    ("cenc.mp4", protected.common_encryption, "MP4 protection, scheme cenc"),
    ("aes.mkv", protected.matroska_encryption, "Matroska ContentEncryption, AES"),
    ("pay.ts", protected.scrambled, "transport_scrambling_control"),
    ("hls.ts", protected.sample_aes, "SAMPLE-AES"),
]


@pytest.mark.parametrize(("name", "make", "scheme"), SCHEMES, ids=[name for name, _, _ in SCHEMES])
def test_the_scheme_is_named(decoder: DecoderProcess, tmp_path: Path, name: str, make: Maker, scheme: str) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(InputEncrypted, match=scheme):
        decoder.probe(path, name)


def test_samples_that_only_the_header_has_take_no_memory(tmp_path: Path) -> None:
    path = forged.samples_of_one_size(tmp_path / "small.mp4")
    # What a decoder needs for itself is less; for the samples it would need 1.9 GB.
    process = DecoderProcess(heap_bytes=512 << 20)
    try:
        with pytest.raises(InputContainerInvalid, match="80000000 samples in its stsz table"):
            process.probe(path, "small.mp4")
        assert process.pid is not None
        assert psutil.Process(process.pid).memory_info().rss < 200 << 20
    finally:
        process.close()


@pytest.mark.parametrize(("lives", "looks"), [(True, 1), (False, 2)])
def test_a_verdict_is_asked_for_once_and_a_crash_twice(tmp_path: Path, *, lives: bool, looks: int) -> None:
    class Decoder(DecoderProcess):
        asked = 0

        @property
        def pid(self) -> int | None:
            return 1 if lives else None

        def probe(self, *_args: object, **_named: object) -> None:  # type: ignore[override]
            self.asked += 1
            raise DecoderCrashed("decoding needs more than 3072 MiB of memory")

    decoder = Decoder()
    path = write_video(tmp_path / "clip.mp4", Spec(frames=2))
    with pytest.raises((DecoderCrashed, DecodeTimeout)):
        probe_patiently(decoder, FetchedInput("clip.mp4", path, ""), 30_000)
    assert decoder.asked == looks
