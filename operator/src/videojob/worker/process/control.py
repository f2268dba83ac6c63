"""Ties a process's life to its parent's, and keeps the terminal's signals for the parent."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_STOP_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


def die_with_parent() -> None:
    """Asks the kernel for SIGKILL when the parent is gone; exits at once when it is gone already.

    On Linux only; elsewhere the closed pipe has to do.
    """
    parent = multiprocessing.parent_process()
    if sys.platform != "linux" or parent is None:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent.pid:
        raise SystemExit(1)


def keep_memory_private() -> None:
    """Lets no other process of this user read or take over this one's memory and sockets.

    The decoder, which meets files of unknown origin, runs as the same user: without this a fault in it could reach into
    its parent, where the AWS credentials are. Processes with CAP_SYS_PTRACE, as root's, are not bound by it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0)


@contextlib.contextmanager
def stop_signals_held() -> Iterator[None]:
    """Children started inside ignore Ctrl-C from the start: a terminal sends it to them too, while they still import.

    For this process a signal that comes meanwhile is delivered at the end of the block.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_stop_signals() -> None:
    """For a child: the parent alone decides when to stop."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
