"""What the decoder process takes from itself before it reads a byte that it does not trust.

It dies with its parent and cannot undo that, gains no privileges and changes none, makes no sockets and sends through
none, starts no programs and no processes, sends no signals and has none sent (no owner of a descriptor, no O_ASYNC),
looks into no other process by system call nor changes its limits, priority or processors, takes no locks, and has a
bounded heap. It opens nothing to write, and changes no file's name, length, rights or times. What it may write are
its pipes, its stderr, and the rings that its parent hands it, opened (see `syscalls`). Linux only: elsewhere
`enter` raises SetupError, as a decoder that can reach the network is not one that this project runs.

Where the kernel has Landlock, that says the same about files and signals a second time, and keeps other processes'
memory (/proc/PID/mem) from being read; without it, that memory is up to the other process (PR_SET_DUMPABLE) and the
kernel.

What is not confined: it reads every file that its user may read; its time and processors are bounded by the parent's
patience alone; the memory of a ring is written by both, so what it holds is the decoder's word.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
import signal
import sys

from videojob.errors import SetupError
from videojob.media.sandbox import landlock, syscalls

HEAP_LIMIT_BYTES = 3 << 30
"""Anonymous memory that the decoder may map where nobody says less. The other bounds are the resolution limit and the
thread count."""

_FILE_LIMIT_BYTES = 16 << 20
"""How far a file may be written by a call. Its stderr needs less; a ring is mapped, and not to be made longer."""

_SLACK_BYTES = 4 << 20
_MOST_BYTES_PER_PIXEL = 3  # of 8 bits without subsampling, or of 16 bits with it

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1  # threads that a library has already started are sandboxed too


class _FilterProgram(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def die_with_parent(parent_pid: int) -> None:
    """Asks the kernel to kill this process when its parent ends; exits at once when it already has."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def limit_heap(limit_bytes: int = HEAP_LIMIT_BYTES) -> None:
    """Makes an allocation beyond the limit fail inside this process, and no core file is written when it crashes."""
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def heap_limit_bytes() -> int:
    """What `limit_heap` set."""
    return resource.getrlimit(resource.RLIMIT_DATA)[0]


def check_room(pixels: int, error: BaseException | None = None) -> None:
    """Tells want of memory from damage: of a buffer that it cannot have FFmpeg may say that the data are invalid.

    Args:
        pixels: of one picture.
        error: that FFmpeg raised, if it did.

    Raises:
        MemoryError: the error says so, or two more pictures would not fit.
    """
    if isinstance(error, MemoryError):
        raise MemoryError(str(error)) from error
    try:
        mmap.mmap(-1, _SLACK_BYTES + pixels * _MOST_BYTES_PER_PIXEL * 2, flags=mmap.MAP_PRIVATE).close()
    except OSError as refused:
        raise MemoryError("the limit is reached") from refused


def enter(inbox: int | None = None) -> None:
    """Takes from this process, for good, what the module's docstring says.

    The filter of system calls holds for all its threads, Landlock for this one and those that it starts.

    Args:
        inbox: descriptor of the socket on which rings come; None where none will.

    Raises:
        SetupError: the platform has no such filter.
    """
    known = syscalls.ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or known is None:
        raise SetupError(
            f"no system call filter for the decoder on {sys.platform} {platform.machine()}",
            hint="Run on Linux x86_64 or aarch64 (a container does).",
        )
    _limit_files()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.lock_in()
    program = syscalls.program(known, inbox)
    code = ctypes.create_string_buffer(program, len(program))
    description = _FilterProgram(len(program) // syscalls.INSTRUCTION_BYTES, ctypes.cast(code, ctypes.c_void_p))
    arguments = (_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.addressof(description))
    _check("seccomp", _libc().syscall(*(ctypes.c_long(value) for value in (known.seccomp, *arguments))))


def _limit_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = _FILE_LIMIT_BYTES if most == resource.RLIM_INFINITY else min(most, _FILE_LIMIT_BYTES)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def _prctl(option: int, argument: int) -> None:
    values = [ctypes.c_ulong(value) for value in (argument, 0, 0, 0)]
    _check("prctl", _libc().prctl(ctypes.c_int(option), *values))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(call: str, result: int) -> None:
    if result != 0:
        raise SetupError(
            f"the decoder could not enter its sandbox: {call} failed: {os.strerror(ctypes.get_errno())}",
            hint="The container's seccomp profile or an old kernel forbids it; Linux 3.17 or newer is needed.",
        )
