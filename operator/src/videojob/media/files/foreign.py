"""What a file is that no demuxer here takes, by its first bytes, and the command that makes a video of it. Pure.

The command is for FFmpeg, which knows these formats and runs outside; here their demuxers are not open to strangers.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

# Encrypted or compressed data have each byte about as often as any other.
_LEAST_NOISE_BYTES = 2048
_NOISE_LEAST_KINDS = 250


@dataclass(frozen=True, slots=True)
class _Format:
    """One format.

    Attributes:
        name: what a message calls it.
        before, after: FFmpeg's options before the file and behind it.
        suffix: of what the command makes; "" for what is no video.
        advice: what to do about that; None where the usual one has to do.
    """

    name: str
    before: str = ""
    after: str = "-map 0:v:0 -c copy"
    suffix: str = "mp4"
    advice: str | None = None


# A copy of H.264 in a program stream has wrong times: only some of its packets say when they are shown.
_ENCODED = "-map 0:v:0 -c:v libx264 -crf 18"
_PROGRAM_STREAM = _Format("an MPEG program stream (.mpg, .vob)", after=_ENCODED)
_OLD_PROGRAM_STREAM = _Format("an MPEG program stream (.mpg, .vob)", "-fflags +genpts", suffix="mkv")
_RAW = "-r 25"  # such a stream has no times: the rate is whatever it was recorded with
_BARE = _Format("a bare video stream", _RAW, _ENCODED)
_PICTURE = "A single picture is no video; remove it from the inputs."
_LOSSLESS = "-map 0:v:0 -c:v ffv1"
_BY_START: tuple[tuple[bytes, _Format], ...] = (
    (b"DHAV", _Format("a Dahua recording (DHAV, .dav)", "-f dhav")),
    (b"DAHUA", _Format("a Dahua recording (.dav)", "-f dhav")),
    (b"\x00\x00\x01\xb3", _Format("a bare MPEG-1 or MPEG-2 stream", _RAW, _ENCODED)),
    (b"\x00\x00\x01\xb0", _Format("a bare MPEG-4 stream", f"-f m4v {_RAW}", _ENCODED)),
    (b"\x00\x00\x00\x01\x67", _Format("a bare H.264 stream", f"-f h264 {_RAW}", _ENCODED)),
    (b"\x00\x00\x00\x01\x27", _Format("a bare H.264 stream", f"-f h264 {_RAW}", _ENCODED)),
    (b"\x00\x00\x00\x01\x09", _Format("a bare H.264 stream", f"-f h264 {_RAW}", _ENCODED)),
    (b"\x00\x00\x01\x67", _Format("a bare H.264 stream", f"-f h264 {_RAW}", _ENCODED)),
    (b"\x00\x00\x00\x01\x40", _Format("a bare H.265 stream", f"-f hevc {_RAW}", _ENCODED)),
    (b"\x00\x00\x00\x01\x46", _Format("a bare H.265 stream", f"-f hevc {_RAW}", _ENCODED)),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _Format("Windows Media (ASF, .wmv)", suffix="mkv")),
    (b".RMF", _Format("RealMedia", suffix="mkv")),
    (b"\x06\x0e\x2b\x34", _Format("MXF", suffix="mov")),
    (b"DKIF", _Format("IVF", suffix="mkv")),
    (b"YUV4MPEG2", _Format("uncompressed video (YUV4MPEG2)", after=_LOSSLESS, suffix="mkv")),
    (b"GIF8", _Format("an animation (GIF)", after=_LOSSLESS, suffix="mkv")),
    (b"\x1f\x07\x00", _Format("a bare DV stream", "-f dv", suffix="mov")),
    (b"nut/multimedia container", _Format("NUT", suffix="mkv")),
    (b"\x89PNG", _Format("a picture (PNG)", suffix="", advice=_PICTURE)),
    (b"\xff\xd8\xff", _Format("a picture (JPEG)", suffix="", advice=_PICTURE)),
    (b"BM", _Format("a picture (BMP)", suffix="", advice=_PICTURE)),
    (b"ID3", _Format("sound (MP3)", suffix="")),
    (b"fLaC", _Format("sound (FLAC)", suffix="")),
    (b"PK\x03\x04", _Format("an archive (ZIP)", suffix="")),
    (b"\x1f\x8b", _Format("an archive (gzip)", suffix="")),
    (b"7z\xbc\xaf\x27\x1c", _Format("an archive (7z)", suffix="")),
    (b"Rar!", _Format("an archive (RAR)", suffix="")),
    (b"%PDF", _Format("a document (PDF)", suffix="")),
)
_HIKVISION = _Format("a Hikvision recording (IMKH: an MPEG program stream behind its header)", "-f mpeg", _ENCODED)
_BEHIND_A_HEADER = _Format("an MPEG program stream behind a recorder's own header", "-f mpeg", _ENCODED)
_PACK = b"\x00\x00\x01\xba"
_OLD_VIDEO = b"\x00\x00\x01\xb3"  # the sequence header of MPEG-1 and MPEG-2
_RIFF = {b"WAVE": _Format("sound (WAV)", suffix=""), b"WEBP": _Format("a picture (WebP)", suffix="", advice=_PICTURE)}


def is_text(head: bytes) -> bool:
    """Whether a file that begins so is plain text."""
    return all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)


def describe(head: bytes, uri: str) -> tuple[str, str | None]:
    """(what the file is, what to do about it); None where the usual advice has to do.

    Args:
        head: the file's first bytes, some thousand.
        uri: its last part is the file's name in the command.
    """
    found = _format(head)
    if found is not None:
        return found.name, _command(found, uri)
    hexadecimal = head[:4].hex(" ")
    if len(head) >= _LEAST_NOISE_BYTES and len(set(head)) >= _NOISE_LEAST_KINDS and _is_even(head):
        return f"encrypted or compressed data (they begin with {hexadecimal})", None
    return f"of an unknown format (it begins with {hexadecimal})", None


def _format(head: bytes) -> _Format | None:
    if head.startswith((b"IMKH", b"HKMI", b"HKVS")):
        return _HIKVISION
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    for start, known in _BY_START:
        if head.startswith(start):
            return known
    pack_at = head.find(_PACK)
    if pack_at == 0:
        return _OLD_PROGRAM_STREAM if _OLD_VIDEO in head else _PROGRAM_STREAM
    if pack_at > 0:
        return _BEHIND_A_HEADER
    return _BARE if head.startswith((b"\x00\x00\x00\x01", b"\x00\x00\x01")) else None


def _is_even(head: bytes) -> bool:
    count: Callable[[int], int] = head.count
    return max(map(count, range(256))) < len(head) // 64


def _command(found: _Format, uri: str) -> str | None:
    if not found.suffix:
        return found.advice
    name = PurePosixPath(uri).name or "FILE"
    made = f"{PurePosixPath(name).stem}-converted.{found.suffix}"
    words = ["ffmpeg", found.before, "-i", _word(name), found.after, _word(made)]
    advice = f"Convert it: `{' '.join(word for word in words if word)}`, and give the result instead."
    return f"{advice} Put the true rate for 25." if _RAW in found.before else advice


def _word(name: str) -> str:
    # A name that begins with a dash would pass for an option.
    return shlex.quote(f"./{name}" if name.startswith("-") else name)
