"""A deadline that a server cannot put off by sending a byte now and then.

A socket's timeout restarts with every byte, so headers, or the frame around a chunk, that come one byte in half a
minute would hold a run for weeks. Here the next whole event of an answer (its headers, a piece of its body) has a
deadline of its own, and every read is cut to what is left of it.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore


class Patience:
    """The deadline of the next event, for each thread its own, as one thread has one request under way at a time.

    Args:
        limit_s: how long an event may take.
        monotonic_s: the clock.
    """

    def __init__(self, limit_s: float, monotonic_s: Callable[[], float]) -> None:
        self._limit_s = limit_s
        self._monotonic_s = monotonic_s
        self._of_thread = threading.local()

    def restart(self) -> None:
        """The last event is here, or a request begins: the next one has all the time again."""
        self._of_thread.deadline_s = self._monotonic_s() + self._limit_s

    def cut(self, timeout_s: float | None) -> float:
        """A timeout that does not reach behind the deadline.

        Raises:
            httpcore.ReadTimeout: the deadline has passed.
        """
        if not hasattr(self._of_thread, "deadline_s"):
            self.restart()
        left_s: float = self._of_thread.deadline_s - self._monotonic_s()
        if left_s <= 0:
            raise httpcore.ReadTimeout(f"too slow: the next part of the answer took over {self._limit_s:.0f} s")
        return left_s if timeout_s is None else min(timeout_s, left_s)


class PatientNetwork(httpcore.NetworkBackend):
    """Connections of another backend, read under a `Patience`.

    Args:
        network: opens them.
        patience: how long reads may take.
    """

    def __init__(self, network: httpcore.NetworkBackend, patience: Patience) -> None:
        self._network = network
        self._patience = patience

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection as the other backend opens it."""
        stream = self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _PatientStream(stream, self._patience)


class _PatientStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, patience: Patience) -> None:
        self._stream = stream
        self._patience = patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._patience.cut(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _PatientStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._patience)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
