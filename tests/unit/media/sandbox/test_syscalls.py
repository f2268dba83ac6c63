"""The filter of system calls, run line by line for both architectures: the kernel here is only one of them."""

from __future__ import annotations

import struct

import pytest

from videojob.media.sandbox import landlock, syscalls
from videojob.media.sandbox.syscalls import ABSENT, ALLOW, ARCHITECTURES, DENY, KILL_PROCESS, program

INBOX = 7
NUMBERS = {
    "x86_64": {"read": 0, "open": 2, "mmap": 9, "ioctl": 16, "recvmsg": 47, "clone": 56, "kill": 62, "fcntl": 72}
    | {"prctl": 157, "openat": 257, "prlimit64": 302, "clone3": 435},
    "aarch64": {"fcntl": 25, "ioctl": 29, "openat": 56, "read": 63, "kill": 129, "prctl": 167, "recvmsg": 212}
    | {"clone": 220, "mmap": 222, "prlimit64": 261, "clone3": 435},
}


def verdict(machine: str, number: int, *arguments: int, audit: int | None = None, inbox: int | None = INBOX) -> int:
    """What the kernel would do: a machine for the instructions that the program has."""
    known = ARCHITECTURES[machine]
    values = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, known.audit if audit is None else audit, 0, *values)
    lines = list(struct.iter_unpack("<HBBI", program(known, inbox)))
    at = held = 0
    while True:
        code, true, false, value = lines[at]
        at += 1
        match code:
            case 0x20:
                (held,) = struct.unpack_from("<I", data, value)
            case 0x54:
                held &= value
            case 0x15:
                at += true if held == value else false
            case 0x35:
                at += true if held >= value else false
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"an instruction {code:#x}")


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("read", (0,), ALLOW),
        ("kill", (1, 9), DENY),
        ("openat", (0, 0, 0x80000), ALLOW),
        *(("openat", (0, 0, 0x80000 | flag), DENY) for flag in (1, 2, 0x40, 0x200, 0x2000, 0x400000)),
        *(("fcntl", (3, command, 0xFFFF), ALLOW) for command in (0, 1, 2, 3, 1030)),
        *(("fcntl", (3, command), DENY) for command in (5, 6, 7, 8, 9, 10, 15, 16, 36, 37, 38, 1024, 1026, 1031, 1033)),
        ("fcntl", (3, 1 << 32 | 8), DENY),
        ("fcntl", (3, 4, 0x800), ALLOW),
        ("fcntl", (3, 4, 0x2800), DENY),
        ("ioctl", (3, 0x5401), ALLOW),
        *(("ioctl", (3, request), DENY) for request in (0x5412, 0x5452, 0x8901, 0x8902, 0x40049409)),
        ("clone", (0x3D0F00,), ALLOW),
        *(("clone", (flags,), DENY) for flags in (17, 0x01200011, 0x10000000 | 17, 0x10000000 | 0x3D0F00)),
        ("clone3", (0, 88), ABSENT),
        ("prlimit64", (0, 2, 0, 1 << 40), ALLOW),
        ("prlimit64", (0, 2, 1 << 40, 0), DENY),
        ("prlimit64", (0, 2, 64, 0), DENY),
        ("prlimit64", (5, 2, 0, 64), DENY),
        ("prctl", (15, 1 << 40), ALLOW),
        *(("prctl", (option,), DENY) for option in (1, 4, 35, 36, 0x59616D61)),
        ("mmap", (0, 4096, 3, 0x22), ALLOW),
        ("mmap", (0, 4096, 3, 0x01, 5), ALLOW),
        *(("mmap", (0, 4096, 3, flags), DENY) for flags in (0x21, 0x23)),
        ("recvmsg", (INBOX, 1 << 40), ALLOW),
        ("recvmsg", (INBOX + 1, 1 << 40), DENY),
    ],
)
def test_arguments_decide(machine: str, call: str, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict(machine, NUMBERS[machine][call], *arguments) == expected


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_another_architecture_ends_it_and_new_calls_do_not_exist(machine: str) -> None:
    assert verdict(machine, 0, audit=0x40000003) == KILL_PROCESS
    assert verdict(machine, 469) == DENY
    assert verdict(machine, 470) == ABSENT
    assert verdict(machine, 0x40000000) == ABSENT
    assert verdict(machine, NUMBERS[machine]["recvmsg"], INBOX, inbox=None) == DENY


def test_open_is_a_call_of_its_own_on_one_architecture() -> None:
    assert [verdict("x86_64", 2, 0, flags) for flags in (0x80000, 0x80002, 0x40)] == [ALLOW, DENY, DENY]


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_no_number_stands_for_two_calls(machine: str) -> None:
    column = ARCHITECTURES[machine].column
    tables = (syscalls._SOME, syscalls._GONE, syscalls._DENIED, [syscalls._RECVMSG])
    numbers = [row[column] for table in tables for row in table if row[column] is not None]
    assert len(numbers) == len(set(numbers))


def test_the_program_is_one_that_the_kernel_takes() -> None:
    assert all(len(program(known, INBOX)) // syscalls.INSTRUCTION_BYTES <= 4096 for known in ARCHITECTURES.values())


@pytest.mark.parametrize(
    ("version", "rights"),
    [
        (1, (0x1FF2,)),
        (2, (0x3FF2,)),
        (3, (0x7FF2,)),
        (4, (0x7FF2, 3)),
        (5, (0xFFF2, 3)),
        (6, (0xFFF2, 3, 3)),
        (7, (0xFFF2, 3, 3)),
    ],
)
def test_landlock_is_asked_for_what_its_version_knows(version: int, rights: tuple[int, ...]) -> None:
    assert landlock.attributes(version) == struct.pack(f"={len(rights)}Q", *rights)
