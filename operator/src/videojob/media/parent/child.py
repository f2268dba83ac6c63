"""One decoder process, seen from its parent: started, spoken to, watched, killed."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from videojob.errors import DecoderCrashed, DecodeTimeout, InputError, SetupError
from videojob.media.protocol import lines as protocol

START_TIMEOUT_S = 60.0
"""How long a fresh process may take to import its libraries and enter its sandbox; machines are busy."""

MODULE = "videojob.media.decoder_process"
"""What the process runs."""

_KEPT_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "TZ", "VIRTUAL_ENV")
_MAX_LINE_BYTES = 64 << 20
_POLL_S = 0.25
_END_S = 1.0
_KILLED_HINT = "No file causes this: give the worker more memory if the system ran out of it."


class Child:
    """A decoder process, the pipes to it, and the socket on which it gets rings.

    The process is killed when the thread that started it ends (Linux binds a parent's death to threads), so that
    thread should be the one that uses it.

    Args:
        heap_bytes: anonymous memory that it may map.

    Raises:
        SetupError: it did not come up; the message has the end of its stderr.
    """

    def __init__(self, heap_bytes: int) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process; closed by `kill`
        # -P: a module in the working folder must not stand in for one of ours.
        command = [sys.executable, "-P", "-m", MODULE, str(os.getpid()), str(heap_bytes)]
        self._rings, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # What it does not take is its fault, and nothing to wait for.
        self._rings.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                bufsize=0,
                env=_environment(),
                pass_fds=(theirs.fileno(),),
            )
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)
        self._unread = bytearray()
        try:
            self.receive(START_TIMEOUT_S, "")
        except InputError as error:
            # No file was opened yet: this is not the input's fault.
            raise SetupError(f"the decoder cannot start: {error.message}") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def send(self, message: protocol.Message, uri: str) -> None:
        """Writes a message. Raises DecoderCrashed when the process is gone."""
        try:
            self._stdin.write(protocol.encode(message))
        except (BrokenPipeError, ValueError) as error:
            raise self.crashed(uri) from error

    def hand_ring(self, path: Path, uri: str) -> None:
        """Gives the process a ring's file, opened, for the `open` that is sent next: it can open none to write.

        Raises:
            SetupError: the file is gone.
            DecoderCrashed: the process is gone, or does not take its rings.
        """
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise SetupError(f"the file behind the ring of frames, {path}, is gone: {error.strerror}") from error
        try:
            socket.send_fds(self._rings, [b"ring"], [handle])
        except BlockingIOError as error:
            raise self.crashed(uri, "does not read its input") from error
        except OSError as error:
            raise self.crashed(uri) from error
        finally:
            os.close(handle)

    def has_word(self) -> bool:
        """Whether a message can be received without waiting."""
        return b"\n" in self._unread or bool(select.select([self._stdout], [], [], 0)[0])

    def receive(self, timeout_s: float, uri: str, is_ours: Callable[[], bool] = lambda: False) -> protocol.Message:
        """The next message.

        Args:
            timeout_s: how long the process may stay silent.
            uri: what it is working on, for messages.
            is_ours: whether the process is waiting for us: its silence is then no fault of its own.

        Raises:
            DecodeTimeout: no word in time; the process is killed.
            DecoderCrashed: the process ended, or sent an invalid message and was killed.
        """
        while (end := self._unread.find(b"\n")) < 0:
            self._unread += self._read(timeout_s, uri, is_ours)
            if len(self._unread) > _MAX_LINE_BYTES:
                raise self.crashed(uri, "sent an endless message")
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        try:
            return protocol.decode(line)
        except ValueError as error:
            raise self.crashed(uri, "sent an invalid message") from error

    def _read(self, timeout_s: float, uri: str, is_ours: Callable[[], bool]) -> bytes:
        silent_since_s = time.monotonic()
        while not select.select([self._stdout], [], [], min(timeout_s, _POLL_S))[0]:
            if is_ours():
                silent_since_s = time.monotonic()
            elif time.monotonic() - silent_since_s >= timeout_s:
                self.kill()
                raise DecodeTimeout(f"the decoder made no progress for {timeout_s:g} s", uri=uri)
        data = os.read(self._stdout.fileno(), 1 << 16)
        if not data:
            raise self.crashed(uri)
        return data

    def crashed(self, uri: str, how: str | None = None) -> DecoderCrashed:
        """Kills the process and returns the error that says how it ended, with the end of its stderr."""
        if how is None:
            code = self._wait(_END_S)
            how = "closed its output" if code is None else _ending(code)
        words = self._stderr_end()
        self.kill()
        message = f"the decoder process {how}{': ' if words else ''}{words}"
        if how == _ending(-signal.SIGKILL):
            return DecoderCrashed(message, uri=uri or None, hint=_KILLED_HINT, retryable=True)
        return DecoderCrashed(message, uri=uri or None)

    def _wait(self, timeout_s: float) -> int | None:
        """Its exit code, soon after its pipe closed."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _stderr_end(self) -> str:
        if self._stderr.closed:
            return ""
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - 2000))
        lines = self._stderr.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def interrupt(self) -> None:
        """Ends it, from any thread; the one that waits for its words learns of it."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def kill(self) -> None:
        """Ends it and collects its exit code; a second call does nothing."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for file in (self._stdin, self._stdout, self._stderr, self._rings):
            file.close()


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _environment() -> dict[str, str]:
    """The child's environment: no credential of the parent's goes into it, and no library starts threads."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    return kept | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
