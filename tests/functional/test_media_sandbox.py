"""What a decoder that was taken over can do: each attack is tried in a process that is sandboxed."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.decoding import ring_for
from videojob.media.sandbox import landlock
from videojob.vision.tensors import Geometry

ATTEMPTS = [
    # Sockets and programs.
    "socket.socket()",
    "socket.socket(socket.AF_UNIX)",
    "socket.socketpair()",
    "socket.create_connection(('127.0.0.1', 9))",
    "in_thread(socket.socket)",
    "socket.send_fds(inbox, [b'mine'], [0])",
    "socket.recv_fds(second, 1, 1)",
    "inbox.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)",
    "os.execv('/bin/true', ['true'])",
    "subprocess.run(['/bin/true'])",
    # Signals, by call.
    "os.kill(os.getppid(), 0)",
    "in_thread(lambda: os.kill(os.getppid(), 0))",
    "os.killpg(0, 0)",
    "signal.raise_signal(signal.SIGURG)",
    "os.pidfd_open(os.getppid())",
    "signal.pidfd_send_signal(pidfd, 0)",
    # Signals, sent by the kernel to whoever is said to own a descriptor.
    "fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getppid())",
    "fcntl.fcntl(pipe, 15, struct.pack('ii', 1, os.getppid()))  # F_SETOWN_EX",
    "fcntl.fcntl(pipe, 10, signal.SIGKILL)  # F_SETSIG",
    "fcntl.fcntl(pipe, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)",
    "libc('fcntl', pipe, ctypes.c_ulong(1 << 32 | 8), os.getppid())  # F_SETOWN for those who compare 64 bits",
    "fcntl.ioctl(pipe, 0x5452, struct.pack('i', 1))  # FIOASYNC",
    "fcntl.ioctl(inbox, 0x8901, struct.pack('i', os.getppid()))  # FIOSETOWN",
    "fcntl.ioctl(inbox, 0x8902, struct.pack('i', os.getppid()))  # SIOCSPGRP",
    "fcntl.ioctl(pipe, 0x5412, b'x')  # TIOCSTI, what a terminal takes for typing",
    "os.open('/dev/null', os.O_RDONLY | os.O_ASYNC)",
    # Other processes' locks, leases, limits and processors.
    "fcntl.lockf(readable, fcntl.LOCK_SH)",
    "fcntl.flock(readable, fcntl.LOCK_EX)",
    "fcntl.fcntl(readable, fcntl.F_SETLEASE, fcntl.F_RDLCK)",
    "fcntl.fcntl(os.open(folder, os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_MODIFY)",
    "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE)",
    "resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))",
    "os.setpriority(os.PRIO_PROCESS, os.getppid(), os.getpriority(os.PRIO_PROCESS, os.getppid()))",
    "os.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid()))",
    "os.sched_setscheduler(os.getppid(), os.SCHED_OTHER, os.sched_param(0))",
    # Other processes' memory, and that which they share.
    "call(438, pidfd, 0, 0)  # pidfd_getfd",
    "call(448, pidfd, 0)  # process_mrelease",
    "libc('ptrace', 16, os.getppid(), 0, 0)  # PTRACE_ATTACH",
    "libc('process_vm_readv', os.getppid(), 0, 0, 0, 0, 0)",
    "libc('process_vm_writev', os.getppid(), 0, 0, 0, 0, 0)",
    "libc('shmget', 0x7654321, 4096, 0)",
    "libc('semget', 0x7654321, 1, 0)",
    "libc('msgget', 0x7654321, 0)",
    "libc('mq_open', b'/videojob-none', 0)",
    # Its own bounds.
    "os.fork() or os._exit(0)",
    "in_thread(lambda: os.fork() or os._exit(0))",
    "libc('prctl', 1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG",
    "os.setuid(os.getuid())",
    "resource.setrlimit(resource.RLIMIT_DATA, resource.getrlimit(resource.RLIMIT_DATA))",
    "mmap.mmap(-1, 4096)",
    "os.memfd_create('much')",
    # Name spaces, and doors into the kernel.
    "libc('unshare', 0x10000000)  # CLONE_NEWUSER",
    "libc('setns', pidfd, 0)",
    "libc('mount', b'none', b'/tmp', b'tmpfs', 0, 0)",
    "libc('umount2', b'/proc', 0)",
    "libc('chroot', b'/')",
    "call(425, 1, 0)  # io_uring_setup",
    "call(426, 0, 0, 0, 0, 0, 0)  # io_uring_enter",
    "call(427, 0, 0, 0, 0)  # io_uring_register",
]
WRITES = [
    "open(folder + '/new', 'w')",
    "open(folder + '/file', 'w')",
    "open(folder + '/file', 'r+b')",
    "os.open(folder + '/file', os.O_RDONLY | os.O_TRUNC)",
    "os.open(folder, os.O_TMPFILE | os.O_RDWR)",
    "os.truncate(folder + '/file', 0)",
    "os.unlink(folder + '/file')",
    "os.rename(folder + '/file', folder + '/other')",
    "os.link(folder + '/file', folder + '/other')",
    "os.mkdir(folder + '/new')",
    "os.mkfifo(folder + '/new')",
    "os.symlink('/', folder + '/new')",
    "os.chmod(folder + '/file', 0o777)",
    "os.chown(folder + '/file', os.getuid(), os.getgid())",
    "os.utime(folder + '/file')",
    "os.setxattr(folder + '/file', 'user.mark', b'')",
    "os.open('/dev/null', os.O_WRONLY)",
    "open(f'/proc/{os.getppid()}/mem', 'r+b')",
    # As a ring, which comes opened.
    "os.ftruncate(ring, 0)",
    "os.fchmod(ring, 0o777)",
    "libc('fallocate', ring, 0, ctypes.c_long(0), ctypes.c_long(1 << 20))",
    "os.open(f'/proc/self/fd/{ring}', os.O_RDWR)",
]
SERVER = """
import ctypes, errno, fcntl, json, mmap, os, queue, resource, signal, socket, struct, subprocess, sys, threading
import traceback
from videojob.media.sandbox import landlock
from videojob.media.sandbox import restrict as sandbox
for line in sys.stdin:
    task = json.loads(line)
    answer, words = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(words, 1), os.dup2(words, 2)
        code = 0
        try:
            exec(task["code"], globals() | {"folder": task["folder"]})
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        os._exit(code)
    os.close(words)
    with os.fdopen(answer) as said:
        told = said.read()
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told]), flush=True)
"""
PRELUDE = """
work, answers = queue.Queue(), queue.Queue()
def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
def libc(name, *arguments):
    checked(getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments))
def call(*arguments):
    libc("syscall", *arguments)
def serve():
    try:
        answers.put(work.get()())
    except PermissionError as error:
        answers.put(error)
def in_thread(action):
    work.put(action)
    answer = answers.get()
    if isinstance(answer, Exception):
        raise answer
threading.Thread(target=serve, daemon=True).start()
pidfd = os.pidfd_open(os.getppid())
pipe, filler = os.pipe()
inbox, outside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
second, third = socket.socketpair()
second.setblocking(False)
readable = os.open(folder + "/file", os.O_RDONLY)
ring = os.open(folder + "/file", os.O_RDWR)
"""
ENTER = "sandbox.enter(inbox.fileno())\n"
WITHOUT_LANDLOCK = f"landlock.lock_in = lambda: False\n{ENTER}"
# As on a kernel without a system call filter of ours: what Landlock brings of its own.
LANDLOCK_ALONE = "libc('prctl', 38, 1, 0, 0, 0)\nlandlock.lock_in()\n"


@pytest.fixture(scope="module")
def server() -> Iterator[subprocess.Popen[str]]:
    """A process that forks one for each attack, as starting Python again takes longer than all that is tried."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


class Inside:
    """Runs statements in a process of its own that is sandboxed.

    Attributes:
        folder: has one file in it, and lies below the temporary folder.
    """

    def __init__(self, server: subprocess.Popen[str], folder: Path) -> None:
        assert server.stdin is not None
        assert server.stdout is not None
        self._stdin, self._stdout = server.stdin, server.stdout
        self.folder = folder
        (folder / "file").write_text("content")

    def run(self, statements: str, enter: str = ENTER) -> str:
        """What they print."""
        task = {"code": f"{PRELUDE}\n{enter}\n{statements}", "folder": str(self.folder)}
        self._stdin.write(json.dumps(task) + "\n")
        self._stdin.flush()
        code, words = json.loads(self._stdout.readline())
        assert code == 0, words
        return str(words)

    def attempt(self, statement: str, enter: str = ENTER) -> str:
        """What comes of a statement: the error's name, or nothing."""
        guarded = f"try:\n    {statement}\nexcept OSError as error:\n    print(errno.errorcode[error.errno])\n"
        return self.run(guarded, enter).strip()


@pytest.fixture
def inside(server: subprocess.Popen[str], tmp_path: Path) -> Inside:
    return Inside(server, tmp_path)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_sandbox_denies_sockets_programs_and_other_processes(attempt: str, inside: Inside) -> None:
    assert inside.attempt(attempt) == "EACCES"


@pytest.mark.parametrize("attempt", ["call(435, 0, 0)  # clone3", "call(437, 0, b'/', 0, 0)  # openat2", "call(470)"])
def test_calls_that_hide_their_flags_or_are_newer_than_the_list_do_not_exist(attempt: str, inside: Inside) -> None:
    assert inside.attempt(attempt) == "ENOSYS"


@pytest.mark.parametrize("enter", [ENTER, WITHOUT_LANDLOCK], ids=["here", "without Landlock"])
@pytest.mark.parametrize("attempt", WRITES)
def test_the_sandbox_changes_no_file(attempt: str, enter: str, inside: Inside) -> None:
    before = (inside.folder / "file").stat()
    assert inside.attempt(attempt, enter) == "EACCES"
    assert [(file.name, file.read_text()) for file in inside.folder.iterdir()] == [("file", "content")]
    after = (inside.folder / "file").stat()
    assert (after.st_mode, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


@pytest.mark.parametrize("place", ["/dev/shm", tempfile.gettempdir()])
def test_what_others_share_or_keep_there_cannot_be_written(place: str, inside: Inside) -> None:
    with tempfile.NamedTemporaryFile(dir=place) as others:
        assert inside.attempt(f"open({others.name!r}, 'r+b')") == "EACCES"


def test_no_ring_can_be_opened_and_none_can_be_made_longer(inside: Inside) -> None:
    with ring_for(Geometry(8, 8, 8, 8, 1.0, 1.0, 0, 0)) as ring:
        assert inside.attempt(f"open({str(ring.path)!r}, 'r+b')") == "EACCES"
    assert inside.attempt("os.pwrite(ring, b'much', 1 << 30)") == "EFBIG"
    assert (inside.folder / "file").stat().st_size == len("content")


def test_another_processs_memory_cannot_be_read_where_the_kernel_has_landlock(inside: Inside) -> None:
    answer = inside.attempt("open(f'/proc/{os.getppid()}/mem', 'rb')")
    assert answer == "EACCES" or not landlock.version(), "without Landlock the other process and the kernel decide"


SIGNAL_OF_A_PIPE = """
def tried(action, *arguments):
    try:
        action(*arguments)
    except PermissionError:
        pass
tried(fcntl.fcntl, pipe, fcntl.F_SETOWN, victim)
tried(fcntl.fcntl, pipe, 10, signal.SIGKILL)
tried(fcntl.fcntl, pipe, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
tried(fcntl.ioctl, pipe, 0x5452, struct.pack("i", 1))
os.write(filler, b"now")
"""


def kills(inside: Inside, enter: str) -> bool:
    """Whether a pipe that becomes readable inside kills a process of the same user outside."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as victim:
        assert victim.stdin is not None
        inside.run(f"victim = {victim.pid}\n{SIGNAL_OF_A_PIPE}", enter)
        # A signal that was sent is there before the pipe's writer goes on; else the victim ends with its input.
        victim.stdin.close()
        return victim.wait(20) == -signal.SIGKILL


def test_the_owner_of_a_pipe_is_killed_outside_the_sandbox_and_not_from_inside(inside: Inside) -> None:
    assert kills(inside, enter="")
    assert not kills(inside, ENTER)
    assert not kills(inside, WITHOUT_LANDLOCK)


@pytest.mark.parametrize(
    ("attempt", "since", "error"),
    [
        ("os.kill(os.getppid(), 0)", 6, "EPERM"),
        ("socket.socket(socket.AF_UNIX).connect('\\0' + folder)", 6, "EPERM"),
        ("socket.socket().bind(('127.0.0.1', 0))", 4, "EACCES"),
        ("os.truncate(folder + '/file', 0)", 3, "EACCES"),
        ("open(folder + '/file', 'r+b')", 1, "EACCES"),
        ("open(folder + '/new', 'w')", 1, "EACCES"),
    ],
)
def test_landlock_says_it_a_second_time_where_the_kernel_has_it(
    attempt: str, since: int, error: str, inside: Inside
) -> None:
    with socket.socket(socket.AF_UNIX) as others:
        others.bind("\0" + str(inside.folder))
        others.listen()
        answer = inside.attempt(attempt, LANDLOCK_ALONE)
    assert answer == (error if landlock.version() >= since else "")


def test_landlock_alone_keeps_the_kernel_from_sending_signals_out(inside: Inside) -> None:
    assert kills(inside, LANDLOCK_ALONE) == (landlock.version() < 6)


LEFT_ALONE = """
print(open(folder + "/file").read())
thread = threading.Thread(target=lambda: print(open(folder + "/file").read()))
thread.start()
thread.join()
print(fcntl.fcntl(pipe, fcntl.F_GETFL), os.isatty(pipe), os.dup(pipe) > 0, resource.getrlimit(resource.RLIMIT_DATA)[0])
os.set_blocking(pipe, False)
libc("fcntl", pipe, 3, 0x2000)  # F_GETFL takes no argument: what lies in its place says nothing
mapped = mmap.mmap(ring, 7)
mapped[:] = b"changed"
mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE).close()
"""


def test_the_sandbox_leaves_reading_threads_and_rings_alone(inside: Inside) -> None:
    assert inside.run(LEFT_ALONE) == "content\ncontent\n0 False True -1\n"
    assert (inside.folder / "file").read_text() == "changed"


def test_it_may_receive_on_its_own_socket_alone(inside: Inside) -> None:
    assert inside.attempt("inbox.setblocking(False) or socket.recv_fds(inbox, 1, 1)") == "EAGAIN"
