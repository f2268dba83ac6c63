"""First bytes decide the demuxer, and nothing else does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videojob.errors import FormatNotAllowed, InputError, InputNotVideo
from videojob.media.files import sniff


def ts(length: int, offset: int) -> bytes:
    return (bytes(offset) + b"\x47" + bytes(length - offset - 1)) * 8


KNOWN = [
    (b"\x00\x00\x00\x18ftypisom", sniff.MOV),
    (b"\x00\x00\x00\x01mdat" + bytes(8), sniff.MOV),
    (b"\x00\x00\x00\x08wide", sniff.MOV),
    (b"\x1a\x45\xdf\xa3", sniff.MATROSKA),
    (b"RIFF\x00\x00\x00\x00AVI LIST", sniff.AVI),
    (b"FLV\x01\x05", sniff.FLV),
    (b"OggS\x00\x02", sniff.OGG),
    (ts(188, 0), sniff.MPEG_TS),
    (ts(192, 4), sniff.MPEG_TS),
    (ts(204, 0), sniff.MPEG_TS),
    (bytes(77) + ts(188, 0), sniff.MPEG_TS),
    (ts(188, 0)[:400] + bytes(100) + ts(188, 0), sniff.MPEG_TS),
]


@pytest.mark.parametrize(("head", "demuxer"), KNOWN)
def test_a_container_is_known_by_its_first_bytes(head: bytes, demuxer: str) -> None:
    assert sniff.demuxer_for(head, "clip") == demuxer


PLAYLISTS = [
    b"#EXTM3U\n",
    b"\n\n  #extm3u",
    b"v=0\r\n",
    b"ffconcat version 1.0",
    b"<?xml?><MPD>",
    b"\xff\xfe" + "v=0".encode("utf-16-le"),
]


@pytest.mark.parametrize("head", PLAYLISTS)
def test_a_playlist_is_not_allowed(head: bytes) -> None:
    with pytest.raises(FormatNotAllowed) as caught:
        sniff.demuxer_for(head, "clip")
    assert caught.value.uri == "clip"


_PACK = b"\x00\x00\x01\xba" + bytes(40)
FOREIGN = [
    (b"DHAV\xfd\x00", "a Dahua recording", "`ffmpeg -f dhav -i gate.dat -map 0:v:0 -c copy gate-converted.mp4`"),
    (
        b"IMKH\x01\x01" + bytes(34) + _PACK,
        "a Hikvision recording",
        "ffmpeg -f mpeg -i gate.dat -map 0:v:0 -c:v libx264",
    ),
    (b"RECORDER" + _PACK, "behind a recorder's own header", "ffmpeg -f mpeg -i gate.dat"),
    # H.264 is encoded again: in a copy only some of its pictures would have a time.
    (_PACK, "an MPEG program stream", "ffmpeg -i gate.dat -map 0:v:0 -c:v libx264 -crf 18 gate-converted.mp4"),
    (_PACK + b"\x00\x00\x01\xb3", "an MPEG program stream", "ffmpeg -fflags +genpts -i gate.dat -map 0:v:0 -c copy"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\x00", "Windows Media", "-c copy gate-converted.mkv"),
    (b"GIF89a\x10\x00", "an animation (GIF)", "-c:v ffv1 gate-converted.mkv"),
    (b"\x00\x00\x00\x01\x67\x64", "a bare H.264 stream", "-r 25 -i gate.dat"),
    (b"\x00\x00\x00\x01\x40\x01", "a bare H.265 stream", "-f hevc -r 25 -i gate.dat"),
    (b"\x06\x0e\x2b\x34\x02", "MXF", "gate-converted.mov"),
    (b"\x89PNG\r\n\x1a\n\x00", "a picture (PNG)", "single picture is no video"),
    (b"PK\x03\x04\x14\x00", "an archive (ZIP)", "Check what the file is"),
    (b"RIFF\x00\x00\x00\x00WAVE\x00", "sound (WAV)", "Check what the file is"),
    (b"just words", "text", "Check what the file is"),
    (b"\x01\x02\x03\x04\x05", "of an unknown format (it begins with 01 02 03 04)", "Check what the file is"),
    (random.Random(1).randbytes(4096), "encrypted or compressed data", "Check what the file is"),
]


@pytest.mark.parametrize(("head", "name", "advice"), FOREIGN)
def test_what_is_not_read_is_named_with_the_command_that_converts_it(head: bytes, name: str, advice: str) -> None:
    with pytest.raises(InputNotVideo) as caught:
        sniff.demuxer_for(head, "s3://cams/north/gate.dat")
    assert name in caught.value.message
    assert advice in caught.value.hint


@pytest.mark.parametrize(
    ("uri", "words"),
    [("a b;c.dav", "-i 'a b;c.dav'"), ("-y.dav", "-i ./-y.dav"), ("x/$(id).dav", "-i '$(id).dav'")],
)
def test_a_name_cannot_become_part_of_the_command(uri: str, words: str) -> None:
    with pytest.raises(InputNotVideo) as caught:
        sniff.demuxer_for(b"DHAV\xfd\x00", uri)
    assert words in caught.value.hint


@pytest.mark.parametrize("head", [b"", b"\x00", b"hello", b"<html>", b"G" * 2, b"\x47" + bytes(400), b"RIFF....WAVE"])
def test_anything_else_is_no_video(head: bytes) -> None:
    with pytest.raises(InputNotVideo):
        sniff.demuxer_for(head, "clip")


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_get_a_demuxer_or_an_error(head: bytes) -> None:
    try:
        demuxer = sniff.demuxer_for(head, "clip")
    except InputError:
        return
    assert demuxer


@pytest.mark.parametrize(
    ("behind", "torn"), [(b"\x47\x01\x00\x10", 4), (bytes(100), 0), (b"", 0), (b"\x47" + bytes(186), 187)]
)
def test_a_torn_packet_stands_in_step_with_those_before_it(behind: bytes, torn: int) -> None:
    assert len(sniff.torn_packet(ts(188, 0)[-188 * 5 :] + behind, 188)) == torn
