"""What holds for all tests, however they were started and however slow the machine is.

Properties are tried with the same examples each time. Ctrl-C reaches the programs under test: who starts the tests in
the background may have it ignored, and children inherit that.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from videojob.reasons import Where, settle_on

settings.register_profile(
    "same everywhere", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("same everywhere")
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--write-golden` writes the files of users' texts in tests/unit/golden instead of comparing with them."""
    parser.addoption("--write-golden", action="store_true", help="write the files of users' texts again")


@pytest.fixture(autouse=True)
def advice_of_one_machine() -> Iterator[None]:
    """A command for a cluster settles its process on the advice for clusters; the next test is another process."""
    yield
    settle_on(Where.MACHINE)
