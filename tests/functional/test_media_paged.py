"""A video that is brought block by block gives what the whole file gives, and a stuck decoder is still found out."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support import bad_videos as bad
from support.decoding import decode, request_for, ring_for, same_size
from support.paging import Remote, paged
from support.refused_videos import REFUSED, Maker
from support.samples import sample_path
from support.videos import Spec, write_video
from videojob.errors import DecoderCrashed, DecodeTimeout, InputChanged, InputError, InputUnavailable
from videojob.media.parent.decoder import PROGRESS_TIMEOUT_S, DecoderProcess
from videojob.media.protocol.messages import PagedSource
from videojob.video.segments import cut

LONG = Spec(frames=200, gop=25)
VP8 = replace(LONG, codec="libvpx", options={"deadline": "realtime"})
FORMATS = [
    ("index_last.mp4", replace(LONG, options={"x264-params": "bframes=2"})),
    ("index_first.mp4", replace(LONG, mux_options={"movflags": "faststart"})),
    ("fragmented.mp4", replace(LONG, mux_options={"movflags": "frag_keyframe+empty_moov"})),
    ("clip.mkv", LONG),
    ("clip.webm", VP8),
    ("clip.ogg", VP8),
    ("clip.ts", LONG),
    ("clip.flv", LONG),
    ("clip.avi", replace(LONG, codec="mjpeg", pixel_format="yuvj420p")),
]
"""Each many blocks long, with several cuts."""


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess(progress_timeout_s=20)
    yield process
    process.close()


@pytest.mark.parametrize("blocks", [2, 1000], ids=["room for two blocks", "room for all"])
@pytest.mark.parametrize(("name", "spec"), FORMATS, ids=[name for name, _ in FORMATS])
def test_a_paged_video_gives_what_the_whole_one_gives(
    decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec, blocks: int
) -> None:
    path = write_video(tmp_path / name, spec)
    info = decoder.probe(path, name, cut_every_ms=1000)
    with paged(path, tmp_path, disk_bytes=blocks << 12) as pages:
        assert decoder.probe(pages.path, name, cut_every_ms=1000, pages=pages) == info
        for segment in cut([info], target_ms=2000):
            frames, report = decode(decoder, request_for(path, info, segment))
            again, same_report = decode(decoder, request_for(pages.path, info, segment, pages=pages))
            assert frames
            assert [frame.digest for frame in again] == [frame.digest for frame in frames]
            assert same_report.gaps == report.gaps
            assert same_report.frames_decoded == report.frames_decoded
        # A file system gives room in steps of its own, and takes some for its tables.
        assert pages.path.stat().st_blocks * 512 <= (blocks << 12) + (64 << 10)


@pytest.mark.parametrize(("name", "make", "error"), REFUSED, ids=[name for name, _, _ in REFUSED])
def test_what_is_no_video_gets_the_same_word(
    decoder: DecoderProcess, tmp_path: Path, name: str, make: Maker, error: type[InputError]
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError) as whole:
        decoder.probe(path, name)
    with paged(path, tmp_path) as pages, pytest.raises(InputError) as caught:
        decoder.probe(pages.path, name, pages=pages)
    assert type(caught.value) is error
    assert caught.value.as_dict() == whole.value.as_dict()


@pytest.mark.parametrize("name", ["index_first.mp4", "clip.mkv", "clip.ts", "clip.flv"])
@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_a_file_cut_short_fails_or_ends_in_the_same_gap(
    decoder: DecoderProcess, tmp_path: Path, name: str, *, skip_corrupt: bool
) -> None:
    path = bad.cut_short(tmp_path / name, bad.faststart() if name.endswith("mp4") else None, share=0.601)
    with paged(path, tmp_path) as pages:
        assert outcome(decoder, pages.path, pages, skip_corrupt) == outcome(decoder, path, None, skip_corrupt)


def outcome(decoder: DecoderProcess, path: Path, pages: PagedSource | None, skip_corrupt: bool) -> object:
    """What probing and decoding a whole video come to."""
    try:
        info = decoder.probe(path, "clip", cut_every_ms=100, pages=pages)
        frames, report = decode(decoder, request_for(path, info, pages=pages, skip_corrupt=skip_corrupt))
    except InputError as error:
        return error.as_dict()
    return info, [frame.digest for frame in frames], report.gaps


SEEDS = [
    ("seed.mp4", Spec(frames=12, gop=4, options=bad.SOUND.options)),
    ("seed.mkv", Spec(frames=12, gop=4)),
    ("seed.ts", Spec(frames=12, gop=4)),
]


@pytest.mark.parametrize(("name", "spec"), SEEDS, ids=[name for name, _ in SEEDS])
def test_any_mutation_ends_as_it_does_whole(decoder: DecoderProcess, tmp_path: Path, name: str, spec: Spec) -> None:
    data = write_video(tmp_path / name, spec).read_bytes()
    for number, mutate in enumerate(bad.mutations(data, 30, seed=len(name))):
        path = tmp_path / f"{number}_{name}"
        path.write_bytes(mutate())
        with paged(path, tmp_path, block_bytes=512) as pages:
            found = outcome(decoder, pages.path, pages, number % 2 == 0)
        assert found == outcome(decoder, path, None, number % 2 == 0), f"mutation {number}"


def test_waiting_for_blocks_is_not_taken_for_a_stuck_decoder(tmp_path: Path) -> None:
    path = sample_path("carphone.mp4")
    decoder = DecoderProcess()
    remote = Remote(path)
    pages = remote.pages(tmp_path / "blocks", disk_bytes=1 << 20)
    try:
        info = decoder.probe(pages.path, "carphone", pages=pages)
        decoder.progress_timeout_s = 1.0
        pages.close()
        pages = remote.pages(tmp_path / "blocks")
        remote.gate.clear()
        opening = threading.Timer(2.5, remote.gate.set)
        opening.start()
        frames, report = decode(decoder, request_for(pages.path, info, pages=pages))
        opening.join()
        assert len(frames) == 120
        assert report.busy_s < 2.5, "the wait is none of the decoder's work"
    finally:
        decoder.close()
        pages.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_decoder_that_dies_or_hangs_on_a_paged_video_is_named(tmp_path: Path, number: signal.Signals) -> None:
    path = sample_path("carphone.mp4")
    decoder = DecoderProcess(progress_timeout_s=1.0)
    error = {signal.SIGKILL: DecoderCrashed, signal.SIGSTOP: DecodeTimeout}[number]
    try:
        with paged(path, tmp_path) as pages:
            info = decoder.probe(pages.path, "carphone", pages=pages)
            with ring_for(same_size(info), slots=2) as ring:
                segment = decoder.open(request_for(pages.path, info, pages=pages), ring)
                frames = iter(segment)
                first = next(frames)
                assert decoder.pid is not None
                os.kill(decoder.pid, number)
                assert first.slot is not None
                segment.release(first.slot)
                with pytest.raises(error):
                    list(frames)
            decoder.progress_timeout_s = PROGRESS_TIMEOUT_S
            assert len(decode(decoder, request_for(pages.path, info, pages=pages))[0]) == 120
    finally:
        decoder.close()


@pytest.mark.parametrize("error", [InputChanged("replaced", uri="clip"), InputUnavailable("away", uri="clip")])
def test_a_block_that_cannot_be_had_is_the_reason_and_the_decoder_lives_on(
    decoder: DecoderProcess, tmp_path: Path, error: InputError
) -> None:
    path = sample_path("carphone.mp4")
    remote = Remote(path)
    pages = remote.pages(tmp_path / "blocks", readers=1, ahead_bytes=0)
    try:
        info = decoder.probe(pages.path, "carphone", pages=pages)
        pid = decoder.pid
        remote.failures.extend([error] * 5)
        with pytest.raises(type(error)) as caught:
            decode(decoder, request_for(pages.path, info, pages=pages))
        assert caught.value.message == error.message
        assert caught.value.segment == 0
        remote.failures.clear()
        assert len(decode(decoder, request_for(pages.path, info, pages=pages))[0]) == 120
        assert decoder.pid == pid
    finally:
        pages.close()
