"""A proxy before a kube-apiserver that refuses, delays, breaks and falls silent on demand, and counts what it saw.

Whoever is to be disturbed is given its plain http address; credentials pass through.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit
from weakref import WeakSet

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SELF_CARE = ("/leases", "/videojobs/videojob-canary")  # what an older release has left
_KEPT = frozenset({"content-type", "content-encoding", "retry-after", "warning"})
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked.

    Attributes:
        path: without the query.
        number: how many requests came before it.
        at_s: when, by the monotonic clock.
    """

    method: str
    path: str
    query: dict[str, list[str]]
    number: int
    at_s: float = field(default_factory=time.monotonic)

    @property
    def is_watch(self) -> bool:
        return "watch" in self.query

    @property
    def is_work(self) -> bool:
        """Whether it writes for a job: not for the controller itself."""
        return self.method in _WRITES and not any(part in self.path for part in _SELF_CARE)


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answers instead of the server."""

    status: int
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """Resets the connection.

    Attributes:
        forward: the server gets the request first, so that only its answer is lost.
        meanwhile: called before the reset.
    """

    forward: bool
    meanwhile: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class CutShort:
    """Forwards, and answers with half of the body."""


@dataclass(frozen=True, slots=True)
class Swallow:
    """Takes the request and never answers."""


Fault = Refuse | Break | CutShort | Swallow
Rule = Callable[[Request], Fault | None]


@dataclass
class ApiFaults:
    """What the proxy does and saw.

    Attributes:
        url: of the proxy.
        rule: what to do with a request; None lets it pass.
        hide: which events of watches nobody gets.
        seen: all requests so far, with the status that each was answered with (0: none).
    """

    url: str
    rule: Rule = lambda _request: None
    hide: Callable[[dict[str, Any]], bool] = lambda _event: False
    seen: list[tuple[Request, int]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    numbers: int = 0
    streams: set[Stream] = field(default_factory=set)
    ended: Event = field(default_factory=Event)

    def next_number(self) -> int:
        with self.lock:
            self.numbers += 1
            return self.numbers - 1

    def record(self, request: Request, status: int) -> None:
        with self.lock:
            self.seen.append((request, status))

    def count(self, wanted: Callable[[Request], bool], since: int = 0) -> int:
        """How many requests so far are so."""
        with self.lock:
            return sum(wanted(request) for request, _ in self.seen[since:])

    def hides(self, event: dict[str, Any]) -> bool:
        """What `hide` says now."""
        return self.hide(event)

    def freeze(self) -> int:
        """From now on no byte comes through the open watches, which stay open; returns how many there are."""
        with self.lock:
            for stream in self.streams:
                stream.frozen = True
            return len(self.streams)

    def inject(self, code: int, reason: str, kind: str = "") -> int:
        """Says ERROR in open watches, of a `kind` only, as a server that cannot go on does; returns in how many."""
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
        line = json.dumps({"type": "ERROR", "object": status | {"message": "injected", "metadata": {}}}).encode()
        with self.lock:
            streams = [one for one in self.streams if one.path.endswith(f"/{kind}" if kind else "")]
        return sum(stream.tells(line + b"\n") for stream in streams)

    def end_watches(self, last: bytes = b"") -> int:
        """Ends every open watch, with this last line; returns how many."""
        with self.lock:
            streams = list(self.streams)
        told = [stream.tells(last) for stream in streams]
        for stream in streams:
            stream.end()
        return sum(told)


class Stream:
    """One open watch.

    Args:
        path: that is watched. write: to who watches.
        end: ends what comes from the server.
        hide: which events are left out.
    """

    def __init__(
        self, path: str, write: Callable[[bytes], Any], end: Callable[[], None], hide: Callable[[dict[str, Any]], bool]
    ) -> None:
        self.path = path
        self.frozen = False
        self.end = end
        self._write, self._hide = write, hide
        self._lock = Lock()
        self._part = b""

    def pass_on(self, data: bytes) -> None:
        """What came from the server, event by event."""
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            if not self._hide(json.loads(line)):
                self.say(line + b"\n")

    def tells(self, data: bytes) -> bool:
        """The same, unless who watched has gone without a word; returns whether somebody watches."""
        try:
            if data:
                self.say(data)
        except OSError:
            return False
        return True

    def say(self, data: bytes) -> None:
        """One chunk; nothing when it is frozen."""
        if not self.frozen:
            with self._lock:
                self._write(b"%x\r\n%s\r\n" % (len(data), data))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    faults: ApiFaults
    connections: WeakSet[http.client.HTTPConnection]
    upstream: str
    trust: ssl.SSLContext

    def connect(self) -> http.client.HTTPConnection:
        where = urlsplit(self.upstream)
        assert where.hostname is not None
        if where.scheme == "http":
            made = http.client.HTTPConnection(where.hostname, where.port, timeout=600)
        else:
            made = http.client.HTTPSConnection(where.hostname, where.port, timeout=600, context=self.trust)
        made.connect()
        self.connections.add(made)
        return made

    def hang_up(self) -> None:
        """Ends all connections to the server, which would wait for open watches when it is stopped."""
        for one in list(self.connections):
            hang_up(one.sock)

    def handle_error(self, request: object, client_address: object) -> None:
        """Who is disturbed hangs up: nothing unusual here."""


@contextmanager
def faulty_api(upstream: str) -> Iterator[ApiFaults]:
    """A proxy before `upstream` on a free port of 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Proxy)
    server.upstream = upstream
    server.connections = WeakSet()
    # The server made its own certificate a moment ago, on this machine.
    server.trust = ssl.create_default_context()
    server.trust.check_hostname = False
    server.trust.verify_mode = ssl.CERT_NONE
    server.faults = ApiFaults(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.faults
    finally:
        server.faults.ended.set()
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join()


def hang_up(connection: socket.socket | None) -> None:
    """Ends a connection, if there is one, whoever waits for what comes from it."""
    if connection is not None:
        with contextlib.suppress(OSError):  # it has ended by itself
            connection.shutdown(socket.SHUT_RDWR)


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each short answer waits 40 ms for the client's word on its headers
    wbufsize = 0
    server: _Server
    upstream: http.client.HTTPConnection | None = None

    def _pass_on(self) -> None:
        faults = self.server.faults
        where = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = Request(self.command, where.path, parse_qs(where.query), faults.next_number())
        fault = faults.rule(request)
        if isinstance(fault, Refuse):
            faults.record(request, fault.status)
            self._refuse(fault)
        elif isinstance(fault, Break):
            status = self._forward(body).status if fault.forward else 0
            faults.record(request, status)
            fault.meanwhile()
            self._reset()
        elif isinstance(fault, Swallow):
            faults.record(request, 0)
            faults.ended.wait()
            self._reset()
        else:
            answer = self._forward(body)
            faults.record(request, answer.status)
            if request.is_watch and answer.status == http.client.OK:
                self._stream(answer)
            else:
                text = answer.read()
                self._answer(answer, text[: len(text) // 2] if isinstance(fault, CutShort) else text)

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def do_PATCH(self) -> None:
        self._pass_on()

    def do_DELETE(self) -> None:
        self._pass_on()

    def _forward(self, body: bytes) -> http.client.HTTPResponse:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
        if self.upstream is None:
            self.upstream = self.server.connect()
        try:
            self.upstream.request(self.command, self.path, body or None, headers)
            return self.upstream.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.upstream = self.server.connect()  # the server had closed a connection that was idle
            self.upstream.request(self.command, self.path, body or None, headers)
            return self.upstream.getresponse()

    def _stream(self, answer: http.client.HTTPResponse) -> None:
        self._head(answer, {"Transfer-Encoding": "chunked"})
        self.close_connection = True
        faults, upstream = self.server.faults, self.upstream
        assert upstream is not None
        stream = Stream(urlsplit(self.path).path, self.wfile.write, partial(hang_up, upstream.sock), faults.hides)
        with faults.lock:
            faults.streams.add(stream)
        try:
            while data := answer.read1(1 << 16):
                stream.pass_on(data)
            if not stream.frozen:
                self.wfile.write(b"0\r\n\r\n")
            else:
                faults.ended.wait()
        finally:
            with faults.lock:
                faults.streams.discard(stream)
            upstream.close()

    def _refuse(self, fault: Refuse) -> None:
        values = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "injected"}
        body = json.dumps(values | {"code": fault.status}).encode()
        self.send_response_only(fault.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if fault.retry_after_s is not None:
            self.send_header("Retry-After", str(fault.retry_after_s))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, answer: http.client.HTTPResponse, body: bytes) -> None:
        self._head(answer, {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _head(self, answer: http.client.HTTPResponse, more: dict[str, str]) -> None:
        self.send_response_only(answer.status)
        kept = {name: value for name, value in answer.getheaders() if name.lower() in _KEPT}
        for name, value in (kept | more).items():
            self.send_header(name, value)
        self.end_headers()

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        super().finish()
        if self.upstream is not None:
            self.upstream.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Quiet."""
