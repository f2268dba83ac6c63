"""The source of events in a thread and a loop of its own.

Two reasons. It may not touch the process's signals or the controller's tasks, which kopf does when it runs beside them;
and it may end or hang without harm: what ends is restarted, and beside one that gets no events another one is started.
Both may speak at a time, since an event only puts a key into a queue that holds each key once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any

_LOG = logging.getLogger(__name__)

Watch = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Tells of events until the event that it is given is set."""


class WatchThread:
    """One run of the watches after the other, until it is stopped.

    Args:
        watch: one run.
        again_after_s: pause before the next one when a run ended by itself.
    """

    def __init__(self, watch: Watch, again_after_s: float = 1.0) -> None:
        self._watch, self._again_after_s = watch, again_after_s
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        # A watch that cannot be stopped must not keep the process.
        self._thread = Thread(target=self._main, name="watches", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Asks it to end; may be called from any thread, and again."""
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended
            self._loop.call_soon_threadsafe(self._stop.set)

    def join(self, timeout_s: float) -> bool:
        """Waits for its end; returns whether it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _main(self) -> None:
        self._loop.set_exception_handler(_log_fault)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        while not self._stop.is_set():
            task = asyncio.create_task(self._watch(self._stop), name="watches")
            await asyncio.wait({task})
            error = None if task.cancelled() else task.exception()
            if self._stop.is_set():
                return
            _LOG.warning("the watches ended and are restarted", extra={"error": repr(error)})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._again_after_s)


def _log_fault(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """As asyncio does it, without the trace where a stream of kopf's is open at the end: it is of no use to anybody."""
    if "asyncgen" in context:
        _LOG.info("an event stream was closed when its loop ended", extra={"error": repr(context["exception"])})
    else:
        loop.default_exception_handler(context)
