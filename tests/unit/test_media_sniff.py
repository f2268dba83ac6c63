"""First bytes decide the demuxer, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videojob.errors import FormatNotAllowed, InputError, InputNotVideo
from videojob.media import sniff


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


OTHERS = [
    (b"\x00\x00\x01\xba\x44\x00", "MPEG program stream", "-c copy"),
    (b"IMKH\x01\x01", "Hikvision", "-c copy"),
    (b"DHAV\xfd\x00", "Dahua", "-c copy"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media", "-c copy"),
    (b"\x00\x00\x00\x01\x67", "without a container", "-c copy"),
    (b"GIF89a", "GIF", "libx264"),
    (b"\xff\xd8\xff\xe0", "JPEG", "single picture"),
]


@pytest.mark.parametrize(("start", "name", "hint"), OTHERS)
def test_a_format_that_is_not_read_is_named_with_the_command_that_converts_it(
    start: bytes, name: str, hint: str
) -> None:
    with pytest.raises(InputNotVideo, match=name) as caught:
        sniff.demuxer_for(start + bytes(400), "clip")
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("behind", "torn"), [(b"\x47\x01\x00\x10", 4), (bytes(100), 0), (b"", 0), (b"\x47" + bytes(186), 187)]
)
def test_a_torn_packet_stands_in_step_with_those_before_it(behind: bytes, torn: int) -> None:
    assert len(sniff.torn_packet(ts(188, 0)[-188 * 5 :] + behind, 188)) == torn
