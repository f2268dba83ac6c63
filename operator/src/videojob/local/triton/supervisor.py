"""A tiny process between us and the server, so that the server never outlives us, however we end.

Started as a plain script with nothing but the standard library. It reads one line of JSON from stdin (`Orders`), starts
the server, and ends it when stdin closes, when the process that started it is gone (watched by a pidfd, because other
children of that process may hold copies of the pipe), or when the server ends by itself. Then it kills whatever the
server left behind (as a subreaper it inherits the Python stubs) and removes the server's files. If somebody kills the
supervisor, the kernel kills the server.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_MS = 500
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the server's own files, recognised by their unguessable prefix


@dataclass(frozen=True)
class Orders:
    """What to run and what to clean.

    Attributes:
        parent: process id that must live.
        command, environment: of the server. log: file for its output.
        limit_s: how long the end may take.
        shared_memory_prefix: names in /dev/shm that are the server's.
        folder: the server's model repository, removed at the end.
    """

    parent: int
    command: list[str]
    environment: dict[str, str]
    log: str
    limit_s: float
    shared_memory_prefix: str
    folder: str


def _die_with_parent() -> None:
    """Runs in the child before exec: SIGKILL when the supervisor is gone, which has one thread, as this needs."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _children_of(parent: int) -> list[int]:
    path = Path(f"/proc/{parent}/task/{parent}/children")
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


def _reap() -> int | None:
    """Collects every ended child; the last one's exit status, or None when all live on."""
    status = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, code = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            status = code
    return status


def _wait_for_end(orders: Orders, server: subprocess.Popen[bytes]) -> None:
    """Returns when the server ended, or has to."""
    poller = select.poll()
    poller.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    watched = [os.pidfd_open(server.pid)]
    with contextlib.suppress(ProcessLookupError):
        watched.append(os.pidfd_open(orders.parent))
    for handle in watched:
        poller.register(handle, select.POLLIN)
    while len(watched) == 2 and os.getppid() == orders.parent:
        for handle, _ in poller.poll(_POLL_MS):
            if handle != sys.stdin.fileno() or not os.read(handle, 4096):
                return


def _stop(server: subprocess.Popen[bytes], limit_s: float) -> None:
    """Kills the server and everything that came out of it: it holds nothing worth a slow goodbye."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    deadline = time.monotonic() + limit_s
    while (left := _children_of(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(0.01)


def _clean(orders: Orders) -> None:
    for path in _SHARED_MEMORY.glob(f"{orders.shared_memory_prefix}*"):
        path.unlink(missing_ok=True)
    shutil.rmtree(orders.folder, ignore_errors=True)


def main() -> int:
    """Runs the server to its end; the exit code is the server's, negative for a signal."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Turns into an orderly end: the handler only interrupts, `finally` does the work.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    orders = Orders(**json.loads(_first_line()))
    server: subprocess.Popen[bytes] | None = None
    try:
        with Path(orders.log).open("ab") as log:
            server = subprocess.Popen(
                orders.command,
                env=orders.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one thread, and nothing else ties the server to us
            )
        _wait_for_end(orders, server)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if server is not None:
            _stop(server, orders.limit_s)
        _clean(orders)
    return server.returncode


def _first_line() -> bytes:
    """Reads unbuffered, so that the poller sees what comes behind the line."""
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(sys.stdin.fileno(), 1)
        if not part:
            sys.exit(0)
        line += part
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
