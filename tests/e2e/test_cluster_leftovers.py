"""The cluster under test leaves nothing on the machine, whichever way it ends.

Runs before the tests that keep a node up: there can be one at a time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cluster.control_plane import ROOT
from support.cluster.node import missing
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


def _traces(place: Path) -> dict[str, list[str]]:
    """What of a node can be seen on this machine."""
    return {
        "links": _said("ip", "-oneline", "link"),
        "routes": _said("ip", "route"),
        "named networks": _said("ip", "netns"),
        "rules": _said("nft", "list", "ruleset"),
        "mounts": Path("/proc/mounts").read_text().splitlines(),
        "groups": [str(path) for path in Path("/sys/fs/cgroup").glob("**/videojob-tests")],
        "processes": [
            line for line in _said("ps", "-ww", "-eo", "args") if str(place) in line and "python" not in line
        ],
    }


def _said(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("way", ["orderly", "terminated", "killed"])
def test_nothing_of_a_node_is_left(cluster: subprocess.Popen[str], place: Path, way: str) -> None:
    before = _traces(place)
    assert before["processes"] == []
    assert cluster.stdout is not None
    assert cluster.stdin is not None
    assert cluster.stdout.readline() == "up\n"
    during = _traces(place)
    assert during["processes"] != []
    assert during["links"] != before["links"]
    if way == "orderly":
        cluster.stdin.write("end\n")
        cluster.stdin.flush()
    else:
        os.kill(cluster.pid, signal.SIGTERM if way == "terminated" else signal.SIGKILL)
    cluster.wait(60)
    if way != "orderly":
        # Nobody was left to remove them: they are empty, and the next node takes and removes them.
        before["groups"] = during["groups"]
    wait_for("the machine to be as before", lambda: not _new(_traces(place), before) or None, 30)


def _new(now: dict[str, list[str]], before: dict[str, list[str]]) -> list[str]:
    return [line for what, lines in now.items() for line in lines if line not in before[what]]
