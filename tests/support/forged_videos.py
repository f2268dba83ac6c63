"""MP4s whose header declares far more than the file holds, made on the spot from small sound ones."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

from support.bad_videos import SOUND, box, faststart, patched, sound_bytes
from support.videos import Spec, write_video

MANY = 80_000_000
TABLES = ("stts", "ctts", "stss", "stsc", "stco", "stsz")
_TO_TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def samples_of_one_size(path: Path, count: int = MANY) -> Path:
    """Tables that say in a few bytes: so many samples of one byte each, all in one chunk."""
    data = sound_bytes(path.parent)
    (size, _), (chunk, _), (time, _) = (box(data, *_TO_TABLES, kind) for kind in (b"stsz", b"stsc", b"stts"))
    data = patched(path, data, size + 12, struct.pack(">II", 1, count)).read_bytes()
    data = patched(path, data, chunk + 16, struct.pack(">III", 1, count, 1)).read_bytes()
    return patched(path, data, time + 16, struct.pack(">II", count, 512))


def entries(kind: bytes) -> Callable[[Path], object]:
    """An MP4 with so many entries in one of its tables."""

    def make(path: Path) -> Path:
        data = write_video(path, Spec(frames=60, options=SOUND.options)).read_bytes()
        start, _ = box(data, *_TO_TABLES, kind)
        # stsz has the size of all samples in front of the count.
        return patched(path, data, start + (16 if kind == b"stsz" else 12), struct.pack(">I", MANY))

    return make


def edits(path: Path) -> Path:
    """An edit list with so many edits."""
    data = sound_bytes(path.parent)
    start, _ = box(data, b"moov", b"trak", b"edts", b"elst")
    return patched(path, data, start + 12, struct.pack(">I", MANY))


def run_of_a_fragment(path: Path) -> Path:
    """A fragment with so many samples."""
    data = write_video(path, Spec(mux_options={"movflags": "frag_keyframe+empty_moov"})).read_bytes()
    start, _ = box(data, b"moof", b"traf", b"trun")
    return patched(path, data, start + 12, struct.pack(">I", MANY))


def plain_sound(path: Path) -> Path:
    """A sound track of so many numbers in one chunk, beside a sound video."""
    write_video(path, faststart(), audio=True)
    data = path.read_bytes()
    moov, end = box(data, b"moov")
    sound = data.index(b"soun", moov, end)
    time, chunk = (data.index(kind, sound, end) for kind in (b"stts", b"stsc"))
    data = patched(path, data, time + 8, struct.pack(">III", 1, 5, 1)).read_bytes()
    return patched(path, data, chunk + 8, struct.pack(">IIII", 1, 1, 0xFFFFFFFF, 1))
