"""moto's S3 as a real server, and a proxy before it that breaks answers."""

from __future__ import annotations

import http.client
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@contextmanager
def moto_server() -> Iterator[str]:
    """moto on a free port; yields its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def use_endpoint(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Points every AWS client made from now on at `url`, by AWS's own settings."""
    for name, value in _SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)


def direct_client(url: str) -> S3Client:
    """A client for arranging buckets, past any proxy."""
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


@dataclass(frozen=True)
class Refusal:
    """An answer of S3 that gives nothing; to HEAD it comes without the body that has the code and the sentence.

    Attributes:
        methods: that are refused.
        unless: a header that lets a request through.
        headers: of the answer.
    """

    status: int
    code: str
    sentence: str
    methods: tuple[str, ...] = ("HEAD", "GET")
    unless: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """As S3 writes it."""
        return f"<Error><Code>{self.code}</Code><Message>{self.sentence}</Message></Error>".encode()


@dataclass
class Faults:
    """What the proxy does wrong, and what it saw.

    Attributes:
        url: of the proxy.
        statuses: error codes to answer the next requests with.
        cuts: each ends one GET body after so many bytes.
        away: paths that are answered with 503 for as long as they stand here.
        refusal: stands between all requests that it is for and S3.
        seen: (method, path, headers) so far.
    """

    url: str
    statuses: deque[int] = field(default_factory=deque)
    cuts: deque[int] = field(default_factory=deque)
    away: set[str] = field(default_factory=set)
    refusal: Refusal | None = None
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def faulty_proxy(upstream: str) -> Iterator[Faults]:
    """A proxy before `upstream` on a free port of 127.0.0.1."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Proxy)
    faults = Faults(f"http://127.0.0.1:{server.server_port}")
    server.faults = faults  # type: ignore[attr-defined]
    server.upstream = urlsplit(upstream)  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield faults
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each short answer waits 40 ms for the client's word on its headers

    def _pass_on(self) -> None:
        faults: Faults = self.server.faults  # type: ignore[attr-defined]
        faults.seen.append((self.command, self.path, dict(self.headers.items())))
        if faults.statuses:
            self._answer(faults.statuses.popleft(), {}, b"")
            return
        if self.path.partition("?")[0] in faults.away:
            self._answer(503, {}, b"")
            return
        refusal = faults.refusal
        if refusal is not None and self.command in refusal.methods and refusal.unless not in self.headers:
            self._answer(refusal.status, {"Content-Type": "application/xml", **refusal.headers}, refusal.body)
            return
        upstream = self.server.upstream  # type: ignore[attr-defined]
        link = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=10)
        try:
            link.request(self.command, self.path, headers=dict(self.headers.items()))
            reply = link.getresponse()
            self._answer(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            link.close()

    def do_GET(self) -> None:
        self._pass_on()

    def do_HEAD(self) -> None:
        self._pass_on()

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        faults: Faults = self.server.faults  # type: ignore[attr-defined]
        self.send_response_only(status)
        headers = {name.title(): value for name, value in headers.items()}
        headers.setdefault("Content-Length", str(len(body)))
        headers.pop("Transfer-Encoding", None)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET" and status in {200, 206} and faults.cuts:
            self.wfile.write(body[: faults.cuts.popleft()])
            self.close_connection = True
        elif self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        pass
