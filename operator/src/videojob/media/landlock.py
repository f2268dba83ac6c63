"""Takes the right to change files from a process, where the kernel has Landlock (Linux 5.13). Decoder process only.

Reading stays free: which file a segment lies in is not known when the process locks itself in, and libraries are
loaded late. What Landlock also brings, unasked: who is locked in can look into no process outside (/proc/PID/mem).
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from videojob.errors import SetupError

# The same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1

_WRITE_FILE = 1 << 1
_EDITS = ((1, 0x1FF0), (2, 1 << 13), (3, 1 << 14))
"""(first version that has them, rights): remove and make anything; link and rename across folders; truncate."""


def version() -> int:
    """What the kernel has of Landlock; 0 for nothing, or when a container's profile forbids to ask."""
    return max(0, _call(_CREATE_RULESET, None, 0, _ASK_VERSION))


def make_read_only(written: Iterable[Path]) -> bool:
    """Forbids this thread, and those that it starts, to change a file, for good; `no_new_privs` must be set.

    Args:
        written: folders in which files that are there already may be written, but not made, cut or removed.

    Returns:
        Whether the kernel could; else nothing is changed.

    Raises:
        SetupError: the kernel says that it can, and then does not.
    """
    known = version()
    if not known:
        return False
    handled = _WRITE_FILE | sum(rights for since, rights in _EDITS if since <= known)
    ruleset = _checked(_call(_CREATE_RULESET, struct.pack("=Q", handled), 8, 0))
    try:
        for folder in written:
            handle = os.open(folder, os.O_PATH | os.O_CLOEXEC)
            try:
                _checked(_call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", _WRITE_FILE, handle), 0))
            finally:
                os.close(handle)
        _checked(_call(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def _call(number: int, *arguments: int | bytes | None) -> int:
    values = [ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments]
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *values))


def _checked(result: int) -> int:
    if result < 0:
        raise SetupError(f"the decoder could not give up writing files: {os.strerror(ctypes.get_errno())}")
    return result
