"""The real cluster, once for all tests that need it; and one line where this machine cannot have one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.cluster.node import missing
from support.cluster.world import World, world
from support.samples import sample_path

_NOT_RUN = pytest.StashKey[str]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes the tests of the real node out where there can be none, and says so; where CI runs they fail instead."""
    lacking = missing()
    if not lacking or os.environ.get("CI"):
        return
    needing = [item for item in items if "real" in getattr(item, "fixturenames", ())]
    if needing:
        config.stash[_NOT_RUN] = f"{len(needing)} tests of the real cluster were NOT RUN: {lacking}"
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if item not in needing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The one line."""
    if _NOT_RUN in config.stash:
        terminalreporter.write_line(config.stash[_NOT_RUN], yellow=True)


@pytest.fixture(scope="session")
def real() -> Iterator[World]:
    """A real node with stores and videos, the chart installed."""
    lacking = missing()
    if lacking:
        pytest.fail(lacking)
    with world() as made:
        for name in ("bikes.mp4", "carphone.mp4"):
            content = sample_path(name).read_bytes()
            made.s3().put_object(Bucket="videos", Key=f"good/{name}", Body=content)
        made.s3().put_object(Bucket="videos", Key="mixed/bikes.mp4", Body=sample_path("bikes.mp4").read_bytes())
        made.s3().put_object(Bucket="videos", Key="mixed/letter.mp4", Body=b"Dear all, this is no video. " * 200)
        made.install()
        yield made
