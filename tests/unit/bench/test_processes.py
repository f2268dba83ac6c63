"""What /proc says of a process tree: read, never timed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from bench import processes


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that says when it runs and lives until its stdin closes."""
    code = "import sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        yield process


def test_a_tree_holds_its_root_and_what_it_started(child: subprocess.Popen[bytes]) -> None:
    assert {os.getpid(), child.pid} <= set(processes.tree(os.getpid()))
    assert child.pid in processes.children(os.getpid())
    assert processes.tree(child.pid) == [child.pid]


def test_cpu_time_of_a_tree_counts_each_process_once(child: subprocess.Popen[bytes]) -> None:
    assert processes.cpu_s(os.getpid(), child.pid) >= processes.cpu_s(child.pid) >= 0


def test_the_machine_was_busy_at_least_as_long_as_its_processes(child: subprocess.Popen[bytes]) -> None:
    assert processes.machine_cpu_s() >= processes.cpu_s(child.pid)


def test_peak_memory_is_told_of_the_living_only(child: subprocess.Popen[bytes]) -> None:
    assert processes.peak_rss_bytes(child.pid) > 1_000_000
    child.communicate()
    assert processes.peak_rss_bytes(child.pid) == 0
