"""Files and folders on this machine."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

from videojob.adapters.inputs.naming import left_out_text, looks_like_video, may_be_video, natural_key
from videojob.errors import InputChanged, InputError, InputNotFound
from videojob.ports.inputs import FetchedInput, Paging
from videojob.printable import printable

_SAMPLE_BYTES = 1 << 20


class LocalFiles:
    """Implements `ports.InputFetcher` for paths; nothing is copied.

    A folder stands for its direct children that look like a video (`naming.VIDEO_EXTENSIONS`, hidden names left
    out), in natural order of their names; subfolders are not entered.

    Args:
        base: the manifest's folder, where relative paths start.
        left_out: notified of what is not taken from a folder, though it may be or hold a video.
    """

    def __init__(self, base: Path, left_out: Callable[[str], None] = lambda _: None) -> None:
        self._base = base
        self._left_out = left_out

    def expand(self, path: str) -> list[str]:
        """The files that `path` stands for, each named as the manifest would name it.

        A name in a folder may hold bytes that are not UTF-8. It is listed as Python keeps it, so that `fetch` can
        refuse it by name; `shown_path` makes text of it.

        Raises:
            InputNotFound: nothing there, not readable, or a folder without a video.
        """
        full = self._base / path
        try:
            if not full.is_dir():
                return [path]
            entries = list(full.iterdir())
            children = [child.name for child in entries if looks_like_video(child.name) and child.is_file()]
            others = [printable(child.name) for child in entries if may_be_video(child.name) and child.is_file()]
            folders = [printable(child.name) for child in entries if child.name[0] != "." and child.is_dir()]
        except OSError as error:
            raise _not_found(path, full, error) from error
        left_out = left_out_text(shown_path(path), others, folders)
        if left_out:
            self._left_out(left_out)
        if not children:
            raise InputNotFound(
                f"the folder {_place(full.resolve())} holds no video file",
                uri=path,
                hint="Only files directly in it count, by extension (.mp4, .mov, …); name other files one by one.",
            )
        return [os.path.join(path, name) for name in sorted(children, key=natural_key)]  # noqa: PTH118 - keeps the "./"

    def fetch(self, uri: str, version: str | None, folder: Path) -> FetchedInput:  # noqa: ARG002 - nothing is downloaded
        """The file behind a path.

        Args:
            uri: path, relative to the base or absolute.
            version: the fingerprint it must have, or None.
            folder: not used.

        Raises:
            InputNotFound: nothing there, not readable, not a regular file.
            InputError: its name is not UTF-8: results, which are text, could not say which video it was.
            InputChanged: another fingerprint than asked for.
        """
        if not _is_text(uri):
            raise InputError(
                "the file's name is not UTF-8 text, so results could not name it",
                uri=shown_path(uri),
                hint=r"Rename the file; the bytes that are not UTF-8 are those written as \x here.",
            )
        full = self._base / uri
        try:
            resolved = full.resolve(strict=True)
            found = fingerprint(resolved)
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
            raise _not_found(uri, full, error) from error
        if version is not None and version != found:
            raise InputChanged("the file has changed since the job started", uri=uri)
        return FetchedInput(uri, resolved, found)

    def page(self, uri: str, version: str | None, folder: Path, paging: Paging) -> None:
        """None: the file is here."""


def shown_path(path: str) -> str:
    r"""A path as text that results can hold: itself, or with its bytes that are not UTF-8 written as `\xe9`."""
    return path if _is_text(path) else printable(path)


def fingerprint(path: Path) -> str:
    """What pins a file: "file:" and a sha256 over its length, its time of change and its first and last MiB.

    Not a hash of everything, which would read a terabyte before the first frame. A file that was edited in the middle
    with its length and its time of change put back is not noticed.

    Raises:
        OSError: not there, not readable; IsADirectoryError or OSError for what is no regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO must not block here
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"not a regular file but {_kind(status.st_mode)}")
        digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns} ".encode())
        digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(0, status.st_size - _SAMPLE_BYTES))
        digest.update(file.read(_SAMPLE_BYTES))
    return f"file:{digest.hexdigest()}"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place(path: Path) -> str:
    """A path inside a message; its own text would not always be text."""
    return printable(str(path))


def _not_found(uri: str, full: Path, error: Exception) -> InputNotFound:
    place = _place(full.absolute())
    if isinstance(error, FileNotFoundError):
        return InputNotFound(f"there is no file {place}", uri=uri, hint="Paths start at the manifest's folder.")
    if isinstance(error, PermissionError):
        return InputNotFound(f"{place} may not be read", uri=uri, hint="Give this user the right to read it.")
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return InputNotFound(f"{place} cannot be used: {words}", uri=uri)
