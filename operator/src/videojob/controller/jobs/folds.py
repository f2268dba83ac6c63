"""Folding jobs outside of their reconciles: one at a time, in a process of their own (`worker.fold.process`).

A fold takes minutes and memory by the size of its job. So a reconcile only asks for it, ends, and comes again when the
fold has; the process may take so much memory and no more, and with it goes whatever it did. It runs in the controller's
pod: only the controller's role may write summaries, no tenant's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Protocol, cast

from videojob.controller.keys import JobKey
from videojob.errors import FoldFailed, VideoJobError
from videojob.worker.fold.messages import MODULE, Folded, FoldRequest, ended_from_line

_LOG = logging.getLogger(__name__)

FOLD_BYTES = 256 << 20
"""Resident memory of a fold's process, at most; the chart's limit of the controller has room for one."""

_CODE_BYTES = 32 << 20  # of that: pages of libraries, which no limit on data counts
_TRIES = 3
_SILENT_S = 300.0
_END_S = 5.0
_KEPT_SEGMENTS = 2000
"""A process that folded a job of at most so many goes on to the next one: starting takes longer than folding these."""
_IDLE_S = 30.0  # after which one that nobody needs is ended


class Folding(Protocol):
    """Folds jobs, whenever their turn comes."""

    def ask(self, key: JobKey, request: FoldRequest) -> Folded | None:
        """How the fold of this run ended, once; None while it is waited for, which asking for it brings about.

        Raises:
            VideoJobError: the fold ended in this error; asked again, it is tried again.
        """
        ...

    def has(self, key: JobKey) -> bool:
        """Whether a job's fold is queued or running."""
        ...

    def forget(self, key: JobKey) -> None:
        """A job is gone: so is its fold."""
        ...


@dataclass(frozen=True, slots=True)
class FoldLimits:
    """How a fold is run.

    Attributes:
        memory_bytes: of its process, at most.
        silent_s: after which a process that does not tell that it makes progress is killed.
        tries: how often one that ends without a word is started.
        command: that is given the pid of its parent and how much it may allocate.
    """

    memory_bytes: int = FOLD_BYTES
    silent_s: float = _SILENT_S
    tries: int = _TRIES
    command: Sequence[str] = (sys.executable, "-P", "-m", MODULE)


@dataclass(slots=True)
class _Asked:
    """One fold that was asked for."""

    key: JobKey
    request: FoldRequest
    process: subprocess.Popen[bytes] | None = None
    is_over: bool = False

    @property
    def run(self) -> tuple[str, int]:
        return self.request.run.uid, self.request.run.epoch


class Folds(Folding):
    """`Folding` by processes; for all threads.

    Args:
        wake: notified of each job whose fold has ended; from a thread of its own.
        limits: see there.
    """

    def __init__(self, wake: Callable[[JobKey], None], limits: FoldLimits | None = None) -> None:
        self._wake = wake
        self._limits = FoldLimits() if limits is None else limits
        self._changed = threading.Condition()
        self._waiting: dict[JobKey, _Asked] = {}
        self._ended: dict[JobKey, tuple[tuple[str, int], Folded | VideoJobError]] = {}
        self._in_hand: _Asked | None = None
        self._process: subprocess.Popen[bytes] | None = None  # of the thread alone
        self._closed = False
        # Its processes end with this thread: the kernel binds a child's life to the thread that started it.
        self._thread = threading.Thread(target=self._serve, name="folds", daemon=True)
        self._thread.start()

    def ask(self, key: JobKey, request: FoldRequest) -> Folded | None:
        asked = _Asked(key, request)
        with self._changed:
            run, ended = self._ended.pop(key, (("", 0), None))
            if ended is None or run != asked.run:
                known = self._waiting.get(key) or self._in_hand_of(key)
                if known is not None and known.run == asked.run:
                    return None
                self._drop(key)  # of an older run
                self._waiting[key] = asked
                self._changed.notify_all()
                return None
        if isinstance(ended, VideoJobError):
            raise ended
        return ended

    def has(self, key: JobKey) -> bool:
        with self._changed:
            return key in self._waiting or self._in_hand_of(key) is not None

    def forget(self, key: JobKey) -> None:
        with self._changed:
            self._ended.pop(key, None)
            self._drop(key)

    def close(self) -> None:
        """Kills the fold in hand and begins no other; does not wait."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            if self._in_hand is not None:
                _kill(self._in_hand)
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Whether nothing of it is left, within that time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _in_hand_of(self, key: JobKey) -> _Asked | None:
        in_hand = self._in_hand
        return in_hand if in_hand is not None and in_hand.key == key and not in_hand.is_over else None

    def _drop(self, key: JobKey) -> None:
        self._waiting.pop(key, None)
        in_hand = self._in_hand_of(key)
        if in_hand is not None:
            _kill(in_hand)

    def _serve(self) -> None:
        try:
            while (asked := self._next()) is not None:
                ended = self._fold(asked)
                with self._changed:
                    self._in_hand = None
                    if asked.is_over or self._closed:
                        continue
                    self._ended[asked.key] = asked.run, ended
                self._wake(asked.key)
        finally:
            self._end_process()

    def _next(self) -> _Asked | None:
        """The fold whose turn it is; None once these are closed."""

        def is_due() -> bool:
            return self._closed or bool(self._waiting)

        with self._changed:
            if not self._changed.wait_for(is_due, _IDLE_S):
                self._end_process()
                self._changed.wait_for(is_due)
            if self._closed:
                return None
            asked = self._in_hand = self._waiting.pop(next(iter(self._waiting)))
            return asked

    def _fold(self, asked: _Asked) -> Folded | VideoJobError:
        about = {"namespace": asked.key[0], "job": asked.key[1], "segments": asked.request.head.segments}
        words = ""
        for attempt in range(1, self._limits.tries + 1):
            began_s = time.monotonic()
            try:
                ended = self._attempt(asked)
            except (OSError, ValueError, _Mute) as error:
                words = f"{type(error).__name__}: {error}" if not isinstance(error, _Mute) else str(error)
                if asked.is_over:
                    break
                _LOG.warning("a fold ended without an answer", extra={**about, "attempt": attempt, "error": words})
                continue
            if type(ended) is VideoJobError:  # a fault of the program
                words = f"failed: {ended.message}"
                continue
            _LOG.info("folded", extra={**about, "took_s": round(time.monotonic() - began_s, 1)})
            return ended
        return FoldFailed(f"the summary could not be made in {self._limits.tries} tries: its process {words}")

    def _attempt(self, asked: _Asked) -> Folded | VideoJobError:
        with self._changed:
            if asked.is_over:
                raise _Mute("was cancelled")
            if self._process is None or self._process.poll() is not None:
                self._end_process()
                self._process = self._start()
            process = asked.process = self._process
        is_kept = False
        try:
            cast("IO[bytes]", process.stdin).write(asked.request.encode())
            ended = _answer(cast("IO[bytes]", process.stdout), self._limits.silent_s)
            is_kept = isinstance(ended, Folded) and asked.request.head.segments <= _KEPT_SEGMENTS
            return ended
        except _Mute as error:
            if str(error):
                raise
            raise _Mute(_ending(process)) from None
        finally:
            if not is_kept:
                self._end_process()

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                cast("IO[bytes]", pipe).close()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [*self._limits.command, str(os.getpid()), str(self._limits.memory_bytes - _CODE_BYTES)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=_environment(os.environ)
        )


class _Mute(Exception):
    """A process ended, or was ended, without an answer; how, as far as that is known."""


def _kill(asked: _Asked) -> None:
    asked.is_over = True
    if asked.process is not None:
        with contextlib.suppress(ProcessLookupError):
            asked.process.kill()


def _answer(stdout: IO[bytes], silent_s: float) -> Folded | VideoJobError:
    """What the process answers at last. Raises _Mute, and ValueError for an invalid one."""
    unread = b""
    while True:
        if not select.select([stdout], [], [], silent_s)[0]:
            raise _Mute(f"made no progress for {silent_s:.0f} s")
        data = os.read(stdout.fileno(), 1 << 16)
        if not data:
            raise _Mute
        *lines, unread = (unread + data).split(b"\n")
        for line in lines:
            ended = ended_from_line(line)
            if ended is not None:
                return ended


def _ending(process: subprocess.Popen[bytes]) -> str:
    try:
        code = process.wait(_END_S)
    except subprocess.TimeoutExpired:
        return "closed its output"
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """The controller's, with its AWS rights; but numpy starts no threads, and freed memory goes back.

    Columns that grow get pages of their own, which the kernel moves: in the heap each growth of one would leave a hole
    where it was, and nine columns that grow by turns take more than twice their size.
    """
    memory = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    return {**own, **memory, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
