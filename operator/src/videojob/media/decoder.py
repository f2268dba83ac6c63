"""The parent's side of the decoder process: starts it, watches it, restarts it, and turns its words into frames."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol

from videojob.errors import DecoderCrashed, DecodeTimeout, error_from_dict
from videojob.media import protocol
from videojob.media.values import DecodeReport, DecodeRequest, Frame
from videojob.planning.video import VideoInfo, video_info_from_dict

START_TIMEOUT_S = 30.0
"""How long a fresh process may take to lock itself in; imports on a busy machine."""

PROGRESS_TIMEOUT_S = 30.0
"""How long a decoder may go without decoding one more picture."""


class Ring(Protocol):
    """What the decoder needs of `ports.FrameRing`, which lies in a layer above."""

    @property
    def path(self) -> Path:
        """The file behind the ring."""
        ...

    @property
    def slots(self) -> int:
        """How many frames it holds."""
        ...

    @property
    def slot_bytes(self) -> int:
        """Bytes from one slot's start to the next one's."""
        ...


class _Child:
    """One decoder process and the pipes to it."""

    def __init__(self, timeout_s: float) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        command = [sys.executable, "-m", "videojob.media.decoder_process", str(os.getpid())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, bufsize=0, env=_child_env()
        )
        self._unread = b""
        self.receive(timeout_s, "")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, message: protocol.Message) -> None:
        """Writes a message; raises BrokenPipeError when the child is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(protocol.encode(message))

    def receive(self, timeout_s: float, uri: str) -> protocol.Message:
        """The next message. Raises DecodeTimeout (the child is killed) and DecoderCrashed."""
        while b"\n" not in self._unread:
            self._unread += self._read(timeout_s, uri)
        line, _, self._unread = self._unread.partition(b"\n")
        return protocol.decode(line)

    def _read(self, timeout_s: float, uri: str) -> bytes:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not ready:
            self.kill()
            raise DecodeTimeout(f"the decoder made no progress for {timeout_s:g} s", uri=uri)
        data = os.read(self._process.stdout.fileno(), 1 << 16)
        if not data:
            raise self.crashed(uri)
        return data

    def crashed(self, uri: str) -> DecoderCrashed:
        """The error that says how the child ended."""
        self.kill()
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._stderr.seek(0)
        words = self._stderr.read()[-2000:].decode(errors="replace").strip()
        last = words.splitlines()[-1] if words else ""
        return DecoderCrashed(f"the decoder process {how}{': ' if last else ''}{last}", uri=uri)

    def kill(self) -> None:
        """Ends it and collects its exit code; a second call does nothing."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _child_env() -> dict[str, str]:
    """The child's environment: no credential of the parent's goes into it."""
    keep = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TZ", "SYSTEMROOT", "VIRTUAL_ENV")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    return env | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class DecoderProcess:
    """Implements `ports.Decoder`: one child process for many segments, restarted after a crash.

    Args:
        progress_timeout_s: how long the child may go without progress before it is killed.
    """

    def __init__(self, progress_timeout_s: float = PROGRESS_TIMEOUT_S) -> None:
        self._timeout_s = progress_timeout_s
        self._child: _Child | None = None
        self._open: _OpenSegment | None = None
        self._run = 0

    def probe(self, path: Path, uri: str) -> VideoInfo:
        """What the video is, found out inside the child. Raises InputError subclasses."""
        self._drop_open()
        child = self._started()
        try:
            child.send({"op": "probe", "path": str(path), "uri": uri})
        except BrokenPipeError:
            raise child.crashed(uri) from None
        message = child.receive(self._timeout_s, uri)
        if "error" in message:
            raise error_from_dict(message["error"])
        return video_info_from_dict(message["info"])

    def open(self, request: DecodeRequest, ring: Ring) -> _OpenSegment:
        """Starts decoding a segment into the ring; what was open before is dropped."""
        self._drop_open()
        child = self._started()
        self._run += 1
        where = {"path": str(ring.path), "slots": ring.slots, "slot_bytes": ring.slot_bytes}
        message = protocol.request_to_message(request) | {"op": "open", "run": self._run, "ring": where}
        try:
            child.send(message)
        except BrokenPipeError:
            raise child.crashed(request.info.uri) from None
        self._open = _OpenSegment(child, request, self._run, self._timeout_s)
        return self._open

    def close(self) -> None:
        """Ends the process; a second call does nothing."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _started(self) -> _Child:
        if self._child is None or self._child._process.poll() is not None:
            self._child = _Child(START_TIMEOUT_S)
        return self._child

    def _drop_open(self) -> None:
        if self._open is not None:
            self._open.drop()
            self._open = None


class _OpenSegment:
    """Implements `ports.SegmentFrames`."""

    def __init__(self, child: _Child, request: DecodeRequest, run: int, timeout_s: float) -> None:
        self._child = child
        self._info = request.info
        self._segment = request.segment.index
        self._run = run
        self._timeout_s = timeout_s
        self._report: DecodeReport | None = None
        self._ended = False

    def __iter__(self) -> Iterator[Frame]:
        seq = 0
        while not self._ended:
            message = self._child.receive(self._timeout_s, self._info.uri)
            if message.get("run") != self._run:
                continue
            for pts, slot in message.get("frames", ()):
                yield Frame(seq=seq, pts=pts, time_ms=self._info.time_ms(pts), slot=slot)
                seq += 1
            if "report" in message:
                self._report = protocol.report_from_message(message["report"])
                self._ended = True
            elif "error" in message:
                self._ended = True
                error = error_from_dict(message["error"])
                error.segment = self._segment
                raise error

    def release(self, slot: int) -> None:
        """Gives a slot back."""
        if not self._ended:
            with contextlib.suppress(BrokenPipeError):
                self._child.send({"op": "release", "run": self._run, "slots": [slot]})

    def report(self) -> DecodeReport:
        """What the decoding came to; raises RuntimeError before the last frame."""
        if self._report is None:
            raise RuntimeError("the report comes behind the last frame")
        return self._report

    def drop(self) -> None:
        """Tells the child to stop; its late words are skipped."""
        if not self._ended:
            self._ended = True
            with contextlib.suppress(BrokenPipeError):
                self._child.send({"op": "drop", "run": self._run})
