"""Videos whose pictures are encrypted, and such as only look like it, made on the spot."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from support.bad_videos import SOUND, box, patched, sound_bytes
from support.videos import Spec, write_video

_TO_STSD = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_TRACKS, _TRACK = bytes.fromhex("1654ae6b"), b"\xae"
_TABLE_PACKETS = 0x1FFF
_KEYS = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "0123456789abcdef0123456789abcdef",
}


def common_encryption(path: Path, *, is_fragmented: bool = False) -> Path:
    """An MP4 with AES-CTR after ISO/IEC 23001-7, as packagers write it."""
    fragmented = {"movflags": "frag_keyframe+empty_moov"} if is_fragmented else {}
    return write_video(path, Spec(frames=60, options=SOUND.options, mux_options=_KEYS | fragmented))


def fragmented_encryption(path: Path) -> Path:
    """The same in fragments."""
    return common_encryption(path, is_fragmented=True)


def shop_encryption(path: Path) -> Path:
    """An MP4 as a shop for films sells it: a sample description of its own kind."""
    data = sound_bytes(path.parent)
    start, _ = box(data, *_TO_STSD)
    return patched(path, data, start + 16 + 4, b"drmi")


def marked_but_clear(path: Path) -> Path:
    """A sample description with the marks of Common Encryption that says: not protected."""
    clear = sound_bytes(path.parent)
    data = common_encryption(path).read_bytes()
    scheme = data[data.index(b"sinf") - 4 :]
    scheme = scheme[: int.from_bytes(scheme[:4], "big")]
    at = scheme.index(b"tenc") + 4 + 6
    scheme = scheme[:at] + b"\0" + scheme[at + 1 :]
    entry, end = (at + 16 for at in box(clear, *_TO_STSD))
    length = int.from_bytes(clear[entry : entry + 4], "big")
    grown = bytearray(clear[: entry + length] + scheme + clear[entry + length :])
    grown[entry + 4 : entry + 8] = b"encv"
    struct.pack_into(">I", grown, entry, length + len(scheme))
    for depth in range(1, len(_TO_STSD) + 1):
        start, end = box(clear, *_TO_STSD[:depth])
        struct.pack_into(">I", grown, start, end - start + len(scheme))
    path.write_bytes(grown)
    return path


def matroska_encryption(path: Path, algorithm: int = 5, codec: str = "libx264") -> Path:
    """A Matroska file whose track says that its blocks are encrypted; 0 says that they are only signed."""
    spec = Spec(codec=codec, frames=30, mux_options={"live": "1", "write_crc32": "0"})
    data = write_video(path, spec).read_bytes()
    encryption = _element("5035", _element("47e1", bytes([algorithm])) + _element("47e2", b"0123456789abcdef"))
    encodings = _element("6d80", _element("6240", _element("5033", b"\1") + encryption))
    # The list of places names them first.
    start, content, stop = _found(data, _TRACKS, data.index(_TRACKS) + 4)
    track, inside, end = _found(data, _TRACK, content)
    changed = data[content:track] + _element("ae", data[inside:end] + encodings) + data[end:stop]
    path.write_bytes(data[:start] + _element(_TRACKS.hex(), changed) + data[stop:])
    return path


def encrypted_vp8(path: Path) -> Path:
    """The same as a WebM."""
    return matroska_encryption(path, codec="libvpx")


def _found(data: bytes, name: bytes, start: int) -> tuple[int, int, int]:
    """Where an element begins, where its content does, and where it ends."""
    at = data.index(name, start)
    first = data[at + len(name)]
    size_bytes = 9 - first.bit_length()
    content = at + len(name) + size_bytes
    length = int.from_bytes(data[at + len(name) : content], "big") & ((1 << 7 * size_bytes) - 1)
    return at, content, content + length


def _element(name: str, content: bytes) -> bytes:
    return bytes.fromhex(name) + struct.pack(">Q", len(content) | 1 << 56) + content


def scrambled(path: Path, first: float = 0, last: float = 1, spec: Spec | None = None) -> Path:
    """A transport stream whose packets are scrambled between two shares of its length, but for its tables."""
    data = bytearray(write_video(path, spec or Spec()).read_bytes())
    rng = random.Random(7)
    for at in range(int(len(data) * first) // 188 * 188, int(len(data) * last) // 188 * 188, 188):
        pid = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        if 0x100 <= pid < _TABLE_PACKETS:
            data[at + 3] |= 0x80
            head = 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
            data[at + head : at + 188] = rng.randbytes(188 - head)
    path.write_bytes(data)
    return path


def marked_but_descrambled(path: Path, first: float, last: float, spec: Spec) -> Path:
    """A transport stream that a receiver descrambled between two shares of its length, and left the marks there."""
    data = bytearray(write_video(path, spec).read_bytes())
    for at in range(int(len(data) * first) // 188 * 188, int(len(data) * last) // 188 * 188, 188):
        if 0x100 <= int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF < _TABLE_PACKETS:
            data[at + 3] |= 0x80
    path.write_bytes(data)
    return path


def sample_aes(path: Path) -> Path:
    """A transport stream whose table says that its H.264 samples are encrypted as HLS does it."""
    data = bytearray(write_video(path).read_bytes())
    for at in range(0, len(data), 188):
        entry = data.find(b"\x1b\xe1\x00", at, at + 188)
        if entry > 0 and int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == 0x1000:
            data[entry] = 0xDB
    path.write_bytes(data)
    return path
