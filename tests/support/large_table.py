"""The made-up table of `large_jobs` as a service of its own: what reads and writes it is then a process as it really
runs, whose memory holds nothing of the table.

    python -m support.large_table VIDEOS SEGMENTS APPEARANCES

It prints its URL, serves until it is ended, and tells at /told what it was asked for and given.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx

from support.large_jobs import MadeUpTable, a_plan
from videojob.adapters.aws.dynamodb.attributes import from_attributes
from videojob.results.stored.codec import canonical
from videojob.results.stored.items import join_items

_TESTS = Path(__file__).resolve().parents[1]
_CALLS = {
    "GetItem": MadeUpTable.get_item,
    "Query": MadeUpTable.query,
    "BatchWriteItem": MadeUpTable.batch_write_item,
    "TransactWriteItems": MadeUpTable.transact_write_items,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What was asked for and given.

    Attributes:
        queries, read_bytes: as `MadeUpTable` counts them.
        parts: items that the summary was written in, its head not counted.
        summary_bytes, summary_sha256: of the canonical JSON that these items are, put together again; 0 and "" before.
    """

    queries: int
    read_bytes: int
    parts: int
    summary_bytes: int
    summary_sha256: str


def told(table: MadeUpTable) -> Told:
    """So far."""
    stored = (from_attributes(json.loads(table.written[key])) for key in sorted(table.written) if "SUMMARY#" in key)
    summary = next((canonical(item["summary"]) for item in join_items(stored)), b"")
    sha256 = hashlib.sha256(summary).hexdigest() if summary else ""
    return Told(table.queries, table.read_bytes, len(table.written) - 1, len(summary), sha256)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each short answer waits 40 ms for the client's word on its headers
    table: MadeUpTable

    def do_POST(self) -> None:
        """One call of the service's protocol."""
        name = self.headers["X-Amz-Target"].rpartition(".")[2]
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(_CALLS[name](self.table, **request))

    def do_GET(self) -> None:
        """What it was asked for."""
        self._answer(asdict(told(self.table)))

    def _answer(self, value: Mapping[str, Any]) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_words: Any) -> None:
        """Says nothing."""


@dataclass(frozen=True, slots=True)
class LargeTable:
    """The running service."""

    url: str

    def told(self) -> Told:
        """See there."""
        return Told(**httpx.get(f"{self.url}/told", timeout=300).json())


@contextmanager
def large_table(videos: int, segments: int, appearances: int) -> Iterator[LargeTable]:
    """Serves such a job's table from a process of its own."""
    numbers = [str(videos), str(segments), str(appearances)]
    command = [sys.executable, "-m", "support.large_table", *numbers]
    with subprocess.Popen(command, cwd=_TESTS, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield LargeTable(process.stdout.readline().strip())
        finally:
            process.kill()


def main() -> None:
    """Serves what the arguments name."""
    videos, segments, appearances = map(int, sys.argv[1:])
    plan, run = a_plan(videos, segments)
    handler = type("Handler", (_Handler,), {"table": MadeUpTable(plan, run, appearances)})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main()
