"""Files with several video streams, and what stands behind a file's end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.decoding import decode, request_for
from support.fakes import FakeClock
from support.joined_videos import with_streams
from support.sound_videos import torn, with_sound_to_the_end
from support.videos import Spec, picture_number, write_video
from videojob.api.spec import VideoJobSpec
from videojob.errors import InputCorrupt
from videojob.local.reading import InputReading
from videojob.media.parent.decoder import DecoderProcess
from videojob.worker.steps.inputs import InputResolver

VIDEO, THUMBNAIL, PREVIEW = ("libx264", 50, 0), ("mjpeg", 1, 900), ("png", 1, 900)


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderProcess]:
    process = DecoderProcess()
    yield process
    process.close()


@pytest.mark.parametrize(
    ("name", "streams"),
    [
        ("thumbnail.mp4", (THUMBNAIL, VIDEO)),
        ("thumbnail.mov", (PREVIEW, VIDEO)),
        ("thumbnail.mkv", (THUMBNAIL, VIDEO)),
        ("thumbnails.mp4", (THUMBNAIL, THUMBNAIL, VIDEO)),
    ],
)
def test_a_thumbnail_in_the_first_stream_is_not_the_video(
    decoder: DecoderProcess, tmp_path: Path, name: str, streams: tuple[tuple[str, int, int], ...]
) -> None:
    path = with_streams(tmp_path / name, *streams)
    info = decoder.probe(path, name)
    frames, report = decode(decoder, request_for(path, info))
    assert [picture_number(frame.pixels) for frame in frames if frame.pixels is not None] == list(range(50))
    assert [frame.time_ms for frame in frames] == list(range(0, 2000, 40))
    assert (report.gaps, info.codec) == ((), "h264")


@pytest.mark.parametrize(
    ("name", "default", "taken"), [("two.mp4", None, 0), ("two.ts", None, 0), ("two.mkv", 1, 1), ("two.mkv", 0, 0)]
)
def test_of_two_cameras_one_is_taken_and_the_other_is_named(
    decoder: DecoderProcess, tmp_path: Path, name: str, default: int | None, taken: int
) -> None:
    path = with_streams(tmp_path / name, ("libx264", 50, 0), ("libx264", 50, 500), default=default)
    info = decoder.probe(path, name)
    frames, report = decode(decoder, request_for(path, info))
    numbers = [picture_number(frame.pixels) for frame in frames if frame.pixels is not None]
    assert numbers == list(range(500 * taken, 500 * taken + 50))
    assert report.gaps == ()
    (notice,) = info.notices
    assert f"left out: stream {1 - taken} (h264, 160 x 96);" in notice
    assert notice.endswith(f"processed is stream {taken} (h264, 160 x 96)")


@pytest.mark.parametrize("behind", [b"\x00" * 100, b"end of recording\n", b"\xff" * 1000])
def test_bytes_behind_a_complete_transport_stream_are_no_damage(
    decoder: DecoderProcess, tmp_path: Path, behind: bytes
) -> None:
    path = write_video(tmp_path / "whole.ts", Spec(frames=50))
    path.write_bytes(path.read_bytes() + behind)
    frames, report = decode(decoder, request_for(path, decoder.probe(path, "whole")))
    assert (len(frames), report.gaps) == (50, ())


def test_a_transport_stream_that_ends_within_a_packet_of_the_video_is_damaged(
    decoder: DecoderProcess, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "torn.ts", Spec(frames=50))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputCorrupt, match="ends before its container does"):
        decode(decoder, request_for(path, decoder.probe(path, "torn")))


FASTSTART = {"movflags": "faststart"}


@pytest.mark.parametrize(
    ("name", "mux_options"), [("torn.mp4", FASTSTART), ("torn.mov", FASTSTART), ("torn.ts", {}), ("torn.flv", {})]
)
def test_sound_that_is_torn_at_the_end_is_no_damage_to_the_video(
    decoder: DecoderProcess, tmp_path: Path, name: str, mux_options: dict[str, str]
) -> None:
    path = with_sound_to_the_end(tmp_path / name, Spec(frames=50, mux_options=mux_options))
    torn(path, path.read_bytes(), lost_bytes=100)
    frames, report = decode(decoder, request_for(path, decoder.probe(path, name)))
    assert (len(frames), report.gaps) == (50, ())


def test_an_mp4_that_lacks_one_byte_of_its_last_picture_is_damaged(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "torn.mp4", Spec(frames=50, mux_options=FASTSTART))
    torn(path, path.read_bytes(), lost_bytes=1)
    with pytest.raises(InputCorrupt):
        decode(decoder, request_for(path, decoder.probe(path, "torn")))


def test_frames_that_an_edit_list_cuts_off_do_not_count_in_the_length(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = write_video(tmp_path / "edited.mp4", Spec(frames=100, gop=100))
    data = bytearray(path.read_bytes())
    # The first entry of the edit list: where in the media the track begins, in its ticks.
    at = data.index(b"elst") + 16
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + 50 * 512).to_bytes(4, "big")
    path.write_bytes(data)
    info = decoder.probe(path, "edited")
    frames, _ = decode(decoder, request_for(path, info))
    assert (len(frames), info.frames_estimate, info.duration_ms) == (50, 50, 2000)


def test_a_run_on_this_machine_tells_what_is_left_out(tmp_path: Path) -> None:
    with_streams(tmp_path / "two.mp4", ("libx264", 5, 0), ("libx264", 5, 500))
    spec = VideoJobSpec.model_validate({"inputs": [{"file": {"path": "two.mp4"}}], "model": {"name": "face_detector"}})
    told: list[str] = []
    with InputResolver(tmp_path, tmp_path / "cache") as resolver:
        InputReading(spec, 1, lambda _: None, FakeClock(), told.append, None).videos(resolver)
    (notice,) = told
    assert notice.startswith("two.mp4: a further video stream is left out: stream 1")
