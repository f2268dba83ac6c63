"""The ring of frame slots: views without copies, bounds, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from videojob.errors import SetupError
from videojob.media.parent.rings import RingHolder
from videojob.media.protocol.ring import FileRing


def test_what_is_written_to_a_slot_is_seen_through_every_view_of_it() -> None:
    ring = FileRing(4, 2 * 3 * 3)
    ring.view(1, 2, (2, 3, 3))[:] = 7
    assert ring.view(0, 1, (2, 3, 3)).max() == 0
    assert ring.view(2, 1, (2, 3, 3)).min() == 7
    assert ring.path.read_bytes()[18:54] == b"\x07" * 36
    ring.close()


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 0), (3, 2), (4, 1)])
def test_slots_outside_the_ring_are_refused(first: int, count: int) -> None:
    ring = FileRing(4, 12)
    with pytest.raises(IndexError):
        ring.view(first, count, (2, 2, 3))
    ring.close()


def test_a_closed_ring_leaves_no_file_and_closing_twice_does_no_harm() -> None:
    ring = FileRing(1, 12)
    ring.close()
    ring.close()
    assert not ring.path.exists()


def test_the_file_of_a_killed_process_goes_with_the_next_ring() -> None:
    script = (
        "import os, signal; from videojob.media.protocol.ring import FileRing;"
        "print(FileRing(1, 12).path, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    left = Path(killed.stdout.strip())
    assert left.exists()
    FileRing(1, 12).close()
    assert not left.exists()


def own_ring_files() -> set[str]:
    """Those that this process has open or mapped, deleted ones, too: others use the same place at the same time."""
    opened = {str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()}
    mapped = {line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    return {name for name in opened | mapped if "videojob-ring-" in name}


def test_a_ring_that_fits_nowhere_is_named_before_any_frame(tmp_path: Path) -> None:
    size = 2 * max(room.f_frsize * room.f_blocks for room in (os.statvfs("/dev/shm"), os.statvfs(tmp_path)))
    before = own_ring_files()
    with pytest.raises(SetupError, match="no room"):
        FileRing(1, size)
    assert own_ring_files() == before


def test_a_ring_is_kept_while_frames_keep_their_size() -> None:
    holder = RingHolder()
    first = holder.ring(4, 12)
    assert holder.ring(4, 12) is first
    other = holder.ring(4, 24)
    assert other is not first
    assert not first.path.exists()
    holder.close()
    assert not other.path.exists()
