"""The real cluster, once for all tests that need it; and one line where this machine cannot have one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.apiserver import OWN_CLUSTER
from support.cluster.existing import own_kubeconfig
from support.cluster.node import Node, missing
from support.cluster.videojobs import put_videos
from support.cluster.world import World, world

_NOT_RUN = pytest.StashKey[list[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes the tests of the real node out where there can be none, and says so; where CI runs they fail instead."""
    config.stash[_NOT_RUN] = []
    own = own_kubeconfig()
    lacking = "" if own else missing()
    if lacking and not os.environ.get("CI"):
        _leave_out(config, items, "real", lacking)
    if missing() and not os.environ.get("CI"):
        _leave_out(config, items, "image", missing())  # built here, whosever the cluster is
    if own:
        _leave_out(config, items, "own_node", f"they kill processes of a node; {OWN_CLUSTER} names somebody's cluster")


def _leave_out(config: pytest.Config, items: list[pytest.Item], fixture: str, why: str) -> None:
    needing = [item for item in items if fixture in getattr(item, "fixturenames", ())]
    if needing:
        config.stash[_NOT_RUN].append(f"{len(needing)} tests of the real cluster were NOT RUN: {why}")
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The one line."""
    for line in config.stash.get(_NOT_RUN, []):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def real() -> Iterator[World]:
    """A real node with stores and videos, the chart installed."""
    lacking = "" if own_kubeconfig() else missing()
    if lacking:
        pytest.fail(lacking)
    with world() as made:
        put_videos(made)
        made.install()
        yield made


@pytest.fixture
def own_node(real: World) -> Node:
    """The node whose processes a test may kill: one that the tests started."""
    assert real.node is not None
    return real.node
