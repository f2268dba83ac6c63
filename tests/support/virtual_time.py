"""asyncio on virtual time: a loop that does not sleep but moves its clock to whatever is due next."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumps(selectors.SelectSelector):
    """Moves the time by as long as it is asked to wait."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits, and nothing will ever happen"
            self.now_s += max(0.0, timeout)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now_s


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main`; its pauses take no time. For code without threads and sockets only."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)
