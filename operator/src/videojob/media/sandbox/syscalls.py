"""Which system calls a decoder may make, as a seccomp program: numbers, rules about arguments, and their assembly.

Denied is what has no business in a decoder; of some calls that it needs, certain arguments are. Calls that are newer
than this list do not exist for it. Pointers cannot be looked through, so calls that hide flags behind one (clone3,
openat2) do not exist either: libraries then take the older ones.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
_JUMP_IF_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_IF_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K
INSTRUCTION_BYTES = 8

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
DENY = 0x00050000 | 13  # SECCOMP_RET_ERRNO with EACCES
ABSENT = 0x00050000 | 38  # with ENOSYS

_FIRST_UNKNOWN = 470
"""Calls from here on came after this list, on both architectures. The numbers of x32 are far above, too."""

_WHOLE = 0xFFFFFFFF
_O_ASYNC = 0x2000
_WRITES = 0x400243 | _O_ASYNC  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_TMPFILE; O_ASYNC asks for signals
_CLONE_THREAD = 0x10000
_CLONE_NEW = 0x7E020000  # every kind of name space that clone(2) can make
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20
_F_SETFL = 4
_FCNTL_COMMANDS = (
    0,
    1,
    2,
    3,
    1030,
)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC: no owner, signal, lock, lease
_IOCTL_REQUESTS = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_PRCTL_OPTIONS = (3, 15, 16, 0x53564D41)  # PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA: names of memory


@dataclass(frozen=True, slots=True)
class _Holds:
    """What one half of an argument has to be.

    Attributes:
        argument: 0-based.
        values: one of these.
        mask: bits that are compared, of 32.
        high: whether it is the upper half; the kernel ignores that of an `int`.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = _WHOLE
    high: bool = False


_Ways = tuple[tuple[_Holds, ...], ...]


def _reads(argument: int) -> _Ways:
    return ((_Holds(argument, (0,), _WRITES),),)


# (name, number on x86_64, number on aarch64, ways in which it is allowed: all of one have to hold).
_SOME: tuple[tuple[str, int | None, int | None, _Ways], ...] = (
    # Nothing is opened to be written: rings come opened.
    ("open", 2, None, _reads(1)),
    ("openat", 257, 56, _reads(2)),
    ("fcntl", 72, 25, ((_Holds(1, _FCNTL_COMMANDS),), (_Holds(1, (_F_SETFL,)), _Holds(2, (0,), _O_ASYNC)))),
    ("ioctl", 16, 29, ((_Holds(1, _IOCTL_REQUESTS),),)),
    # Threads, and no processes: those would outlive the parent, and have a bounded heap each.
    ("clone", 56, 220, ((_Holds(0, (_CLONE_THREAD,), _CLONE_THREAD | _CLONE_NEW),),)),
    # Its own limits, to look at.
    ("prlimit64", 302, 261, ((_Holds(0, (0,)), _Holds(2, (0,)), _Holds(2, (0,), high=True)),)),
    ("prctl", 157, 167, ((_Holds(0, _PRCTL_OPTIONS),),)),
    # Shared memory without a file is not counted as heap.
    (
        "mmap",
        9,
        222,
        ((_Holds(3, (0, _MAP_SHARED, _MAP_ANONYMOUS), _MAP_SHARED | _MAP_ANONYMOUS),),),
    ),
)
_RECVMSG = ("recvmsg", 47, 212)

_GONE: tuple[tuple[str, int | None, int | None], ...] = (("clone3", 435, 435), ("openat2", 437, 437))

_DENIED: tuple[tuple[str, int | None, int | None], ...] = (
    # Sockets.
    ("socket", 41, 198),
    ("connect", 42, 203),
    ("accept", 43, 202),
    ("accept4", 288, 242),
    ("sendto", 44, 206),
    ("recvfrom", 45, 207),
    ("sendmsg", 46, 211),
    ("sendmmsg", 307, 269),
    ("recvmmsg", 299, 243),
    ("shutdown", 48, 210),
    ("bind", 49, 200),
    ("listen", 50, 201),
    ("socketpair", 53, 199),
    ("setsockopt", 54, 208),
    ("getsockopt", 55, 209),
    # Programs and processes.
    ("execve", 59, 221),
    ("execveat", 322, 281),
    ("fork", 57, None),
    ("vfork", 58, None),
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
    ("pidfd_open", 434, 434),
    ("pidfd_getfd", 438, 438),
    ("process_madvise", 440, 440),
    ("process_mrelease", 448, 448),
    ("move_pages", 279, 239),
    ("migrate_pages", 256, 238),
    ("sched_setparam", 142, 118),
    ("sched_setscheduler", 144, 119),
    ("sched_setaffinity", 203, 122),
    ("sched_setattr", 314, 274),
    ("setpriority", 141, 140),
    ("ioprio_set", 251, 30),
    # Its own limits and rights; a change of rights also undoes that it dies with its parent.
    ("setrlimit", 160, 164),
    ("setuid", 105, 146),
    ("setgid", 106, 144),
    ("setreuid", 113, 145),
    ("setregid", 114, 143),
    ("setgroups", 116, 159),
    ("setresuid", 117, 147),
    ("setresgid", 119, 149),
    ("setfsuid", 122, 151),
    ("setfsgid", 123, 152),
    ("capset", 126, 91),
    # Memory, queues, semaphores and locks that others use, and memory that is not counted as heap.
    ("shmget", 29, 194),
    ("shmctl", 31, 195),
    ("shmat", 30, 196),
    ("semget", 64, 190),
    ("semctl", 66, 191),
    ("semop", 65, 193),
    ("semtimedop", 220, 192),
    ("msgget", 68, 186),
    ("msgctl", 71, 187),
    ("msgsnd", 69, 189),
    ("msgrcv", 70, 188),
    ("mq_open", 240, 180),
    ("mq_unlink", 241, 181),
    ("mq_timedsend", 242, 182),
    ("mq_timedreceive", 243, 183),
    ("mq_notify", 244, 184),
    ("mq_getsetattr", 245, 185),
    ("memfd_create", 319, 279),
    ("memfd_secret", 447, 447),
    ("flock", 73, 32),
    # Files: what is opened cannot be written, and names, rights and times stay. Landlock knows nothing of the latter.
    ("creat", 85, None),
    ("truncate", 76, 45),
    ("ftruncate", 77, 46),
    ("fallocate", 285, 47),
    ("rename", 82, None),
    ("renameat", 264, 38),
    ("renameat2", 316, 276),
    ("mkdir", 83, None),
    ("mkdirat", 258, 34),
    ("rmdir", 84, None),
    ("link", 86, None),
    ("linkat", 265, 37),
    ("unlink", 87, None),
    ("unlinkat", 263, 35),
    ("symlink", 88, None),
    ("symlinkat", 266, 36),
    ("mknod", 133, None),
    ("mknodat", 259, 33),
    ("chmod", 90, None),
    ("fchmod", 91, 52),
    ("fchmodat", 268, 53),
    ("fchmodat2", 452, 452),
    ("chown", 92, None),
    ("fchown", 93, 55),
    ("lchown", 94, None),
    ("fchownat", 260, 54),
    ("setxattr", 188, 5),
    ("lsetxattr", 189, 6),
    ("fsetxattr", 190, 7),
    ("setxattrat", 463, 463),
    ("removexattr", 197, 14),
    ("lremovexattr", 198, 15),
    ("fremovexattr", 199, 16),
    ("removexattrat", 466, 466),
    ("file_setattr", 469, 469),
    ("utime", 132, None),
    ("utimes", 235, None),
    ("futimesat", 261, None),
    ("utimensat", 280, 88),
    ("open_by_handle_at", 304, 265),
    # Work given to the kernel behind the filter's back, and doors into the kernel.
    ("io_setup", 206, 0),
    ("io_submit", 209, 2),
    ("io_uring_setup", 425, 425),
    ("io_uring_enter", 426, 426),
    ("io_uring_register", 427, 427),
    ("bpf", 321, 280),
    ("perf_event_open", 298, 241),
    ("userfaultfd", 323, 282),
    ("fanotify_init", 300, 262),
    ("add_key", 248, 217),
    ("request_key", 249, 218),
    ("keyctl", 250, 219),
    # The machine, where the user is root.
    ("reboot", 169, 142),
    ("kexec_load", 246, 104),
    ("kexec_file_load", 320, 294),
    ("init_module", 175, 105),
    ("finit_module", 313, 273),
    ("delete_module", 176, 106),
    ("settimeofday", 164, 170),
    ("clock_settime", 227, 112),
    ("clock_adjtime", 305, 266),
    ("adjtimex", 159, 171),
    ("sethostname", 170, 161),
    ("setdomainname", 171, 162),
    ("swapon", 167, 224),
    ("swapoff", 168, 225),
    ("acct", 163, 89),
    ("quotactl", 179, 60),
    ("quotactl_fd", 443, 443),
    ("syslog", 103, 116),
    ("vhangup", 153, 58),
    ("iopl", 172, None),
    ("ioperm", 173, None),
    # Name spaces and mounts.
    ("unshare", 272, 97),
    ("setns", 308, 268),
    ("mount", 165, 40),
    ("umount2", 166, 39),
    ("pivot_root", 155, 41),
    ("chroot", 161, 51),
    ("open_tree", 428, 428),
    ("open_tree_attr", 467, 467),
    ("move_mount", 429, 429),
    ("fsopen", 430, 430),
    ("fsconfig", 431, 431),
    ("fsmount", 432, 432),
    ("fspick", 433, 433),
    ("mount_setattr", 442, 442),
)


@dataclass(frozen=True, slots=True)
class Architecture:
    """One processor architecture.

    Attributes:
        audit: what the kernel calls it in `struct seccomp_data`.
        seccomp: number of the system call seccomp(2).
        column: of its numbers in the tables.
    """

    audit: int
    seccomp: int
    column: int


ARCHITECTURES = {"x86_64": Architecture(0xC000003E, 317, 1), "aarch64": Architecture(0xC00000B7, 277, 2)}
"""By what `platform.machine` says. Both are little-endian, which the halves of arguments depend on."""


def program(architecture: Architecture, inbox: int | None) -> bytes:
    """A classic BPF program over `struct seccomp_data` (number at 0, architecture at 4, arguments from 16 on).

    Args:
        architecture: that it is for.
        inbox: descriptor of the one socket that may be received from; None for none.
    """
    lines = [
        _instruction(_LOAD_WORD, 4),
        _instruction(_JUMP_IF_EQUAL, architecture.audit, 1, 0),
        _instruction(_RETURN, KILL_PROCESS),
        _instruction(_LOAD_WORD, 0),
        _instruction(_JUMP_IF_AT_LEAST, _FIRST_UNKNOWN, 0, 1),
        _instruction(_RETURN, ABSENT),
    ]
    receiving: _Ways = () if inbox is None else ((_Holds(0, (inbox,)),),)
    for row in (*_SOME, (*_RECVMSG, receiving)):
        lines += _if_number(row[architecture.column], _allowed_ways(row[3]))
    for table, answer in ((_GONE, ABSENT), (_DENIED, DENY)):
        for call in table:
            lines += _if_number(call[architecture.column], [_instruction(_RETURN, answer)])
    lines.append(_instruction(_RETURN, ALLOW))
    return b"".join(lines)


def _instruction(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    """One line; `true` and `false` are how many lines a jump leaves out."""
    return struct.pack("=HBBI", code, true, false, value)


def _if_number(number: int | str | _Ways | None, then: list[bytes]) -> list[bytes]:
    """Does something that returns, if the call is that one; the architecture may not have it."""
    return [_instruction(_JUMP_IF_EQUAL, number, 0, len(then)), *then] if isinstance(number, int) else []


def _allowed_ways(ways: _Ways) -> list[bytes]:
    """Allows the call when one way holds; else denies it."""
    lines: list[bytes] = []
    for way in ways:
        rest = [_instruction(_RETURN, ALLOW)]
        for holds in reversed(way):
            rest = _test(holds, len(rest)) + rest
        lines += rest
    return [*lines, _instruction(_RETURN, DENY)]


def _test(holds: _Holds, otherwise: int) -> list[bytes]:
    """Goes on behind these lines when it holds, else leaves out so many more."""
    lines = [_instruction(_LOAD_WORD, 16 + 8 * holds.argument + 4 * holds.high)]
    if holds.mask != _WHOLE:
        lines.append(_instruction(_AND, holds.mask))
    for left, value in zip(reversed(range(len(holds.values))), holds.values, strict=True):
        lines.append(_instruction(_JUMP_IF_EQUAL, value, left, 0 if left else otherwise))
    return lines
