"""The frame ring as a Triton system shared memory region: registered, counted while in use, unregistered when idle.

A server that unmaps a region while a request reads it would crash, so a region that is replaced or closed is
unregistered only when its last open request has been answered.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from pathlib import Path

from videojob.adapters.triton.channel import TritonChannel
from videojob.adapters.triton.wire import SharedInput
from videojob.ports.decoding import FrameRing

_LOG = logging.getLogger(__name__)
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the place itself, where POSIX shared memory lies
_UNREGISTER_TRIES = 5
_UNREGISTER_PAUSE_S = 0.02
_STILL_READ = "cannot unregister"


class Region:
    """One ring, known to the server under a name of its own.

    Attributes:
        path: the ring's file.
        name: what the server calls it.
    """

    def __init__(self, channel: TritonChannel, ring: FrameRing) -> None:
        self.path = ring.path
        self._channel = channel
        self._slot_bytes = ring.slot_bytes
        self._size_bytes = ring.slots * ring.slot_bytes
        self._key = f"/{ring.path.relative_to(_SHARED_MEMORY)}"
        self.name = f"videojob-{os.getpid()}-{secrets.token_hex(6)}"
        self._open = 0
        self._abandoned = False
        self._retired = False

    def register(self) -> bool:
        """Asks the server to map the ring; False when it refuses, which is logged."""
        refusal = self._channel.register_region(self.name, self._key, self._size_bytes)
        if refusal is not None and "already" not in refusal:
            _LOG.info("%s takes no shared memory, frames go by gRPC: %s", self._channel.url, refusal)
            return False
        self._abandoned = False
        return True

    def acquire(self, first_slot: int, length_bytes: int) -> SharedInput:
        """Where the frames of a request lie; the region stays registered until `release`."""
        self._open += 1
        return SharedInput(self.name, first_slot * self._slot_bytes, length_bytes)

    def release(self, *, answered: bool) -> None:
        """One request less; without the server's own answer it may still be reading, and the region stays."""
        self._open -= 1
        self._abandoned |= not answered
        self._unregister_when_idle()

    def retire(self) -> None:
        """No further request will use it."""
        self._retired = True
        self._unregister_when_idle()

    def _unregister_when_idle(self) -> None:
        if self._retired and self._open == 0 and not self._abandoned:
            words = self._channel.unregister_region(self.name)
            for _ in range(_UNREGISTER_TRIES - 1):
                if words is None or _STILL_READ not in words.lower():
                    break
                # A server counts a request as a reader until a moment after it has sent the answer.
                time.sleep(_UNREGISTER_PAUSE_S)
                words = self._channel.unregister_region(self.name)
            if words is not None:
                _LOG.debug("%s did not unregister %s: %s", self._channel.url, self.name, words)


def lies_in_shared_memory(path: Path) -> bool:
    """Whether a server can open the file as POSIX shared memory."""
    return path.parent == _SHARED_MEMORY
