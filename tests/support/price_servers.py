"""Servers that answer as AWS' price APIs and as Karpenter's metrics page do, with what a test lays down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl

Answer = tuple[int, str, str]
"""Status, content type, body."""


@dataclass
class AnswerServer:
    """Answers each request by a function.

    Attributes:
        url: of it.
        seen: (action, parameters) so far; the action is "" for GET.
        released: what an answer may wait for, so that a test can let it hang.
    """

    url: str
    answer: Callable[[str, dict[str, Any]], Answer]
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    released: Event = field(default_factory=Event)


@contextmanager
def answer_server(answer: Callable[[str, dict[str, Any]], Answer]) -> Iterator[AnswerServer]:
    """Serves on a free port of 127.0.0.1 until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    state = AnswerServer(f"http://127.0.0.1:{server.server_port}", answer)
    server.state = state  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._reply("", {"path": self.path})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target")
        if target is not None:
            self._reply(target.rpartition(".")[2], json.loads(text))
        else:
            parameters = dict(parse_qsl(text))
            self._reply(parameters.get("Action", ""), parameters)

    def _reply(self, action: str, parameters: dict[str, Any]) -> None:
        state: AnswerServer = self.server.state  # type: ignore[attr-defined]
        state.seen.append((action, parameters))
        status, kind, text = state.answer(action, parameters)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return  # the client did not wait

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


def price_list(products: Sequence[str], token: str = "") -> Answer:
    """An answer of GetProducts."""
    page: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": list(products)}
    return 200, "application/x-amz-json-1.1", json.dumps(page | ({"NextToken": token} if token else {}))


def spot_history(entries: Sequence[Mapping[str, str]], token: str = "") -> Answer:
    """An answer of DescribeSpotPriceHistory."""
    items = "".join(
        f"<item><instanceType>{one['InstanceType']}</instanceType><spotPrice>{one['SpotPrice']}</spotPrice>"
        f"<productDescription>{one['ProductDescription']}</productDescription><timestamp>{one['Timestamp']}</timestamp>"
        f"<availabilityZone>{one['AvailabilityZone']}</availabilityZone></item>"
        for one in entries
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><DescribeSpotPriceHistoryResponse '
        'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>1</requestId>'
        f"<spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken>{token}</nextToken>"
        "</DescribeSpotPriceHistoryResponse>"
    )
    return 200, "text/xml;charset=UTF-8", text


def json_refusal(status: int, code: str, message: str = "no") -> Answer:
    """A refusal of the price list."""
    return status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})


def xml_refusal(status: int, code: str, message: str = "no") -> Answer:
    """A refusal of EC2."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return status, "text/xml", f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
