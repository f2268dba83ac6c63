"""What the thread of the watches leaves in the log."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator

import pytest

from videojob.controller.runtime.watching import WatchThread


async def stream_that_does_not_close() -> AsyncIterator[str]:
    try:
        yield "event"
    finally:
        await asyncio.sleep(0)
        raise RuntimeError("the answer is still read")


def test_a_stream_that_is_open_at_the_end_leaves_one_line_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    stream = stream_that_does_not_close()
    begun = threading.Event()

    async def watch(over: asyncio.Event) -> None:
        await anext(stream)
        begun.set()
        await over.wait()

    thread = WatchThread(watch)
    with caplog.at_level(logging.INFO):
        thread.start()
        assert begun.wait(10.0)
        thread.stop()
        assert thread.join(10.0)
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("INFO", None)]
