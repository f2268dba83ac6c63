"""The cluster under test leaves nothing on the machine, whichever way it ends.

Only what is its own counts: others may work on the machine meanwhile. Runs before the tests that keep a node up: there
can be one at a time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

import psutil
import pytest

from support.cluster.control_plane import ROOT
from support.cluster.node import LINK, left_cgroups, missing
from support.cluster.processes import wait_for

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("may_have_nodes")]
_UP = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from support.cluster.control_plane import control_plane
from support.cluster.images import pause_image
from support.cluster.node import HOST_ADDRESS, network, real_node
place = Path(sys.argv[1])
pause = pause_image()
with network() as holder, control_plane(place, HOST_ADDRESS) as cluster, real_node(cluster, holder, pause):
    sys.stdout.write("up\\n")
    sys.stdout.flush()
    sys.stdin.readline()
"""


@pytest.fixture
def may_have_nodes() -> None:
    lacking = missing()
    if lacking:
        pytest.fail(lacking)


@pytest.fixture
def place() -> Iterator[Path]:
    """For the cluster's files; pytest's own folders have names that are too long for sockets in them."""
    with tempfile.TemporaryDirectory(prefix="videojob-left-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def cluster(place: Path) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", _UP, place / "cluster"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        yield child
        child.kill()


@dataclass(frozen=True, slots=True)
class Traces:
    """What a node that is up shows of itself on this machine, told apart from everybody else's.

    Attributes:
        processes: all that the cluster started, each by its number and the time of its start.
        links: numbers of its network interfaces. Their routes and addresses go with them.
        networks: its network namespaces.
    """

    processes: frozenset[psutil.Process]
    links: frozenset[str]
    networks: frozenset[int]


def _traces(cluster: int) -> Traces:
    """Of the one node that can be up at a time, which is ours now."""
    own = Path("/proc/self/ns/net").stat().st_ino
    family = psutil.Process(cluster).children(recursive=True)
    return Traces(
        processes=frozenset(family),
        links=frozenset(line.partition(":")[0] for line in _links() if LINK in line),
        networks=frozenset({_network(f"/proc/{one.pid}/ns/net") for one in family} - {own, 0}),
    )


def _links() -> list[str]:
    return _said("ip", "-oneline", "link")


def _network(place: str | Path) -> int:
    """Inode of a network namespace; 0 when it is gone."""
    try:
        return Path(place).stat().st_ino
    except OSError:
        return 0


def _left(of: Traces, place: Path, *, groups: bool) -> list[str]:
    """What is still there of a node, or names its folder."""
    alive = [one for one in of.processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    lines = _said("ps", "-ww", "-eo", "args")
    found = [f"process {one}" for one in alive]
    found += [f"process {line}" for line in lines if str(place) in line and "python" not in line]
    found += [f"link {line}" for line in _links() if line.partition(":")[0] in of.links]
    found += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if str(place) in line]
    found += [f"network {one}" for one in Path("/run/netns").glob("cni-*") if _network(one) in of.networks]
    found += [f"rule {line}" for line in _said("nft", "list", "ruleset") if LINK in line or "vj-cni" in line]
    return found + ([f"group {one}" for one in left_cgroups()] if groups else [])


@contextmanager
def other_work() -> Iterator[None]:
    """What somebody else does on this machine at the same time: an interface, a route, a mount and a table of rules."""
    with tempfile.TemporaryDirectory(prefix="others-") as folder:
        begin: tuple[tuple[str, ...], ...] = (
            ("ip", "link", "add", "vj-others", "type", "veth", "peer", "name", "vj-others-peer"),
            ("ip", "link", "set", "vj-others", "up"),
            ("ip", "route", "add", "198.51.100.0/24", "dev", "vj-others"),
            ("mount", "-t", "tmpfs", "tmpfs", folder),
            ("nft", "add", "table", "inet", "others"),
        )
        end: tuple[tuple[str, ...], ...] = (
            ("ip", "link", "delete", "vj-others"),
            ("umount", folder),
            ("nft", "delete", "table", "inet", "others"),
        )
        try:
            for command in begin:
                _said(*command)
            yield
        finally:
            for command in end:
                _said(*command)


def _said(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("way", ["orderly", "terminated", "killed"])
def test_nothing_of_a_node_is_left(cluster: subprocess.Popen[str], place: Path, way: str) -> None:
    assert cluster.stdout is not None
    assert cluster.stdin is not None
    assert cluster.stdout.readline() == "up\n"
    during = _traces(cluster.pid)
    for kind in fields(Traces):
        assert getattr(during, kind.name), kind.name
    with other_work():
        if way == "orderly":
            cluster.stdin.write("end\n")
            cluster.stdin.flush()
        else:
            os.kill(cluster.pid, signal.SIGTERM if way == "terminated" else signal.SIGKILL)
        cluster.wait(60)
        # After a kill nobody was left to remove its cgroups: they are empty, and the next node takes and removes them.
        groups = way == "orderly"
        wait_for("nothing of the node", lambda: not _left(during, place, groups=groups) or None, 30)
