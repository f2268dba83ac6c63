"""Threads for calls that block. The process's end does not wait for them: whatever they do may be killed at any moment,
so a request that hangs must not keep a controller from ending in time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """A fixed number of threads.

    Args:
        count: how many.
        name: theirs, for people who look at a dump.
    """

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._calls: SimpleQueue[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        for at in range(count):
            Thread(target=self._serve, name=f"{name}-{at}", daemon=True).start()

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """The call's result, or what it raised. Who is cancelled meanwhile does not wait; the call goes on."""
        future: Future[T] = Future()
        self._calls.put((future, call, arguments))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Ends the threads that are idle, and the others after their call; waits for none."""
        for _ in range(self._count):
            self._calls.put(None)

    def _serve(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call, arguments = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call(*arguments)
            except BaseException as error:  # noqa: BLE001 - handed on to who waits for the call
                future.set_exception(error)
            else:
                future.set_result(result)
