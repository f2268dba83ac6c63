"""Recordings of many hours in seconds: one short clip again and again, each picture padded to the bitrate.

The padding is a filler unit of H.264 that is a hole in the file: twelve hours at 6 Mbit/s are 33 GB to whoever reads
them, and a few on the disk. The container's index is as large as a real one: an entry for every picture.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from support.videos import Spec, write_video

_FILLER = 12
_KEY_WEIGHT = 8  # a keyframe is so many times as large as another picture


@dataclass(frozen=True, slots=True)
class LongMp4:
    """What was written.

    Attributes:
        path: of the file.
        media: first byte of the media, and the one behind the last.
        frame_bytes: (position, size) of every picture.
        gop: pictures from one keyframe to the next.
    """

    path: Path
    media: tuple[int, int]
    frame_bytes: list[tuple[int, int]]
    gop: int


def box(kind: bytes, *parts: bytes) -> bytes:
    """One box of an MP4."""
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def write_long_mp4(
    path: Path, *, duration_s: int, bits_per_s: int, gop: int = 50, rate: int = 25, index_first: bool = False
) -> LongMp4:
    """A recording with B-frames, a keyframe every `gop` pictures, one table entry for each picture and chunk of ten."""
    clip = write_video(path.with_suffix(".clip.mp4"), _clip(gop, rate))
    packets, description, time_base = _read(clip)
    clip.unlink()
    frames = duration_s * rate
    mean = bits_per_s / 8 / rate
    small = mean * gop / (gop - 1 + _KEY_WEIGHT)
    numbers = random.Random(7)
    placed: list[tuple[int, int]] = []
    data = [packets[number % len(packets)] for number in range(len(packets))]
    ftyp = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")
    sizes = []
    for number in range(frames):
        aim = int(small * (_KEY_WEIGHT if number % gop == 0 else 1) * numbers.uniform(0.8, 1.2))
        sizes.append(max(aim, len(data[number % len(data)][0]) + 5))
    length = len(data)
    ticks = data[1][1] - data[0][1]
    offsets = [cts - dts for _, dts, cts, _ in data]
    first_moov = _moov(description, [0] * frames, sizes, offsets, gop, ticks, time_base)
    at = len(ftyp) + (len(first_moov) if index_first else 0) + 16
    start = at
    for size in sizes:
        placed.append((at, size))
        at += size
    moov = _moov(description, [position for position, _ in placed], sizes, offsets, gop, ticks, time_base)
    assert len(moov) == len(first_moov)
    with path.open("wb") as file:
        file.write(ftyp + (moov if index_first else b""))
        file.write(struct.pack(">I4sQ", 1, b"mdat", at - start + 16))
        for number, (position, size) in enumerate(placed):
            body = data[number % length][0]
            file.seek(position)
            # Behind the length and the unit's first byte everything is zero: a hole, where it is large enough for one.
            rest = size - len(body) - 4
            file.write(body + struct.pack(">IB", rest, _FILLER))
        file.truncate(at)
        if not index_first:
            file.seek(at)
            file.write(moov)
    return LongMp4(path, (start, at), placed, gop)


def _clip(gop: int, rate: int) -> Spec:
    options = {"x264-params": f"bframes=2:b-adapt=0:scenecut=0:keyint={gop}:min-keyint={gop}:open-gop=0", "crf": "40"}
    return Spec(frames=gop * 2, gop=gop, rate=Fraction(rate), size=(64, 48), options=options)


def _read(path: Path) -> tuple[list[tuple[bytes, int, int, bool]], bytes, int]:
    """(bytes, dts, pts, is key) of every packet, the stsd box, and ticks per second."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert isinstance(stream, VideoStream)
        assert stream.time_base is not None
        found = [
            (bytes(packet), int(packet.dts or 0), int(packet.pts or 0), packet.is_keyframe)
            for packet in container.demux(stream)
            if packet.size
        ]
        ticks = stream.time_base.denominator
    data = path.read_bytes()
    at = data.index(b"stsd") - 4
    return found, data[at : at + int.from_bytes(data[at : at + 4], "big")], ticks


def _moov(
    description: bytes, positions: list[int], sizes: list[int], offsets: list[int], gop: int, ticks: int, time_base: int
) -> bytes:
    frames = len(sizes)
    duration = frames * ticks
    version1 = b"\x01\0\0\0"
    zero = b"\0\0\0\0"
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = box(b"mvhd", version1, struct.pack(">QQIQIH10x", 0, 0, time_base, duration, 0x10000, 0x100), matrix,
               bytes(24), struct.pack(">I", 2))  # fmt: skip
    tkhd = box(b"tkhd", b"\x01\0\0\3", struct.pack(">QQI4xQ8xHHH2x", 0, 0, 1, duration, 0, 0, 0), matrix,
               struct.pack(">II", 64 << 16, 48 << 16))  # fmt: skip
    # As FFmpeg's muxer writes it: the first picture's composition time is where the presentation begins.
    entry = struct.pack(">QqI", duration, offsets[0], 0x10000)
    edit = box(b"edts", box(b"elst", version1, struct.pack(">I", 1), entry))
    chunk = 10
    chunks = positions[::chunk]
    length = len(offsets)
    composition = b"".join(struct.pack(">II", 1, offset) for offset in offsets)
    times, rest = divmod(frames, length)
    stbl = box(
        b"stbl",
        description,
        box(b"stts", zero, struct.pack(">III", 1, frames, ticks)),
        box(b"stss", zero, struct.pack(f">I{-(-frames // gop)}I", -(-frames // gop), *range(1, frames + 1, gop))),
        box(b"ctts", zero, struct.pack(">I", frames), composition * times, composition[: rest * 8]),
        box(b"stsc", zero, _chunk_runs(frames, chunk)),
        box(b"stsz", zero, struct.pack(f">II{frames}I", 0, frames, *sizes)),
        box(b"co64", zero, struct.pack(f">I{len(chunks)}Q", len(chunks), *chunks)),
    )
    reference = box(b"dinf", box(b"dref", zero, struct.pack(">I", 1), box(b"url ", b"\0\0\0\1")))
    minf = box(b"minf", box(b"vmhd", b"\0\0\0\1", bytes(8)), reference, stbl)
    hdlr = box(b"hdlr", zero, zero, b"vide", bytes(12), b"Video\0")
    mdhd = box(b"mdhd", version1, struct.pack(">QQIQHH", 0, 0, time_base, duration, 0x55C4, 0))
    return box(b"moov", mvhd, box(b"trak", tkhd, edit, box(b"mdia", mdhd, hdlr, minf)))


def _chunk_runs(frames: int, chunk: int) -> bytes:
    whole, rest = divmod(frames, chunk)
    runs = [(1, chunk)] if whole else []
    if rest:
        runs.append((whole + 1, rest))
    return struct.pack(">I", len(runs)) + b"".join(struct.pack(">III", first, count, 1) for first, count in runs)
