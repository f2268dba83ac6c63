"""The parent's answers to a decoder process that reads a paged video. The child is not trusted."""

from __future__ import annotations

import contextlib

from videojob.errors import DecoderCrashed, DecodeTimeout
from videojob.media.parent.child import Child
from videojob.media.protocol import lines as protocol
from videojob.media.protocol.messages import PagedSource

_ENDLESS_FACTOR = 16
_ENDLESS_SLACK = 1024
"""A reader that needed more than so many times the file's blocks, and as many more, goes round in circles."""


class PageDesk:
    """Serves one probe or segment. While it does, nobody counts how long the child is silent.

    Args:
        child: that asks.
        pages: what it asks for; None when its file is whole: then it must not ask.
        run: which probe or segment it is.
        uri: of the video, for messages.
    """

    def __init__(self, child: Child, pages: PagedSource | None, run: int, uri: str) -> None:
        self._child = child
        self._pages = pages
        self._run = run
        self._uri = uri
        self._blocks = 0 if pages is None else -(-pages.size_bytes // pages.block_bytes)
        self._needs_left = _ENDLESS_FACTOR * self._blocks + _ENDLESS_SLACK

    def serves(self, message: protocol.Message) -> bool:
        """Deals with a message of this run when it is about pages, else says so.

        Raises:
            InputError: the block cannot be read.
            SetupError, Cancelled: what the source raises.
            DecodeTimeout: the child asks again and again.
            DecoderCrashed: it asks for what there is not.
        """
        if "need" not in message and "at" not in message:
            return False
        block = message.get("need", message.get("at"))
        if self._pages is None or type(block) is not int or not 0 <= block < self._blocks:
            raise self._child.crashed(self._uri, "requested a block that does not exist")
        count = message.get("blocks", 1)
        if type(count) is not int or not 1 <= count <= self._blocks - block:
            raise self._child.crashed(self._uri, "requested blocks that do not exist")
        if "need" in message:
            self._fill(self._pages, block, count)
        else:
            self._pages.touch(block)
        return True

    def _fill(self, pages: PagedSource, block: int, count: int) -> None:
        self._needs_left -= 1
        try:
            if self._needs_left < 0:
                raise DecodeTimeout("the decoder reads the same bytes again and again", uri=self._uri)
            pages.ensure(block, count)
        except BaseException:
            # The reason is ours to tell: the child, which waits, only learns that its work is not needed.
            self._tell("drop")
            raise
        self._child.send({"op": "filled", "run": self._run}, self._uri)

    def _tell(self, word: str) -> None:
        with contextlib.suppress(DecoderCrashed):
            self._child.send({"op": word, "run": self._run}, self._uri)
