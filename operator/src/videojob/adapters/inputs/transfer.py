"""Resumable downloads into a cache folder: what S3 and http share.

A cache entry is a folder named by the hash of (uri, version): `part` while it grows, the object's own name once whole.
Because the version is in the name, a partial file can only be continued with the bytes it began with. The cache may be
deleted whenever nothing runs; two processes that want the same entry wait for each other.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from videojob.errors import InputTooLarge, InputUnavailable, SetupError
from videojob.reasons import Where, here

_NAME_CHARACTERS = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_MORE_ROOM = {
    Where.MACHINE: "Free some room, or choose another --output folder.",
    Where.CLUSTER: "Have worker.scratch raised in the chart's values, or split the video.",
}

Progress = Callable[[str, int, int | None], None]
"""Called with (uri, bytes here, bytes in all or None) while a download runs."""


def no_progress(uri: str, received_bytes: int, total_bytes: int | None) -> None:
    """Takes progress and does nothing."""


@dataclass(frozen=True, slots=True)
class TransferPolicy:
    """Limits and patience of a download.

    Attributes:
        max_bytes: larger objects are refused before a byte is stored.
        attempts: tries without a single new byte before giving up.
        first_pause_s: wait before the second try; doubles, up to `max_pause_s`.
        min_bytes_per_s: a transfer slower than this over any `grace_s` or so is given up, however fast it was before:
            a peer that sends a byte a minute must not hold a worker for ever.
        answer_s: within which an http server must send the headers of an answer, and each further piece of it.
        pause, monotonic_s: the clock.
    """

    max_bytes: int = 128 << 30
    attempts: int = 5
    first_pause_s: float = 0.5
    max_pause_s: float = 20.0
    min_bytes_per_s: int = 16 << 10
    grace_s: float = 120.0
    answer_s: float = 60.0
    pause: Callable[[float], None] = time.sleep
    monotonic_s: Callable[[], float] = time.monotonic

    def check_size(self, uri: str, size_bytes: int) -> None:
        """Raises InputTooLarge for what is over the limit."""
        if size_bytes > self.max_bytes:
            raise InputTooLarge(f"{size_bytes:,} bytes, the limit is {self.max_bytes:,}", uri=uri)

    def retrying(self, received: Callable[[], int] = lambda: 0) -> Retrying:
        """Tries again what another try may help, until `attempts` in a row brought nothing new.

        Args:
            received: how many bytes are here; a try that brought some is counted as the first.
        """
        before = received()

        def count(state: RetryCallState) -> None:
            nonlocal before
            state.attempt_number = 1 if received() > before else state.attempt_number
            before = received()

        return Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, InputUnavailable) and error.retryable),
            wait=wait_exponential(multiplier=self.first_pause_s, max=self.max_pause_s),
            stop=stop_after_attempt(self.attempts),
            sleep=self.pause,
            after=count,
            reraise=True,
        )


@dataclass(slots=True)
class Pace:
    """Whether one transfer is fast enough.

    It judges one stretch of `TransferPolicy.grace_s` after the other: an average over all would forgive who began fast.

    Args:
        uri: of the object, for messages.
        policy: says what is fast enough.
    """

    uri: str
    policy: TransferPolicy
    _since_s: float = field(init=False)
    _bytes_since: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """The transfer begins now."""
        self._since_s, self._bytes_since = self.policy.monotonic_s(), 0

    def check(self, more_bytes: int) -> None:
        """Takes note of bytes that came. Raises InputUnavailable when it is too slow."""
        self._bytes_since += more_bytes
        now_s = self.policy.monotonic_s()
        elapsed_s = now_s - self._since_s
        if elapsed_s <= self.policy.grace_s:
            return
        if self._bytes_since < elapsed_s * self.policy.min_bytes_per_s:
            message = f"{self._bytes_since:,} bytes in {elapsed_s:.0f} s is too slow"
            raise InputUnavailable(message, uri=self.uri, retryable=False)
        self._since_s, self._bytes_since = now_s, 0


@dataclass(frozen=True, slots=True)
class Body:
    """An open answer: `chunks` are the object's bytes from `start` on."""

    start: int
    chunks: Iterator[bytes]


OpenBody = Callable[[int], AbstractContextManager[Body]]
"""Opens the object at an offset. The answer may start earlier (at 0, when the server cannot continue).

Raises InputUnavailable when another try may help; any other InputError ends the download.
"""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Where one version of one object lies, or will lie.

    Attributes:
        uri: of the object, for messages.
        path: the whole file; it exists only when it is whole.
    """

    uri: str
    path: Path

    @property
    def part(self) -> Path:
        """The growing file."""
        return self.path.parent / "part"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and keeps other processes out of it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path.parent / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise disk_error(error, self.path.parent) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def cache_entry(folder: Path, uri: str, version: str, name: str) -> CacheEntry:
    """The entry of one version of one object.

    Args:
        folder: the cache.
        uri: the full address, also of what only differs in its query.
        version: what pins the content.
        name: the object's own last name, kept so that people recognise the file.
    """
    key = hashlib.sha256(f"{uri}\n{version}".encode()).hexdigest()[:24]
    safe = _UNSAFE.sub("_", name)[-_NAME_CHARACTERS:]
    return CacheEntry(uri, folder / key / f"video-{safe}")


@dataclass(slots=True)
class Download:
    """One download into a cache entry; see `run`.

    Args:
        entry: where to; the caller holds its lock.
        total_bytes: the object's size, or None when nobody knows.
        policy: limits and patience.
        progress: told after every chunk.
    """

    entry: CacheEntry
    total_bytes: int | None
    policy: TransferPolicy
    progress: Progress = no_progress
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(self.entry.uri, self.policy)

    def run(self, open_body: OpenBody) -> None:
        """Continues the partial file until it is whole, then gives it its name.

        Raises:
            InputUnavailable: no new byte in `attempts` tries, or too slow.
            InputTooLarge, SetupError: over the limit, or no room on the disk.
        """
        part = self.entry.part
        self._pace.start()
        try:
            with part.open("ab") as file:
                self._check_room(file.tell())
                self.policy.retrying(file.tell)(self._receive, file, open_body)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.entry.path)
        except OSError as error:
            raise disk_error(error, part) from error

    def _receive(self, file: BinaryIO, open_body: OpenBody) -> None:
        offset = file.tell()
        if offset == self.total_bytes:
            return
        with open_body(offset) as body:
            if body.start != offset:
                file.truncate(body.start)
                file.seek(body.start)
            for chunk in body.chunks:
                self._pace.check(len(chunk))
                self.policy.check_size(self.entry.uri, file.tell() + len(chunk))
                file.write(chunk)
                self.progress(self.entry.uri, file.tell(), self.total_bytes)
        if self.total_bytes is not None and file.tell() != self.total_bytes:
            raise InputUnavailable(
                f"the transfer ended after {file.tell():,} of {self.total_bytes:,} bytes", uri=self.entry.uri
            )

    def _check_room(self, present: int) -> None:
        free = shutil.disk_usage(self.entry.path.parent).free
        missing = (self.total_bytes or 0) - present
        if missing > free:
            raise SetupError(
                f"{self.entry.uri} needs {missing:,} bytes in {self.entry.path.parent}, {free:,} are free",
                hint=_MORE_ROOM[here()],
                retryable=True,
            )


def disk_error(error: OSError, path: Path) -> SetupError:
    """Our word for what the operating system says of a file that we write."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    what = "the disk is full" if full else (error.strerror or str(error))
    return SetupError(f"{path}: {what}", hint=_MORE_ROOM[here()], retryable=full)
