"""A server at S3's port for one large object: it sends ranges from a file and counts every byte that it sends.

moto holds objects in memory; a recording of twelve hours does not fit there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

_RANGE = re.compile(r"bytes=(\d+)-(\d*)$")


@dataclass
class RangeServer:
    """What was sent.

    Attributes:
        url: of the server.
        path: of the object.
        sent: (first byte, bytes sent) of every answer to a GET, in order.
    """

    url: str
    path: Path
    sent: list[tuple[int, int]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def take(self) -> list[tuple[int, int]]:
        """What was sent since the last call."""
        with self.lock:
            taken, self.sent = self.sent, []
        return taken


@contextmanager
def range_server(path: Path) -> Iterator[RangeServer]:
    """A server of one file, whatever bucket and key are asked for, on a free port of 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    found = RangeServer(f"http://127.0.0.1:{server.server_port}", path)
    server.found = found  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each short answer waits 40 ms for the client's word on its headers

    def do_HEAD(self) -> None:
        found: RangeServer = self.server.found  # type: ignore[attr-defined]
        self._begin(200, found.path.stat().st_size)

    def do_GET(self) -> None:
        found: RangeServer = self.server.found  # type: ignore[attr-defined]
        size = found.path.stat().st_size
        asked = _RANGE.match(self.headers.get("Range", "bytes=0-"))
        assert asked is not None
        start = int(asked[1])
        stop = min(size, int(asked[2]) + 1 if asked[2] else size)
        self._begin(206, stop - start, f"bytes {start}-{stop - 1}/{size}")
        sent = 0
        try:
            with found.path.open("rb") as file:
                while sent < stop - start:
                    sent += os.sendfile(self.connection.fileno(), file.fileno(), start + sent, stop - start - sent)
        except ConnectionError:
            self.close_connection = True
        with found.lock:
            found.sent.append((start, sent))

    def _begin(self, status: int, length: int, span: str = "") -> None:
        self.send_response_only(status)
        self.send_header("ETag", '"0123456789abcdef0123456789abcdef"')
        self.send_header("Content-Length", str(length))
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        pass
