"""Takes the right to change files from a process, where the kernel has Landlock (Linux 5.13). Decoder process only.

Reading stays free: which file a segment lies in is not known when the process enters its sandbox, and libraries are
loaded late. What Landlock also brings, unasked: the sandboxed process can look into no process outside (/proc/PID/mem).
Newer kernels add more: no truncating (6.2), no TCP (6.7), no requests to devices (6.10), no signals to processes
outside and no abstract sockets of theirs (6.12).
"""

from __future__ import annotations

import ctypes
import os
import struct

from videojob.errors import SetupError

# The same on every architecture.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_ASK_VERSION = 1

_FILES = ((1, 0x1FF2), (2, 1 << 13), (3, 1 << 14), (5, 1 << 15))
"""(first version that has them, rights): write, remove and make anything; link and rename across folders; truncate;
requests to devices."""
_NETWORK = ((4, 0b11),)  # bind and connect TCP
_SCOPES = ((6, 0b11),)  # abstract sockets; signals


def version() -> int:
    """What the kernel has of Landlock; 0 for nothing, or when a container's profile forbids to ask."""
    return max(0, _call(_CREATE_RULESET, None, 0, _ASK_VERSION))


def lock_in() -> bool:
    """Forbids all this to this thread, and those that it starts, for good; `no_new_privs` must be set.

    What was opened before may still be written.

    Returns:
        Whether the kernel could; else nothing is changed.

    Raises:
        SetupError: the kernel says that it can, and then does not.
    """
    known = version()
    if not known:
        return False
    ruleset = _checked(_call(_CREATE_RULESET, attributes(known), len(attributes(known)), 0))
    try:
        _checked(_call(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)
    return True


def attributes(known: int) -> bytes:
    """The kernel's `struct landlock_ruleset_attr` with all that a version has, as long as that version knows it."""
    tables = (_FILES, _NETWORK, _SCOPES)
    rights = [sum(bits for since, bits in table if since <= known) for table in tables]
    while len(rights) > 1 and not rights[-1]:
        rights.pop()
    return struct.pack(f"={len(rights)}Q", *rights)


def _call(number: int, *arguments: int | bytes | None) -> int:
    values = [ctypes.c_long(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments]
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *values))


def _checked(result: int) -> int:
    if result < 0:
        raise SetupError(f"the decoder could not restrict writing files: {os.strerror(ctypes.get_errno())}")
    return result
