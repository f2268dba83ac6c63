"""What is refused when it is probed, and by which word: a table that whole and paged files are held to alike."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

from support import bad_videos as bad
from support import forged_videos as forged
from support import protected_videos as protected
from videojob.errors import (
    FormatNotAllowed,
    InputContainerInvalid,
    InputCorrupt,
    InputEncrypted,
    InputError,
    InputNotVideo,
    NoFrames,
    NoVideoStream,
    ResolutionLimitExceeded,
)

Maker = Callable[[Path], object]


def content(data: bytes) -> Maker:
    return lambda path: path.write_bytes(data)


HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nhttp://169.254.169.254/latest/meta-data/\n"
MPD = (
    b'<?xml version="1.0"?>\n<!-- x -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://x/</BaseURL></MPD>'
)
SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(28)
NULL_TS = (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 30
FLV_HEADER = b"FLV\x01\x01\x00\x00\x00\x09\x00\x00\x00\x00"
EBML_THEN_NOISE = b"\x1a\x45\xdf\xa3\x84\x42\x86\x81\x01" + b"noise" * 100
FTYP = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0)
DUMMY_MOOV = FTYP + struct.pack(">I4s", 8, b"moov")

# file name, how to make it, the error
REFUSED: list[tuple[str, Maker, type[InputError]]] = [
    ("empty.mp4", content(b""), InputNotVideo),
    ("one_byte.mp4", content(b"\x00"), InputNotVideo),
    ("text.mp4", content(b"This is not a video.\n" * 50), InputNotVideo),
    ("random.mp4", content(bytes(range(255, 0, -1)) * 20), InputNotVideo),
    ("zeros.mkv", content(bytes(5000)), InputNotVideo),
    ("page.mp4", content(b"<!DOCTYPE html><html><body>404</body></html>"), InputNotVideo),
    ("json.mp4", content(b'{"error": "AccessDenied"}'), InputNotVideo),
    ("picture.mp4", content(PNG), InputNotVideo),
    ("wave.avi", content(WAV), InputNotVideo),
    ("archive.mp4", content(gzip.compress(b"video")), InputNotVideo),
    ("raw_yuv.mp4", content(b"YUV4MPEG2 W16 H16 F25:1\nFRAME\n" + bytes(384)), InputNotVideo),
    ("script.mp4", content(b"#!/bin/sh\nexec curl http://example.invalid\n"), InputNotVideo),
    ("hls.mp4", content(HLS), FormatNotAllowed),
    ("hls_with_bom.ts", content(b"\xef\xbb\xbf\r\n" + HLS), FormatNotAllowed),
    ("hls_utf16.mp4", content(HLS.decode().encode("utf-16")), FormatNotAllowed),
    ("concat.mp4", content(b"ffconcat version 1.0\nfile '/etc/passwd'\n"), FormatNotAllowed),
    ("concat_plain.mp4", content(b"file '/etc/passwd'\n"), FormatNotAllowed),
    ("dash.mp4", content(MPD), FormatNotAllowed),
    ("session.mp4", content(SDP), FormatNotAllowed),
    ("asx.mp4", content(b'<ASX version="3.0"><Entry><Ref href="http://x"/></Entry></ASX>'), FormatNotAllowed),
    ("smil.mp4", content(b"<smil><body><video src='http://x'/></body></smil>"), FormatNotAllowed),
    ("stream_address.mp4", content(b"rtsp://127.0.0.1/stream"), FormatNotAllowed),
    ("refers_elsewhere.mov", bad.index_refers_elsewhere, FormatNotAllowed),
    ("no_index.mp4", bad.without_index, InputContainerInvalid),
    ("cut_before_index.mp4", bad.cut_short, InputContainerInvalid),
    ("only_ftyp.mp4", content(FTYP), InputContainerInvalid),
    ("noise_in_matroska.mkv", content(EBML_THEN_NOISE), InputContainerInvalid),
    ("unknown_codec.mp4", bad.unknown_codec, InputContainerInvalid),
    ("encrypted.mp4", protected.common_encryption, InputEncrypted),
    ("encrypted_in_fragments.mp4", protected.fragmented_encryption, InputEncrypted),
    ("from_a_shop.mp4", protected.shop_encryption, InputEncrypted),
    ("encrypted.mkv", protected.matroska_encryption, InputEncrypted),
    ("encrypted.webm", protected.encrypted_vp8, InputEncrypted),
    ("scrambled.ts", protected.scrambled, InputEncrypted),
    ("sample_aes.ts", protected.sample_aes, InputEncrypted),
    ("declares_samples.mp4", forged.samples_of_one_size, InputContainerInvalid),
    *((f"declares_{name}.mp4", forged.entries(name.encode()), InputContainerInvalid) for name in forged.TABLES),
    ("declares_edits.mp4", forged.edits, InputContainerInvalid),
    ("declares_in_a_fragment.mp4", forged.run_of_a_fragment, InputContainerInvalid),
    ("declares_sound.mp4", forged.plain_sound, InputContainerInvalid),
    ("boxes_in_boxes.mp4", bad.boxes_all_the_way_down, InputContainerInvalid),
    ("sound.mp4", bad.sound_only, NoVideoStream),
    ("sound.mkv", bad.sound_only, NoVideoStream),
    ("sound.ts", bad.sound_only, NoVideoStream),
    ("music_with_cover.mp4", bad.cover_only, NoVideoStream),
    ("empty_moov.mp4", content(DUMMY_MOOV), NoVideoStream),
    ("null_packets.ts", content(NULL_TS), InputContainerInvalid),
    ("header.flv", content(FLV_HEADER), InputContainerInvalid),
    ("no_pictures.mp4", bad.no_pictures, NoFrames),
    ("huge.mp4", bad.huge_in_mp4, ResolutionLimitExceeded),
    ("huge.mkv", bad.huge_in_matroska, ResolutionLimitExceeded),
    ("huge.avi", bad.huge_in_avi, ResolutionLimitExceeded),
    ("huge.ts", bad.huge_in_stream, ResolutionLimitExceeded),
    ("all_noise.mkv", bad.all_noise, InputCorrupt),
]
