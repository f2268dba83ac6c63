"""What the decoder process takes from itself before it reads a byte that it does not trust.

It dies with its parent, can gain no privileges, has no network and starts no programs, and has a bounded heap. Linux
only: elsewhere `enter` raises SetupError, as a decoder that can reach the network is not one that this project runs.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from dataclasses import dataclass

from videojob.errors import SetupError

HEAP_LIMIT_BYTES = 3 << 30
"""Anonymous memory that the decoder may map. A belt: the real bounds are the resolution limit and the thread count."""

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
        denied: numbers of all that makes or uses a socket (socket, connect, accept, accept4, sendto, recvfrom, sendmsg,
            recvmsg, sendmmsg, recvmmsg, bind, listen, socketpair), starts a program (execve, execveat), looks into
            another process (ptrace, process_vm_readv, process_vm_writev) or passes work to the kernel behind the
            filter's back (io_uring_setup, bpf).
    """

    audit: int
    seccomp: int
    denied: tuple[int, ...]


_X86_64 = _Architecture(
    audit=0xC000003E,
    seccomp=317,
    denied=(41, 42, 43, 288, 44, 45, 46, 47, 307, 299, 49, 50, 53, 59, 322, 101, 310, 311, 425, 321),
)
_AARCH64 = _Architecture(
    audit=0xC00000B7,
    seccomp=277,
    denied=(198, 203, 202, 242, 206, 207, 211, 212, 269, 243, 200, 201, 199, 221, 281, 117, 270, 271, 425, 280),
)
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


def enter() -> None:
    """Takes network and programs away from this process and all its threads, for good.

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
