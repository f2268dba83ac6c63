"""Triton as a pod of the cluster runs it: the same command line, on the server from the wheel; and names for pods."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from support.triton import CACHE
from videojob.kube.render.triton_args import GRPC_PORT, HTTP_PORT, METRICS_PORT, POD_UID, triton_arguments
from videojob.local.triton.health import HealthProbe
from videojob.local.triton.install import find_server

KEPT_BYTES = 2048
"""Of a log's end, that the kubelet keeps as a container's termination message."""
_START_S = 60.0


@dataclass(slots=True)
class Pod:
    """One server's process.

    Attributes:
        process: the server.
        host: loopback address of its own, so that several may have the same ports, as pods do.
        ports: by their usual numbers.
        uid: as the pod's.
        log: its output.
    """

    process: subprocess.Popen[bytes]
    host: str
    ports: dict[int, int]
    uid: str
    log: Path

    @property
    def grpc_address(self) -> str:
        return f"{self.host}:{self.ports[GRPC_PORT]}"

    @property
    def http(self) -> HealthProbe:
        """Its HTTP endpoint, as a stranger sees it."""
        return HealthProbe(self.host, self.ports[HTTP_PORT], {})

    def wait_ready(self) -> None:
        deadline_s = time.monotonic() + _START_S
        while not self.http.live():
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline_s, self.log.read_text(encoding="utf-8")
            time.sleep(0.05)

    def last_words(self) -> str:
        """The end of its log, as the kubelet keeps it, when it has ended by itself; fails when it goes on."""
        assert self.process.wait(_START_S) != 0
        return self.log.read_bytes()[-KEPT_BYTES:].decode(errors="replace")


@contextlib.contextmanager
def triton_pod(
    repository: Path,
    model: str,
    folder: Path,
    *,
    host: str = "127.0.0.1",
    ports: dict[int, int] | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[Pod]:
    """Starts a server on what `sync-model` made.

    Args:
        repository: the folder that is /models in a pod.
        model: that is loaded.
        folder: for the log.
        host: loopback address it listens on.
        ports: real ports by their usual numbers; free ones by default.
        arguments: further ones, that win over the usual.
    """
    install = find_server(CACHE)
    uid = secrets.token_hex(8)
    prefix = f"videojob-test-{uid}-"
    ports = ports or free_ports(host)
    usual = [one.replace(f"$({POD_UID})", uid) for one in triton_arguments(model, str(repository), gpu=False)]
    for number, port in ports.items():
        usual = [one.replace(f"-port={number}", f"-port={port}") for one in usual]
    usual += [f"--{kind}-address={host}" for kind in ("http", "grpc", "metrics")]
    given = {one.split("=")[0] for one in arguments}
    own = [
        f"--backend-directory={install.backends}",
        f"--backend-config=python,shm-region-prefix-name={prefix}",
        *(one for one in usual if one.split("=")[0] not in given),
        *arguments,
    ]
    path = os.pathsep.join([*map(str, install.path), os.environ["PATH"]])
    libraries = os.pathsep.join(map(str, install.library_path))
    environment = {"PATH": path, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "LD_LIBRARY_PATH": libraries}
    log = folder / f"triton-{uid}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(install.binary), *own],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    try:
        yield Pod(process, host, ports, uid, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        for left in Path("/dev/shm").glob(f"{prefix}*"):
            left.unlink(missing_ok=True)


def free_ports(host: str = "127.0.0.1") -> dict[int, int]:
    """Real ports for the three usual ones."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((host, 0))) for _ in range(3)]
        found = [int(one.getsockname()[1]) for one in sockets]
    return dict(zip((HTTP_PORT, GRPC_PORT, METRICS_PORT), found, strict=True))


@dataclass(slots=True)
class Names:
    """A DNS server that answers every name with `addresses`, which may change, as a headless Service's do.

    Without any it says that there is no such name, as CoreDNS does for a Service without ready pods.
    """

    addresses: tuple[str, ...] = ()
    questions: int = field(default=0, init=False)
    _socket: socket.socket = field(init=False)
    _thread: Thread = field(init=False)

    def __enter__(self) -> Names:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def target(self, port: int) -> str:
        """A gRPC target that is looked up here."""
        return f"dns://127.0.0.1:{self._socket.getsockname()[1]}/server.videojob.test:{port}"

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(4096)
            if not question:
                return
            self._socket.sendto(self._answer(question), client)

    def _answer(self, question: bytes) -> bytes:
        end = question.index(b"\0", 12) + 5
        is_address = struct.unpack("!H", question[end - 4 : end - 2])[0] == 1
        addresses = self.addresses if is_address else ()
        self.questions += is_address
        flags = 0x8580 if self.addresses else 0x8583
        header = question[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
        records = [
            struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + bytes(map(int, address.split("."))) for address in addresses
        ]
        return header + question[12:end] + b"".join(records)
