"""Whether a video's pictures are encrypted, according to its container. Runs in the decoder process only.

Without this, a decoder takes encrypted pictures for damaged ones. Keys are not taken: whoever has them decrypts first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from videojob.errors import InputEncrypted
from videojob.media.containers.structure import at_path, boxes, bytes_at
from videojob.media.files import sniff

_TO_TRACKS = (b"moov", b"trak")
_TO_DESCRIPTIONS = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_TO_HANDLER = (b"trak", b"mdia", b"hdlr")
_TO_PROTECTION = (b"sinf", b"schi", b"tenc")
_PICTURE_ENTRY_BYTES = 78
_ENCRYPTED_ENTRIES = (b"encv", b"drmi")

_SEGMENT, _TRACKS, _CLUSTER, _TRACK, _TRACK_TYPE = 0x18538067, 0x1654AE6B, 0x1F43B675, 0xAE, 0x83
_ENCODINGS, _ENCODING, _ENCODING_TYPE, _ENCRYPTION, _ALGORITHM = 0x6D80, 0x6240, 0x5033, 0x5035, 0x47E1
_ALGORITHMS = {1: "DES", 2: "3DES", 3: "Twofish", 4: "Blowfish", 5: "AES"}
_VIDEO = 1
_MOST_ELEMENTS = 1000

_SAMPLE_BYTES = 128 << 10
_SAMPLES = 8
_PART_SAMPLES = 32
_PART_BYTES = 32 << 10
_LEAST_SCRAMBLED = 8  # fewer may be damage
_NO_DATA_PID = 0x1FFF
_LAST_TABLE_PID = 0x1F
_SAMPLE_AES_H264 = 0xDB


def check(file: BinaryIO, size: int, demuxer: str, indexes: list[tuple[int, int]], uri: str) -> None:
    """Refuses a video that is encrypted.

    Args:
        file: the video.
        size: of it in bytes.
        demuxer: FFmpeg's name, see `sniff`.
        indexes: of an MP4, see `declared.check`.
        uri: for the message.

    Raises:
        InputEncrypted: it is; the message names the scheme.
    """
    scheme = None
    if demuxer == sniff.MOV:
        scheme = _mp4_scheme(file, indexes)
    elif demuxer == sniff.MATROSKA:
        scheme = _matroska_scheme(file, size)
    elif demuxer == sniff.MPEG_TS:
        scheme = _stream_scheme(file, size)
    if scheme is not None:
        raise InputEncrypted(f"the pictures are encrypted: {scheme}", uri=uri)


def _mp4_scheme(file: BinaryIO, indexes: list[tuple[int, int]]) -> str | None:
    """That of the track with the largest pictures: a clear preview may stand beside an encrypted film."""
    found: list[tuple[int, str]] = []
    for index in indexes:
        for track in at_path(file, index, _TO_TRACKS):
            handlers = [bytes_at(file, inside + 8, 4) for inside, _ in at_path(file, track, _TO_HANDLER)]
            if b"vide" in handlers:
                found += _descriptions(file, track)
    # Of one size the encrypted one counts: a track may begin with a few clear pictures.
    return max(found)[1] or None if found else None


def _descriptions(file: BinaryIO, track: tuple[int, int]) -> Iterator[tuple[int, str]]:
    """(pixels, scheme of encryption or "") of each description of a track's pictures."""
    for start, stop in at_path(file, track, _TO_DESCRIPTIONS):
        for kind, entry, end in boxes(file, start + 8, stop):
            sides = bytes_at(file, entry + 24, 4)
            pixels = int.from_bytes(sides[:2], "big") * int.from_bytes(sides[2:], "big")
            yield pixels, _entry_scheme(file, kind, (entry + _PICTURE_ENTRY_BYTES, min(end, stop)))


def _entry_scheme(file: BinaryIO, kind: bytes, inside: tuple[int, int]) -> str:
    names = []
    for name, start, stop in boxes(file, *inside):
        if name == b"sinf":
            protection = [at for at, _ in at_path(file, (start, stop), _TO_PROTECTION)]
            # The marks may be there for a stretch of a programme that is not protected.
            if protection and not any(bytes_at(file, at + 6, 1) != b"\0" for at in protection):
                return ""
            names += [bytes_at(file, at + 4, 4) for inner, at, _ in boxes(file, start, stop) if inner == b"schm"]
    if not names and kind not in _ENCRYPTED_ENTRIES:
        return ""
    scheme = (names or [kind])[0].decode("ascii", "replace").strip()
    return f"MP4 protection, scheme {scheme}"


def _matroska_scheme(file: BinaryIO, size: int) -> str | None:
    schemes = []
    for kind, start, stop in _elements(file, 0, size):
        if kind != _SEGMENT:
            continue
        for inner, content, end in _elements(file, start, min(stop, size)):
            if inner == _CLUSTER:
                break
            if inner == _TRACKS:
                tracks = [(at, to) for name, at, to in _elements(file, content, end) if name == _TRACK]
                schemes += [_track_scheme(file, track) for track in tracks if _is_video(file, track)]
        break
    return schemes[0] or None if schemes and all(schemes) else None


def _is_video(file: BinaryIO, track: tuple[int, int]) -> bool:
    return _VIDEO in [_value(file, at, to) for kind, at, to in _elements(file, *track) if kind == _TRACK_TYPE]


def _track_scheme(file: BinaryIO, track: tuple[int, int]) -> str:
    """Empty for a track that is not encrypted: the same element tells of compression and of signatures."""
    for start, stop in _below(file, track, (_ENCODINGS, _ENCODING)):
        kinds = [_value(file, at, to) for at, to in _below(file, (start, stop), (_ENCODING_TYPE,))]
        algorithms = [_value(file, at, to) for at, to in _below(file, (start, stop), (_ENCRYPTION, _ALGORITHM))]
        if any(kinds) and any(algorithms or [1]):
            name = _ALGORITHMS.get((algorithms or [0])[0], "of an unknown kind")
            return f"Matroska ContentEncryption, {name}"
    return ""


def _below(file: BinaryIO, inside: tuple[int, int], path: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Contents of all elements at a path."""
    for kind, start, stop in _elements(file, *inside):
        if kind == path[0] and len(path) == 1:
            yield start, stop
        elif kind == path[0]:
            yield from _below(file, (start, stop), path[1:])


def _elements(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """(id, first byte of the content, end) of the elements that follow one another."""
    for _ in range(_MOST_ELEMENTS):
        head = bytes_at(file, start, 12) if start < stop else b""
        id_bytes = 9 - head[0].bit_length() if head else 9
        if id_bytes > 4 or len(head) <= id_bytes or not head[id_bytes]:
            return
        size_bytes = 9 - head[id_bytes].bit_length()
        length = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        content = start + id_bytes + size_bytes
        is_open = length == (1 << 7 * size_bytes) - 1
        end = stop if is_open else min(content + length, stop)
        yield int.from_bytes(head[:id_bytes], "big"), content, end
        start = end


def _value(file: BinaryIO, start: int, stop: int) -> int:
    return int.from_bytes(bytes_at(file, start, min(stop - start, 8)), "big")


def _stream_scheme(file: BinaryIO, size: int) -> str | None:
    """A recording may begin before its keys came: it is refused only if no look finds clear packets of its pictures."""
    for sample in range(_SAMPLES):
        data = bytes_at(file, size * sample // _SAMPLES, _SAMPLE_BYTES)
        packets = list(_packets(data))
        if sample == 0 and _has_sample_aes(packets):
            return "HLS SAMPLE-AES in a transport stream"
        if not _is_scrambled(packets):
            return None
    return "a scrambled transport stream (transport_scrambling_control)"


def partly_scrambled(file: BinaryIO, size: int) -> tuple[str, ...]:
    """A sentence about a transport stream that is scrambled in places, as looks at some of them find; none otherwise.

    No picture comes out of such a stretch, and nothing else tells of it: the packets are whole and numbered.
    """
    for sample in range(_PART_SAMPLES):
        packets = list(_packets(bytes_at(file, size * sample // _PART_SAMPLES, _PART_BYTES)))
        if sum(1 for packet in packets if packet[3] & 0xC0) >= _LEAST_SCRAMBLED:
            share = 100 * sample // _PART_SAMPLES
            return (
                f"parts of it are scrambled, the first that was found at {share}% of the file: no pictures of them",
            )
    return ()


def _packets(data: bytes) -> Iterator[bytes]:
    """The packets of a piece of a transport stream, each from its sync byte on."""
    layout = sniff.ts_layout(data[: sniff.HEAD_BYTES])
    if layout is None:
        return
    length, start = layout
    offset = 4 if length == 192 else 0
    for at in range(start + offset, len(data) - 188 + 1, length):
        if data[at] == 0x47:
            yield data[at : at + 188]


def _pid(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def _is_scrambled(packets: list[bytes]) -> bool:
    """Whether all packets of the most frequent stream are: that of the pictures, but for a radio programme."""
    filled = [packet for packet in packets if packet[3] & 0x10 and _LAST_TABLE_PID < _pid(packet) < _NO_DATA_PID]
    most = Counter(map(_pid, filled)).most_common(1)
    return bool(most) and all(packet[3] & 0xC0 for packet in filled if _pid(packet) == most[0][0])


def _has_sample_aes(packets: list[bytes]) -> bool:
    """Whether the first programme's table has a stream of encrypted H.264 samples."""
    programmes = next((section for packet in packets if (section := _section(packet, 0, 0))), b"")
    if len(programmes) < 12:
        return False
    table_pid = int.from_bytes(programmes[10:12], "big") & 0x1FFF
    table = next((section for packet in packets if (section := _section(packet, table_pid, 2))), b"")
    at = 12 + (int.from_bytes(table[10:12], "big") & 0xFFF)
    end = min(len(table), 3 + (int.from_bytes(table[1:3], "big") & 0xFFF) - 4)
    while at + 5 <= end:
        if table[at] == _SAMPLE_AES_H264:
            return True
        at += 5 + (int.from_bytes(table[at + 3 : at + 5], "big") & 0xFFF)
    return False


def _section(packet: bytes, pid: int, table: int) -> bytes:
    """What a packet has of the table that begins in it; nothing when it is of another kind."""
    if _pid(packet) != pid or not packet[1] & 0x40 or not packet[3] & 0x10:
        return b""
    at = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    at += 1 + packet[at] if at < len(packet) else 0
    section = packet[at:]
    return section if section[:1] == bytes([table]) else b""
