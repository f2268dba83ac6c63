"""What runs before and beside a Triton server that builds TensorRT engines: it brings published engines, waits while
another replica builds them, and publishes what this one has built.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from videojob.adapters.triton.engine_cache import EngineCache
from videojob.errors import SetupError
from videojob.ports.clock import Clock

_LOG = logging.getLogger(__name__)
POLL_S = 5.0
MOST_WAIT_S = 1800.0
"""Building takes minutes. A replica that has waited for so long builds for itself."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines of one pod.

    Attributes:
        cache: where they lie.
        clock: the time.
        sleep: waits that many seconds.
        is_ready: whether the server of this pod answers, all its engines built.
    """

    cache: EngineCache
    clock: Clock
    sleep: Callable[[float], None]
    is_ready: Callable[[], bool] = lambda: False

    def bring(self) -> None:
        """Brings the engines, or takes on to build them; returns when the server may start.

        Raises:
            SetupError: the volume cannot be used.
        """
        began_s = self.clock.monotonic_s()
        try:
            while True:
                count = self.cache.take()
                if count:
                    _LOG.info("engines are ready", extra={"files": count})
                    return
                if self.cache.claim():
                    _LOG.info("this server builds the engines")
                    return
                waited_s = self.clock.monotonic_s() - began_s
                if waited_s >= MOST_WAIT_S:
                    _LOG.warning("another server takes too long to build: this one builds its own engines")
                    return
                _LOG.info("another server builds the engines", extra={"waited_s": round(waited_s)})
                self.sleep(POLL_S)
        except OSError as error:
            raise _unusable(self.cache, error) from error

    def share(self) -> None:
        """Marks this pod's claim until its server is ready, then publishes what it built.

        Raises:
            SetupError: the volume cannot be used.
        """
        try:
            while not self.is_ready():
                self.cache.mark()
                self.sleep(POLL_S)
            count = self.cache.publish()
            _LOG.info("engines are published", extra={"new_files": count})
        except OSError as error:
            raise _unusable(self.cache, error) from error
        finally:
            self.cache.release()


def _unusable(cache: EngineCache, error: OSError) -> SetupError:
    return SetupError(
        f"the volume for engines cannot be used: {error}",
        uri=str(cache.shared),
        hint="Check the claim that engineCacheClaim names: all replicas must be able to write to it.",
        retryable=True,
    )
