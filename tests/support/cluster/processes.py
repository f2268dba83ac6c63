"""Child processes of a cluster under test: started with a log, ended on every way out, waited for with a reason."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
_POLL_S = 0.1
_TAIL_BYTES = 3000


class Failed(Exception):
    """A part of the cluster did not come up; the message has the end of its log."""


@contextmanager
def process(
    command: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child that ends with this block, and with this process even if that is killed."""
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    with log.open("ab") as output:
        child = subprocess.Popen(
            [*prefix, *map(str, command)], stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=env
        )
    try:
        yield child
    finally:
        stop(child)


def stop(child: subprocess.Popen[bytes]) -> None:
    """Asks it to end, then makes it."""
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def wait_for(what: str, look: Callable[[], T | None], timeout_s: float = START_TIMEOUT_S) -> T:
    """The first answer that is not None and not False."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what} did not come within {timeout_s:g} s")
        time.sleep(_POLL_S)


def demand_alive(child: subprocess.Popen[bytes], name: str, log: Path) -> None:
    """Raises Failed with the end of the log when it has ended."""
    if child.poll() is not None:
        raise Failed(f"{name} ended with {child.returncode}:\n{tail(log)}")


def tail(log: Path) -> str:
    """The end of a log."""
    return log.read_text(errors="replace")[-_TAIL_BYTES:]


def free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held until the last is known, so that none comes twice."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def run(command: Sequence[str | Path], *, timeout_s: float = 600.0, env: Mapping[str, str] | None = None) -> str:
    """Runs to the end and returns what it printed; raises Failed with its words."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=timeout_s, check=False, env=env
    )
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command[:3]))} … ended with {done.returncode}: {done.stderr[-_TAIL_BYTES:]}")
    return done.stdout
