"""Files that appear under their name only when they are complete.

A file is written beside its place as `.<name>.<pid>.part`, reaches the disk, and gets its name by one atomic rename. So
a killed writer leaves nothing half written under a name that counts, and two writers of one file never mix; what the
killed one left is removed by the next writer of the same file. Programs that read whole folders pass over such names.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from videojob.errors import SinkError
from videojob.media.protocol.ring import is_running

_SUFFIX = ".part"


class PartFile:
    """One file on its way.

    Args:
        path: where it appears on `publish`.
        what: names it in messages, as "detections file".
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._prefix = f".{path.name}."
        self.part = path.with_name(f"{self._prefix}{os.getpid()}{_SUFFIX}")
        self._what = what

    @contextmanager
    def errors(self, kind: type[Exception] = OSError) -> Iterator[None]:
        """Turns OSError, and a library's own `kind`, into a SinkError that names the file."""
        try:
            yield
        except (OSError, kind) as error:
            raise SinkError(
                f"the {self._what} cannot be written: {getattr(error, 'strerror', None) or error}",
                uri=str(self.path),
                hint="Check that the folder is writable and that the disk has room.",
            ) from error

    def make_folder(self) -> None:
        """Makes the file's folder. Raises OSError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def sync(self) -> None:
        """Brings the closed part to the disk: a power cut must not leave a name without content. Raises OSError."""
        with self.part.open("rb+") as file:
            os.fsync(file.fileno())

    def publish(self) -> None:
        """Gives the part its name, in place of an earlier file, and sweeps what dead writers left. Raises OSError."""
        self.part.replace(self.path)
        for part in self.path.parent.glob(f"{glob.escape(self._prefix)}*{_SUFFIX}"):
            owner = part.name.removeprefix(self._prefix).removesuffix(_SUFFIX)
            if owner.isdigit() and not is_running(int(owner)):
                part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Removes the part; a disk that refuses even that leaves it to the next writer."""
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)
