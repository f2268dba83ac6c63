"""A tiny process between us and the server: the server never outlives us, and comes back when it dies under us.

Started as a plain script with nothing but the standard library. It reads one line of JSON from stdin (`Orders`) and
starts the server. The end comes when stdin closes, or when the process that started it is gone (watched by a pidfd,
because other children of that process may hold copies of the pipe). Then it kills the server and whatever came out of
it (as a subreaper it inherits the Python stubs) and removes the server's files. If somebody kills the supervisor, the
kernel kills the server.

A line "ready" on stdin arms the restart: from then on, a server that dies, or one of whose stubs dies (Triton does not
replace it, and answers with errors for ever), is started again on the same ports, a few times. Clients retry meanwhile.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_MS = 50
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the server's own files, recognised by their unguessable prefix


@dataclass(frozen=True)
class Orders:
    """What to run and what to clean.

    Attributes:
        parent: process id that must live.
        command: of the server.
        environment: of the server, all of it.
        log: file for the server's output.
        ready_port: where it listens once its models are loaded.
        restarts: how often a server that was ready may be started again.
        limit_s: how long the end may take.
        shared_memory_prefix: names in /dev/shm that are the server's.
        folder: the server's model repository, removed at the end.
    """

    parent: int
    command: list[str]
    environment: dict[str, str]
    log: str
    ready_port: int
    restarts: int
    limit_s: float
    shared_memory_prefix: str
    folder: str


class Watch:
    """Waits for whatever ends first: the owner, or a process of the server. Sleeps once it knows all of them."""

    def __init__(self, orders: Orders) -> None:
        self.armed = False
        self._port = orders.ready_port
        self._poller = select.poll()
        self._poller.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
        self._parent = _pidfd(orders.parent)
        self._parts: dict[int, int] = {}
        if self._parent is not None:
            self._poller.register(self._parent, select.POLLIN)

    def owner_gone(self, server: int) -> bool:
        """Returns at the end of something: True when it is the owner's end or wish, False when the server failed."""
        self._add(server)
        complete = False
        try:
            while self._parent is not None:
                if self.armed and not complete and _answers(self._port):
                    # Not earlier: while it starts, Triton has stubs that end as they should.
                    complete = True
                    for pid in _children_of(server):
                        self._add(pid)
                growing = self.armed and not complete
                events = {handle for handle, _ in self._poller.poll(_POLL_MS if growing else None)}
                if self._parent in events or (sys.stdin.fileno() in events and not self._listen()):
                    return True
                if not events.isdisjoint(self._parts.values()):
                    return False
            return True
        finally:
            self._forget()

    def _listen(self) -> bool:
        """Reads what the owner says; False when it hung up."""
        said = os.read(sys.stdin.fileno(), 4096)
        self.armed = self.armed or bool(said)
        return bool(said)

    def _add(self, pid: int) -> None:
        handle = None if pid in self._parts else _pidfd(pid)
        if handle is not None:
            self._parts[pid] = handle
            self._poller.register(handle, select.POLLIN)

    def _forget(self) -> None:
        for handle in self._parts.values():
            self._poller.unregister(handle)
            os.close(handle)
        self._parts.clear()


def _answers(port: int) -> bool:
    """Whether the server listens; Triton opens its HTTP port when its models are loaded."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _children_of(parent: int) -> list[int]:
    """Every thread's children: Triton starts stubs from several."""
    found: list[int] = []
    for path in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in path.read_text().split()]
    return found


def _die_with_parent() -> None:
    """Runs in the child before exec: SIGKILL when the supervisor is gone, which has one thread, as this needs."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(orders: Orders) -> subprocess.Popen[bytes]:
    with Path(orders.log).open("ab") as log:
        return subprocess.Popen(
            orders.command,
            env=orders.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one thread, and nothing else ties the server to us
        )


def _stop(server: subprocess.Popen[bytes], orders: Orders) -> None:
    """Kills the server and everything that came out of it, removes its memory; it holds nothing worth a goodbye."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    deadline = time.monotonic() + orders.limit_s
    while (left := _children_of(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap()
        time.sleep(0.01)
    for path in _SHARED_MEMORY.glob(f"{orders.shared_memory_prefix}*"):
        path.unlink(missing_ok=True)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _note(orders: Orders, words: str) -> None:
    with Path(orders.log).open("a", encoding="utf-8") as log:
        log.write(f"supervisor: {words}\n")


def supervise(orders: Orders) -> int:
    """Runs the server until the owner's end or the last restart; the exit code is the server's last one."""
    watch = Watch(orders)
    left = orders.restarts
    while True:
        server = _start(orders)
        try:
            over = watch.owner_gone(server.pid) or not watch.armed or not left
        finally:
            _stop(server, orders)
        if over:
            return server.returncode
        left -= 1
        _note(orders, f"the server or one of its processes died ({server.returncode}); restarted, {left} restarts left")


def main() -> int:
    """Reads the orders and carries them out."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Turns into an orderly end: the handler only interrupts, `finally` does the work.
    signal.signal(signal.SIGTERM, _leave)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    orders = Orders(**json.loads(_first_line()))
    try:
        return supervise(orders)
    finally:
        shutil.rmtree(orders.folder, ignore_errors=True)


def _leave(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


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
