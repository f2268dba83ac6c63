"""What the decoder process takes from itself before it reads a byte that it does not trust.

It dies with its parent, can gain no privileges, makes and uses no sockets, starts no programs, sends no signals, looks
into no other process by system call, and has a bounded heap. Linux only: elsewhere `enter` raises SetupError, as a
decoder that can reach the network is not one that this project runs.

Where the kernel has Landlock it changes no file either, but for the bytes of files that are already there in the two
folders where rings lie, and reaches no other process's memory through /proc. Without Landlock it may write what its
user may write, and what /proc/PID/mem gives is up to the other process (PR_SET_DUMPABLE) and the kernel.

What is not confined: it reads every file that its user may read; it may ask for new name spaces through clone(2), whose
flags are not looked at as threads need that call; its time and processors are bounded by the parent's patience alone.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import resource
import signal
import struct
import sys
from dataclasses import dataclass

from videojob.errors import SetupError
from videojob.media import landlock, ring

HEAP_LIMIT_BYTES = 3 << 30
"""Anonymous memory that the decoder may map where nobody says less. The other bounds are the resolution limit and the
thread count."""

_SLACK_BYTES = 4 << 20
_MOST_BYTES_PER_PIXEL = 3  # of 8 bits without subsampling, or of 16 bits with it

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_TSYNC = 1  # threads that a library has already started are locked in too

_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_DENY = 0x00050000 | 13  # SECCOMP_RET_ERRNO with EACCES
_X32_BIT = 0x40000000
_INSTRUCTION_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Architecture:
    """Numbers of one processor architecture.

    Attributes:
        audit: what the kernel calls it in `struct seccomp_data`.
        seccomp: number of the system call seccomp(2).
        denied: numbers of the calls named in `_DENIED_CALLS`, in no order.
    """

    audit: int
    seccomp: int
    denied: tuple[int, ...]


# What a decoder has no business with, and the numbers on x86_64 and aarch64.
_DENIED_CALLS = (
    # Sockets.
    ("socket", 41, 198),
    ("connect", 42, 203),
    ("accept", 43, 202),
    ("accept4", 288, 242),
    ("sendto", 44, 206),
    ("recvfrom", 45, 207),
    ("sendmsg", 46, 211),
    ("recvmsg", 47, 212),
    ("sendmmsg", 307, 269),
    ("recvmmsg", 299, 243),
    ("bind", 49, 200),
    ("listen", 50, 201),
    ("socketpair", 53, 199),
    # Programs.
    ("execve", 59, 221),
    ("execveat", 322, 281),
    # Other processes. A library's abort() ends this one all the same, with another signal.
    ("ptrace", 101, 117),
    ("process_vm_readv", 310, 270),
    ("process_vm_writev", 311, 271),
    ("kcmp", 312, 272),
    ("kill", 62, 129),
    ("tkill", 200, 130),
    ("tgkill", 234, 131),
    ("rt_sigqueueinfo", 129, 138),
    ("rt_tgsigqueueinfo", 297, 240),
    ("pidfd_send_signal", 424, 424),
    ("pidfd_getfd", 438, 438),
    ("process_madvise", 440, 440),
    # Work given to the kernel behind the filter's back, and doors into the kernel.
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    # Name spaces and mounts.
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("open_tree", 428, 428),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fspick", 433, 433),
    ("mount_setattr", 442, 442),
)
_X86_64 = _Architecture(audit=0xC000003E, seccomp=317, denied=tuple(number for _, number, _ in _DENIED_CALLS))
_AARCH64 = _Architecture(audit=0xC00000B7, seccomp=277, denied=tuple(number for _, _, number in _DENIED_CALLS))
_ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64}


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


def enter() -> None:
    """Takes from this process, for good, what the module's docstring says.

    The filter of system calls holds for all its threads, Landlock for this one and those that it starts.

    Raises:
        SetupError: the platform has no such filter.
    """
    known = _ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or known is None:
        raise SetupError(
            f"no system call filter for the decoder on {sys.platform} {platform.machine()}",
            hint="Run on Linux x86_64 or aarch64 (a container does).",
        )
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    landlock.make_read_only(folder for folder in ring.folders() if folder.is_dir())
    program = _filter_program(known.audit, known.denied)
    code = ctypes.create_string_buffer(program, len(program))
    description = _FilterProgram(len(program) // _INSTRUCTION_BYTES, ctypes.cast(code, ctypes.c_void_p))
    arguments = (_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.addressof(description))
    _check("seccomp", _libc().syscall(*(ctypes.c_long(value) for value in (known.seccomp, *arguments))))


def _filter_program(architecture: int, denied: tuple[int, ...]) -> bytes:
    """A classic BPF program over `struct seccomp_data` (number at 0, architecture at 4)."""

    def instruction(code: int, true: int, false: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, true, false, value)

    lines = [
        instruction(_LOAD_WORD, 0, 0, 4),
        instruction(_JUMP_IF_EQUAL, 1, 0, architecture),
        instruction(_RETURN, 0, 0, _KILL_PROCESS),
        instruction(_LOAD_WORD, 0, 0, 0),
        # The x32 calling convention has numbers of its own for the same calls.
        instruction(_JUMP_IF_AT_LEAST, len(denied) + 1, 0, _X32_BIT),
    ]
    for index, number in enumerate(denied):
        lines.append(instruction(_JUMP_IF_EQUAL, len(denied) - index, 0, number))
    lines.append(instruction(_RETURN, 0, 0, _ALLOW))
    lines.append(instruction(_RETURN, 0, 0, _DENY))
    return b"".join(lines)


def _prctl(option: int, argument: int) -> None:
    values = [ctypes.c_ulong(value) for value in (argument, 0, 0, 0)]
    _check("prctl", _libc().prctl(ctypes.c_int(option), *values))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(call: str, result: int) -> None:
    if result != 0:
        raise SetupError(
            f"the decoder could not lock itself in: {call} says {os.strerror(ctypes.get_errno())}",
            hint="The container's seccomp profile or an old kernel forbids it; Linux 3.17 or newer is needed.",
        )
