"""What a kube-apiserver asks a node's kubelet when somebody wants a log: a stand-in; the test sets what containers say.

Everything before it is real: the API server checks pod, container and rights, and passes the log through.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Condition, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_MERGE = {"Content-Type": "application/merge-patch+json"}
NODE = "stand-in"

Line = tuple[str, str]
"""(time, text)"""


@dataclass
class Kubelet:
    """The stand-in.

    Attributes:
        logs: what each container said, by (pod, container); "previous" is a third part of the key.
        ended: containers that say no more.
        queries: how it was asked.
        broken: followed logs are cut off after what there is.
    """

    port: int = 0
    logs: dict[tuple[str, ...], list[Line]] = field(default_factory=dict)
    ended: set[tuple[str, ...]] = field(default_factory=set)
    queries: list[dict[str, str]] = field(default_factory=list)
    broken: bool = False
    is_over: bool = False
    changed: Condition = field(default_factory=Condition)

    def says(self, pod: str, container: str, *lines: Line, previous: bool = False) -> None:
        """More lines of a container."""
        with self.changed:
            key = (pod, container, "previous") if previous else (pod, container)
            self.logs.setdefault(key, []).extend(lines)
            self.changed.notify_all()

    def ends(self, pod: str, container: str) -> None:
        """The container's log is at its end."""
        with self.changed:
            self.ended.add((pod, container))
            self.changed.notify_all()

    def breaks(self, *, broken: bool) -> None:
        """Cuts followed logs off, or no longer."""
        with self.changed:
            self.broken = broken
            self.changed.notify_all()

    def stop(self) -> None:
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def lines(self, key: tuple[str, ...], query: dict[str, str]) -> Iterator[Line]:
        """What an answer consists of."""
        said = [line for line in self.logs.get(key, ()) if _second(line[0]) >= _second(query.get("sinceTime", ""))]
        tail = query.get("tailLines")
        at = len(self.logs.get(key, ()))
        yield from said if tail is None else said[max(0, len(said) - int(tail)) :]
        while query.get("follow") == "true" and (fresh := self._next(key, at)):
            at += len(fresh)
            yield from fresh

    def _next(self, key: tuple[str, ...], at: int) -> list[Line]:
        """The lines behind the first `at`, waited for; none when no more will come."""
        with self.changed:
            self.changed.wait_for(
                lambda: self.is_over or self.broken or key in self.ended or len(self.logs.get(key, ())) > at
            )
            return self.logs.get(key, [])[at:]


def _second(time: str) -> str:
    """A kubelet is asked in whole seconds."""
    return time[:19]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each short answer waits 40 ms for the client's word on its headers
    server: _Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        _, pod, container = url.path.removeprefix("/containerLogs/").split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.server.kubelet.queries.append(query)
        key = (pod, container, "previous") if query.get("previous") == "true" else (pod, container)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for time, text in self.server.kubelet.lines(key, query):
                line = f"{time} {text}\n" if query.get("timestamps") == "true" else f"{text}\n"
                data = line.encode()
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, *_args: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    kubelet: Kubelet
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing unusual here."""


@contextmanager
def stand_in_kubelet(client: httpx.Client, folder: Path) -> Iterator[Kubelet]:
    """Serves on a free port as the kubelet of a node that is made in the cluster of `client`."""
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(folder))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.kubelet = Kubelet(server.server_port)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        _make_node(client, server.server_port)
        yield server.kubelet
    finally:
        server.kubelet.stop()
        server.shutdown()
        server.server_close()
        thread.join()


def _make_node(client: httpx.Client, port: int) -> None:
    client.post("/api/v1/nodes", json={"metadata": {"name": NODE}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    answer = client.patch(f"/api/v1/nodes/{NODE}/status", json={"status": status}, headers=_MERGE)
    assert answer.is_success, answer.text


def make_pod(
    client: httpx.Client,
    namespace: str,
    name: str,
    labels: dict[str, str],
    *,
    containers: tuple[str, ...] = ("videojob",),
    init: tuple[str, ...] = (),
    states: dict[str, dict[str, Any]] | None = None,
) -> None:
    """A pod on the node, all of whose containers run unless `states` gives their status."""
    spec = {
        "nodeName": NODE,
        "containers": [{"name": one, "image": "none"} for one in containers],
        "initContainers": [{"name": one, "image": "none"} for one in init],
    }
    value = {"metadata": {"name": name, "labels": labels}, "spec": spec}
    answer = client.post(f"/api/v1/namespaces/{namespace}/pods", json=value)
    assert answer.is_success, answer.text
    set_states(client, namespace, name, containers, init, states or {})


def set_states(
    client: httpx.Client,
    namespace: str,
    name: str,
    containers: tuple[str, ...],
    init: tuple[str, ...],
    states: dict[str, dict[str, Any]],
) -> None:
    """What the kubelet would report of a pod's containers."""
    started = "2026-11-25T10:00:00Z"
    running = {"state": {"running": {"startedAt": started}}, "ready": True, "restartCount": 0}
    status = {
        part: [
            {"name": one, "image": "none", "imageID": "", "containerID": "x://1"} | running | states.get(one, {})
            for one in names
        ]
        for part, names in (("containerStatuses", containers), ("initContainerStatuses", init))
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
    answer = client.patch(path, json={"status": {"phase": "Running", **status}}, headers=_MERGE)
    assert answer.is_success, answer.text


def _certificate(folder: Path) -> Path:
    """A certificate that nobody checks, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubelet")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "kubelet.pem"
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    path.write_bytes(text)
    return path
