"""Files that are not what they should be, made on the spot from small sound ones."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from support.videos import Spec, write_video

SOUND = Spec(frames=60, options={"x264-params": "bframes=2:b-adapt=0"})


def _boxes(data: bytes, start: int, stop: int) -> list[tuple[bytes, int, int]]:
    found = []
    while start + 8 <= stop:
        length, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        found.append((kind, start, start + length))
        start += length
    return found


def box(data: bytes, *path: bytes) -> tuple[int, int]:
    """Start and end of an MP4 box, by its path from the outside in."""
    start, stop = 0, len(data)
    inner = 0
    for kind in path:
        start, stop = next((first, last) for this, first, last in _boxes(data, start + inner, stop) if this == kind)
        inner = 8
    return start, stop


def patched(path: Path, data: bytes, position: int, value: bytes) -> Path:
    """Writes the data with a few bytes replaced."""
    path.write_bytes(data[:position] + value + data[position + len(value) :])
    return path


def sound_bytes(folder: Path, suffix: str = ".mp4", spec: Spec = SOUND) -> bytes:
    """An ordinary clip, as bytes."""
    return write_video(folder / f"sound{suffix}", spec).read_bytes()


def faststart(**changes: str) -> Spec:
    """An MP4 with its index in front."""
    return Spec(frames=60, options=SOUND.options, mux_options={"movflags": "faststart"} | changes)


def index_refers_elsewhere(path: Path) -> Path:
    """An MP4 whose data reference says that the media lie in another file."""
    data = sound_bytes(path.parent)
    start, _ = box(data, b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")
    # dref: box head, version and flags, count; then the first entry: box head, version and flags.
    return patched(path, data, start + 8 + 8 + 8, bytes(4))


def without_index(path: Path) -> Path:
    """An MP4 that was cut off before its index was written."""
    data = sound_bytes(path.parent)
    start, _ = box(data, b"moov")
    path.write_bytes(data[:start])
    return path


def cut_short(path: Path, spec: Spec | None = None, share: float = 0.6) -> Path:
    """The beginning of a sound file."""
    data = write_video(path, spec or SOUND).read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def sound_only(path: Path) -> Path:
    """A container with an audio track and nothing else."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def no_pictures(path: Path) -> Path:
    """A fragmented MP4 that ends behind its header."""
    data = write_video(path, Spec(mux_options={"movflags": "frag_keyframe+empty_moov"})).read_bytes()
    start, _ = box(data, b"moof")
    path.write_bytes(data[:start])
    return path


def huge_in_mp4(path: Path) -> Path:
    """An MP4 whose sample description claims 65535 x 65535, the most that fits into it."""
    data = sound_bytes(path.parent)
    start, _ = box(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    return patched(path, data, start + 16 + 8 + 24, struct.pack(">HH", 65535, 65535))


def huge_in_matroska(path: Path) -> Path:
    """A Matroska file whose header claims 100000 x 100000."""
    data = write_video(path, Spec(codec="ffv1", size=(160, 96))).read_bytes()
    # PixelWidth 160, PixelHeight 96, DisplayUnit 4: the two that matter grow at the cost of the third.
    before, after = "b0 81 a0 ba 81 60 54 b2 81 04", "b0 83 01 86 a0 ba 83 01 86 a0"
    return patched(path, data, data.index(bytes.fromhex(before)), bytes.fromhex(after))


def huge_in_avi(path: Path) -> Path:
    """An AVI whose stream format claims 100000 x 100000."""
    data = write_video(path, Spec(codec="mjpeg", pixel_format="yuvj420p")).read_bytes()
    return patched(path, data, data.index(b"strf") + 12, struct.pack("<ii", 100_000, 100_000))


def huge_in_stream(path: Path) -> Path:
    """A transport stream has no header for sizes: the H.264 stream itself says 8320 x 64."""
    return write_video(path, Spec(size=(8320, 64), frames=3, options={"preset": "ultrafast"}))


def unknown_codec(path: Path) -> Path:
    """An MP4 whose sample description names a codec that nobody knows."""
    data = sound_bytes(path.parent)
    start, _ = box(data, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    return patched(path, data, start + 16 + 4, b"zzzz")


def boxes_all_the_way_down(path: Path) -> Path:
    """An MP4 of boxes in boxes, a hundred thousand deep."""
    depth = 100_000
    path.write_bytes(b"".join(struct.pack(">I4s", 8 * (depth - level), b"moov") for level in range(depth)))
    return path


def flipped(path: Path, data: bytes, *, first: float, last: float, flips: int, seed: int) -> Path:
    """The data with bits flipped at random between two shares of its length."""
    rng = random.Random(seed)
    mutable = bytearray(data)
    for _ in range(flips):
        position = rng.randrange(int(len(data) * first), int(len(data) * last))
        mutable[position] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(mutable))
    return path


def mutations(data: bytes, count: int, seed: int) -> list[Callable[[], bytes]]:
    """Deterministic damage: flips, overwritten runs, cuts, swaps and repeats, the header twice as often as the rest."""
    rng = random.Random(seed)

    def one() -> bytes:
        mutable = bytearray(data)
        kind = rng.randrange(5)
        limit = len(mutable) if rng.random() < 0.5 else min(len(mutable), 2048)
        at = rng.randrange(limit)
        length = rng.choice((1, 4, 16, 256))
        if kind == 0:
            for _ in range(rng.choice((1, 3, 20))):
                mutable[rng.randrange(limit)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            mutable[at : at + length] = rng.randbytes(len(mutable[at : at + length]))
        elif kind == 2:
            del mutable[rng.randrange(len(mutable)) :]
        elif kind == 3:
            del mutable[at : at + length]
        else:
            mutable[at:at] = mutable[at : at + length]
        return bytes(mutable)

    return [one] * count


def without_first_packets(path: Path, spec: Spec, count: int) -> Path:
    """A Matroska file whose first packets are in their places, but zeroed."""
    data = bytearray(write_video(path, spec).read_bytes())
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for position, size in packets[:count]:
        if position is not None:
            # Behind the block's own head: track, time and flags.
            data[position + 8 : position + size] = bytes(size - 8)
    path.write_bytes(bytes(data))
    return path


def joined_without_care(path: Path, *specs: Spec, is_counted: bool = True) -> Path:
    """Transport streams, one behind the other: the clock starts again at each join.

    With `is_counted` their packets are numbered through, so that a join does not look like a loss.
    """
    pieces = [write_video(path.with_name(f"{number}_{path.name}"), spec) for number, spec in enumerate(specs)]
    data = bytearray(b"".join(piece.read_bytes() for piece in pieces))
    counters: dict[int, int] = {}
    for at in range(0, len(data), 188) if is_counted else ():
        program = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        has_payload = bool(data[at + 3] & 0x10)
        counters[program] = (counters.get(program, -1) + has_payload) % 16
        data[at + 3] = data[at + 3] & 0xF0 | counters[program]
    path.write_bytes(data)
    return path


def begun_late(path: Path, spec: Spec, share: float = 0.1) -> Path:
    """A transport stream that lacks its beginning, as a recording that was started in the middle of a broadcast."""
    data = write_video(path, spec).read_bytes()
    path.write_bytes(data[int(len(data) * share) // 188 * 188 :])
    return path


def all_noise(path: Path) -> Path:
    """A container in order around packets of noise."""
    data = bytearray(write_video(path).read_bytes())
    rng = random.Random(1)
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for position, size in packets:
        if position is not None:
            # Behind the block's own head: track, time and flags.
            data[position + 8 : position + size] = rng.randbytes(size - 8)
    path.write_bytes(bytes(data))
    return path


def cover_only(path: Path) -> Path:
    """A piece of music with a cover picture."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48_000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.start_encoding()
        for packet in cover.encode(av.VideoFrame(64, 64, "yuvj420p")) + cover.encode(None):
            container.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path
