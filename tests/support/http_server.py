"""A file server on loopback that misbehaves on request: wrong lengths, cut bodies, error codes, redirects."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Page:
    """What one path serves."""

    content: bytes = b""
    etag: str | None = '"v1"'
    last_modified: str | None = None
    ranges: bool = True
    dates_as_conditions: bool = True
    """Whether a date may be the condition of a part."""
    redirect: str | None = None
    declare_length: bool = True
    cuts: deque[int] = field(default_factory=deque)
    """Each cuts one body off after so many bytes."""
    statuses: deque[int] = field(default_factory=deque)
    """Each is answered once instead of the page."""


@dataclass
class FileServer:
    """`pages` by path; `seen` are the requests so far, as (path, headers)."""

    url: str
    pages: dict[str, Page] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def file_server(tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Serves on a free port of 127.0.0.1 until the block ends."""
    server = _QuietServer(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    state = FileServer(f"{scheme}://127.0.0.1:{server.server_port}")
    server.state = state  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing unusual here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each short answer waits 40 ms for the client's word on its headers

    def do_GET(self) -> None:
        state: FileServer = self.server.state  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        state.seen.append((self.path, dict(self.headers.items())))
        page = state.pages.get(path)
        if page is None:
            self._empty(404)
        elif page.statuses:
            self._empty(page.statuses.popleft())
        elif page.redirect is not None:
            self._empty(302, {"Location": page.redirect})
        else:
            self._serve(page)

    def _empty(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self, page: Page) -> None:
        start, stop = self._range(page)
        body = page.content[start:stop]
        is_part = start > 0 or stop < len(page.content)
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(page.content)}")
        for name, value in (("ETag", page.etag), ("Last-Modified", page.last_modified)):
            if value is not None:
                self.send_header(name, value)
        if page.declare_length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        whole = not page.cuts
        self.wfile.write(body if whole else body[: page.cuts.popleft()])
        self.close_connection = not (whole and page.declare_length)

    def _range(self, page: Page) -> tuple[int, int]:
        asked = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        conditions = {None, page.etag, page.last_modified if page.dates_as_conditions else None}
        if not (page.ranges and asked and condition in conditions):
            return 0, len(page.content)
        first, _, last = asked.removeprefix("bytes=").partition("-")
        return int(first), min(len(page.content), int(last) + 1 if last else len(page.content))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        pass
