"""What a process says of its memory, and what a container may still take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from videojob.memory import free_memory_bytes, memory_limit_bytes

_GIB = 1 << 30


def machine(folder: Path, available_bytes: int) -> Path:
    path = folder / "meminfo"
    path.write_text(
        f"MemTotal: 99999999 kB\nMemAvailable: {available_bytes >> 10} kB\nHugePages_Total: 0\n", encoding="ascii"
    )
    return path


def written(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n", encoding="ascii")
    return folder / "cgroup"


def test_the_machine_has_memory_to_give() -> None:
    assert free_memory_bytes() > 100 << 20


@pytest.mark.parametrize(
    "files",
    [
        {
            "memory.max": 4 * _GIB,
            "memory.current": 4 * _GIB - 4096,
            "memory.stat": f"anon 1\nfile {9 * _GIB}\nactive_file {_GIB}\ninactive_file {2 * _GIB - 4096}",
        },
        {
            "memory/memory.limit_in_bytes": 4 * _GIB,
            "memory/memory.usage_in_bytes": 4 * _GIB - 4096,
            "memory/memory.stat": f"inactive_file 7\ntotal_active_file {_GIB}\ntotal_inactive_file {2 * _GIB - 4096}",
        },
    ],
    ids=["version 2", "version 1"],
)
def test_the_page_cache_of_a_container_is_free(files: dict[str, object], tmp_path: Path) -> None:
    cgroup = written(tmp_path, files)
    assert free_memory_bytes(meminfo=machine(tmp_path, 64 * _GIB), cgroup=cgroup) == 3 * _GIB


def test_a_container_without_a_limit_has_what_its_machine_has(tmp_path: Path) -> None:
    cgroup = written(tmp_path, {"memory.max": "max", "memory.current": _GIB, "memory.stat": "inactive_file 5"})
    assert free_memory_bytes(meminfo=machine(tmp_path, 2 * _GIB), cgroup=cgroup) == 2 * _GIB


def test_a_container_that_has_more_than_its_limit_has_nothing_to_give(tmp_path: Path) -> None:
    cgroup = written(tmp_path, {"memory.max": _GIB, "memory.current": 2 * _GIB})
    assert free_memory_bytes(meminfo=machine(tmp_path, 2 * _GIB), cgroup=cgroup) == 0


def test_nothing_is_free_where_nobody_says(tmp_path: Path) -> None:
    assert free_memory_bytes(meminfo=tmp_path / "none", cgroup=tmp_path) == 0


def test_the_child_of_a_large_process_does_not_call_itself_large() -> None:
    code = "from videojob.memory import peak_rss_bytes; print(peak_rss_bytes())"
    large = (
        "import subprocess, sys; content = b'x' * (300 << 20); "
        "sys.stdout.write(subprocess.run([sys.executable, '-c', sys.argv[1]], capture_output=True).stdout.decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", large, code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert 1 << 20 < int(done.stdout) < 200 << 20


@pytest.mark.parametrize(
    ("files", "limit_bytes"),
    [
        ({"memory.max": 2 * _GIB}, 2 * _GIB),
        ({"memory/memory.limit_in_bytes": 3 * _GIB}, 3 * _GIB),
        ({"memory.max": "max"}, None),
        ({"memory/memory.limit_in_bytes": 9223372036854771712}, None),
        ({}, None),
    ],
)
def test_the_limit_of_a_container(tmp_path: Path, files: dict[str, object], limit_bytes: int | None) -> None:
    assert memory_limit_bytes(cgroup=written(tmp_path, files)) == limit_bytes
