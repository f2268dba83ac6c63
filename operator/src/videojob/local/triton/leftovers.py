"""Names of what a server has on this machine, made so that a later start can tell what nobody owns any more."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path

_PREFIX = "videojob-triton-"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - our own files, recognised by their prefix


def new_prefix() -> str:
    """Begins the names of one server's files: this process's id, then something unguessable."""
    return f"{_PREFIX}{os.getpid()}-{secrets.token_hex(6)}-"


def new_folder(prefix: str) -> Path:
    """An empty private folder for a server's model repository."""
    return Path(tempfile.mkdtemp(prefix=prefix))


def remove(prefix: str) -> None:
    """Removes every file and folder whose name begins so."""
    for path in [*_SHARED_MEMORY.glob(f"{prefix}*"), *Path(tempfile.gettempdir()).glob(f"{prefix}*")]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink()


def sweep() -> None:
    """Removes what belongs to processes that are gone, as after somebody killed starter and supervisor both."""
    for folder in (_SHARED_MEMORY, Path(tempfile.gettempdir())):
        for path in folder.glob(f"{_PREFIX}*"):
            owner = path.name.removeprefix(_PREFIX).split("-", 1)[0]
            if owner.isdigit() and not Path(f"/proc/{owner}").exists():
                remove(path.name)
