"""`EmbeddedTriton`: the real server on loopback ports, started for one run and gone with it.

It listens on 127.0.0.1 only, takes models explicitly, and answers requests that change the server (model repository,
shared memory, trace, logging) only to callers that bring this run's secret header. A supervisor process
(`local.triton.supervisor`) ends it on every way out, kill -9 included.

Triton takes that secret on its command line only, where every process of this machine that may look into /proc reads
it. It keeps out whoever reaches the ports by mistake, or from a container of its own; not another user of the machine.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from videojob.errors import ModelLoadFailed, ServerStartFailed
from videojob.local.triton import leftovers, supervisor
from videojob.local.triton.health import HealthProbe, log_since, log_tail
from videojob.local.triton.install import ServerInstall, find_server
from videojob.local.triton.materialise import materialise

_LOG = logging.getLogger(__name__)
_HOST = "127.0.0.1"
_RESTRICTED = "model-repository,shared-memory,trace,logging"
_SECRET_KEY = "videojob-run"  # noqa: S105 - the header's name, not its value
_STOP_LIMIT_S = 5.0
_START_ATTEMPTS = 3
_READY_POLL_S = 0.05
_LOWEST_PORT = 20_000
_PORTS = 12_000  # Linux gives outgoing connections ports from 32,768
_PORT_TAKEN = ("address already in use", "failed to start grpc service", "failed to start http service")


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of one server."""

    grpc: int
    http: int
    metrics: int


@dataclass(frozen=True, slots=True)
class _Launch:
    """All that one start of the server is given."""

    install: ServerInstall
    repository: Path
    models: tuple[str, ...]
    ports: Ports
    secret: str
    prefix: str
    restarts: int
    log_path: Path


class EmbeddedTriton:
    """A running server; made by `start`, ended by `stop` or the end of a `with` block."""

    def __init__(self, process: subprocess.Popen[bytes], launch: _Launch) -> None:
        self._process = process
        self._launch = launch

    @classmethod
    def start(
        cls,
        repository: Path,
        models: Sequence[str],
        *,
        cache_folder: Path,
        log_path: Path,
        cpus: int,
        ports: Ports | None = None,
        restarts: int = 3,
        ready_timeout_s: float = 120.0,
    ) -> EmbeddedTriton:
        """Starts the server and returns when every model answers.

        Args:
            repository: a model repository as the official image takes it.
            models: names to load.
            cache_folder: for what is prepared once (the backend's copy, calibrations).
            log_path: the server's output is appended here.
            cpus: cores that the models may use in total.
            ports: fixed ports; free ones by default.
            restarts: how often a server that dies is started again, on the same ports; clients retry meanwhile.
            ready_timeout_s: how long starting and loading may take.

        Raises:
            SetupError: no embedded server for this platform.
            ModelNotFound: the repository lacks a model.
            ModelLoadFailed: the server refused a model; the message has its words.
            ServerStartFailed: it ended or hung while starting; the message has the end of its log.
        """
        install = find_server(cache_folder)
        leftovers.sweep()
        for _ in range(1 if ports else _START_ATTEMPTS):
            # The supervisor removes the folder when its server ends, so each attempt has its own.
            prefix = leftovers.new_prefix()
            launch = _Launch(
                install=install,
                repository=leftovers.new_folder(prefix),
                models=tuple(models),
                ports=ports or _free_ports(),
                secret=secrets.token_urlsafe(24),
                prefix=prefix,
                restarts=restarts,
                log_path=log_path.absolute(),
            )
            try:
                materialise(repository, models, launch.repository, cache_folder=cache_folder, cpus=cpus)
                server = _try_start(launch, ready_timeout_s)
            except BaseException:
                leftovers.remove(prefix)
                raise
            if server is not None:
                return server
        raise _start_failure(log_path, "its ports are taken")

    @property
    def ports(self) -> Ports:
        """Where it listens."""
        return self._launch.ports

    @property
    def log_path(self) -> Path:
        """Its output."""
        return self._launch.log_path

    @property
    def grpc_address(self) -> str:
        """HOST:PORT of the gRPC endpoint."""
        return f"{_HOST}:{self.ports.grpc}"

    @property
    def grpc_headers(self) -> tuple[tuple[str, str], ...]:
        """Metadata that opens the restricted gRPC calls, shared memory among them."""
        return ((f"triton-grpc-protocol-{_SECRET_KEY}", self._launch.secret),)

    @property
    def supervisor_pid(self) -> int:
        """Process id of the supervisor."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether the server runs, or is being started again."""
        return self._process.poll() is None

    def arm(self) -> None:
        """Tells the supervisor that the server was ready once: from now on its death is an accident."""
        if self._process.stdin is not None:
            self._process.stdin.write(b"ready\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Ends the server and removes what it left; a second call does nothing."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(2 * _STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            _LOG.warning("the server's supervisor %s hangs and is killed", self._process.pid)
            self._process.kill()
            self._process.wait()
        leftovers.remove(self._launch.prefix)

    def __enter__(self) -> EmbeddedTriton:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _try_start(launch: _Launch, ready_timeout_s: float) -> EmbeddedTriton | None:
    """A ready server; None when somebody took a port between our choosing and its binding."""
    log_start = launch.log_path.stat().st_size if launch.log_path.exists() else 0
    server = EmbeddedTriton(_spawn(launch), launch)
    try:
        _wait_ready(server, launch, ready_timeout_s)
    except ServerStartFailed:
        server.stop()
        words = log_since(launch.log_path, log_start).lower()
        if any(sign in words for sign in _PORT_TAKEN):
            return None
        raise
    except BaseException:
        server.stop()
        raise
    server.arm()
    return server


def _spawn(launch: _Launch) -> subprocess.Popen[bytes]:
    launch.log_path.parent.mkdir(parents=True, exist_ok=True)
    orders = supervisor.Orders(
        parent=os.getpid(),
        command=_command(launch),
        environment=_environment(launch.install),
        log=str(launch.log_path),
        ready_port=launch.ports.http,
        restarts=launch.restarts,
        limit_s=_STOP_LIMIT_S,
        shared_memory_prefix=launch.prefix,
        folder=str(launch.repository),
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", supervisor.__file__], stdin=subprocess.PIPE, start_new_session=True
    )
    if process.stdin is not None:
        process.stdin.write(json.dumps(asdict(orders)).encode() + b"\n")
        process.stdin.flush()
    return process


def _wait_ready(server: EmbeddedTriton, launch: _Launch, timeout_s: float) -> None:
    probe = HealthProbe(_HOST, launch.ports.http, {_SECRET_KEY: launch.secret})
    deadline_s = time.monotonic() + timeout_s
    while not probe.live():
        if not server.alive():
            raise _start_failure(launch.log_path, "it ended while starting")
        if time.monotonic() > deadline_s:
            raise _start_failure(launch.log_path, f"it was not ready after {timeout_s:.0f} s")
        time.sleep(_READY_POLL_S)
    try:
        states = probe.model_states()
    except OSError as error:
        raise _start_failure(launch.log_path, f"it does not report its models' states ({error})") from error
    for name in launch.models:
        state = states.get(name, {})
        if state.get("state") != "READY":
            raise ModelLoadFailed(
                f"the server refused to load the model: {state.get('reason') or log_tail(launch.log_path)}",
                uri=name,
                hint=f"The whole log is {launch.log_path}.",
            )


def _start_failure(log_path: Path, what: str) -> ServerStartFailed:
    return ServerStartFailed(
        f"the embedded Triton did not start: {what}. The end of its log:\n{log_tail(log_path)}\n",
        hint=f"The whole log is {log_path}.",
    )


def _command(launch: _Launch) -> list[str]:
    restricted = f"{_RESTRICTED}:{_SECRET_KEY}={launch.secret}"
    return [
        str(launch.install.binary),
        f"--model-repository={launch.repository}",
        f"--backend-directory={launch.install.backends}",
        f"--backend-config=python,shm-region-prefix-name={launch.prefix}",
        "--model-control-mode=explicit",
        *(f"--load-model={name}" for name in launch.models),
        "--disable-auto-complete-config",
        # A model that fails must leave a server that can say why.
        "--exit-on-error=false",
        f"--grpc-address={_HOST}",
        f"--grpc-port={launch.ports.grpc}",
        f"--http-address={_HOST}",
        f"--http-port={launch.ports.http}",
        f"--metrics-address={_HOST}",
        f"--metrics-port={launch.ports.metrics}",
        "--http-thread-count=2",
        "--allow-gpu-metrics=false",
        "--allow-cpu-metrics=false",
        f"--grpc-restricted-protocol={restricted}",
        f"--http-restricted-api={restricted}",
        "--log-info=false",
    ]


_PASSED_ON = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")


def _environment(install: ServerInstall) -> dict[str, str]:
    """Only what the server needs: no credentials, no PYTHONPATH, no foreign libraries."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PATH"] = os.pathsep.join([*map(str, install.path), os.environ.get("PATH", os.defpath)])
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment["PYTHONNOUSERSITE"] = "1"
    if install.library_path:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, install.library_path))
    return environment


def _free_ports() -> Ports:
    """Three ports that were free a moment ago, all different, none of those that outgoing connections take."""
    with contextlib.ExitStack() as stack:
        chosen: list[int] = []
        while len(chosen) < 3:
            held = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                held.bind((_HOST, _LOWEST_PORT + secrets.randbelow(_PORTS)))
                chosen.append(int(held.getsockname()[1]))
    return Ports(*chosen)
