"""DynamoDB Local as a real server, and a proxy before it that loses answers, throttles and fails on demand.

`VIDEOJOB_TEST_DYNAMODB_URL` names a running one to use instead.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from mypy_boto3_dynamodb.client import DynamoDBClient

from videojob.adapters.aws.dynamodb.calls import RetryPolicy
from videojob.adapters.aws.dynamodb.sink import DynamoDbSettings

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
"""Credentials that DynamoDB Local takes, and nothing of the machine's own."""

ROOT = Path(__file__).parents[2]
QUICK = RetryPolicy(give_up_s=5.0, first_wait_s=0.001, max_wait_s=0.01)
"""Patient enough for every fault that ends, quick between attempts."""

_START_S = 60.0


@contextmanager
def dynamodb_local() -> Iterator[str]:
    """A server with empty memory on a free port; yields its URL."""
    given = os.environ.get("VIDEOJOB_TEST_DYNAMODB_URL")
    if given:
        yield given
        return
    home = subprocess.run([ROOT / "scripts/dynamodb-local"], check=True, capture_output=True, text=True).stdout.strip()
    port = _free_port()
    command = [
        "java",
        "-Xmx512m",
        "-XX:TieredStopAtLevel=1",  # it lives for minutes: compiling its code well costs more than it brings
        "-XX:+UseSerialGC",
        "-Djava.library.path=lib",
        "-cp",
        "lib/*",
        "com.amazonaws.services.dynamodbv2.local.main.ServerRunner",
        "-inMemory",
        "-disableTelemetry",
        "-port",
        str(port),
    ]
    server = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def settings_for(url: str, *, table: str | None = None, retry: RetryPolicy = QUICK) -> DynamoDbSettings:
    """Settings for a table of its own unless one is named."""
    return DynamoDbSettings(table or f"results-{uuid4().hex[:12]}", "us-east-1", url, retry)


@dataclass
class Reads:
    """What a client has read: requests, and the units that the service says they took."""

    requests: int = 0
    units: float = 0.0


def count_reads(client: DynamoDBClient) -> Reads:
    """Counts the client's reads from now on."""
    reads = Reads()

    def ask(params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def count(parsed: dict[str, Any], **_: object) -> None:
        reads.requests += 1
        reads.units += parsed.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)

    for operation in ("GetItem", "Query", "Scan"):
        client.meta.events.register(f"before-parameter-build.dynamodb.{operation}", ask)
        client.meta.events.register(f"after-call.dynamodb.{operation}", count)
    return reads


class Fault(Enum):
    """What the proxy does with one request."""

    DROP_ANSWER = auto()
    """The server gets the request, the client never learns of it."""
    THROTTLE = auto()
    SERVER_ERROR = auto()
    DENY = auto()
    NOT_FOUND = auto()
    LEAVE_OVER = auto()
    """All but the first write of a batch come back unprocessed."""


_PUTS = {"PutItem", "UpdateItem"}

Rule = Callable[[str, int], Fault | None]
"""(operation, how many requests came before) -> what to do with it."""


@dataclass
class FaultyDynamoDb:
    """A proxy; `rule` decides, `seen` are the operations so far, `asked` the same with what they ask for, `charged` the
    write units that the server reported, whether its answer got through or not.
    """

    url: str
    rule: Rule = lambda _operation, _before: None
    seen: list[str] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: int = 0
    charged: float = 0.0
    lock: Lock = field(default_factory=Lock)

    def decide(self, operation: str) -> Fault | None:
        with self.lock:
            fault = self.rule(operation, len(self.seen))
            self.seen.append(operation)
            self.faults += fault is not None
            return fault

    def charge(self, operation: str, answer: bytes) -> None:
        consumed = json.loads(answer).get("ConsumedCapacity", []) if "Write" in operation or operation in _PUTS else []
        entries = consumed if isinstance(consumed, list) else [consumed]
        with self.lock:
            self.charged += sum(entry.get("CapacityUnits", 0.0) for entry in entries)


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyDynamoDb]:
    """Forwards to `target` on a free port until the block ends."""
    server = _ProxyServer(("127.0.0.1", 0), _Proxy)
    server.target = urlsplit(target).netloc
    server.state = FaultyDynamoDb(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _ProxyServer(ThreadingHTTPServer):
    target: str
    state: FaultyDynamoDb
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing unusual here."""


class _Proxy(BaseHTTPRequestHandler):
    server: _ProxyServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each short answer waits 40 ms for the client's word on its headers

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        self.server.state.asked.append((operation, json.loads(body)))
        fault = self.server.state.decide(operation)
        if fault is Fault.THROTTLE:
            self._refuse(400, "ProvisionedThroughputExceededException")
        elif fault is Fault.SERVER_ERROR:
            self._refuse(500, "InternalServerError")
        elif fault is Fault.DENY:
            self._refuse(400, "AccessDeniedException")
        elif fault is Fault.NOT_FOUND:
            self._refuse(400, "ResourceNotFoundException")
        elif fault is Fault.LEAVE_OVER:
            self._leave_over(json.loads(body))
        else:
            status, headers, answer = self._forward(body)
            self.server.state.charge(operation, answer)
            if fault is Fault.DROP_ANSWER:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._answer(status, answer, headers)

    def log_message(self, *_args: object) -> None:
        """Quiet."""

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection(self.server.target, timeout=30)
        try:
            upstream.request("POST", "/", body, {name: value for name, value in self.headers.items() if name != "Host"})
            response = upstream.getresponse()
            kept = {
                name: value
                for name, value in response.getheaders()
                if name.lower() in {"content-type", "x-amz-crc32", "x-amzn-requestid"}
            }
            return response.status, kept, response.read()
        finally:
            upstream.close()

    def _leave_over(self, request: dict[str, Any]) -> None:
        """Forwards the first write only; the signature does not cover that, and DynamoDB Local does not mind."""
        ((table, writes),) = request["RequestItems"].items()
        first = {**request, "RequestItems": {table: writes[:1]}}
        status, _, answer = self._forward_json(first)
        left = {table: writes[1:]} if writes[1:] else {}
        self._answer(status, json.dumps({**json.loads(answer), "UnprocessedItems": left}).encode(), {})

    def _forward_json(self, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        body = json.dumps(request).encode()
        self.headers.replace_header("Content-Length", str(len(body)))
        return self._forward(body)

    def _refuse(self, status: int, code: str) -> None:
        answer = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}
        self._answer(status, json.dumps(answer).encode(), {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/x-amz-json-1.0", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s:
        if server.poll() is not None:
            raise RuntimeError(f"DynamoDB Local ended with status {server.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"DynamoDB Local did not listen within {_START_S:g} s")
