"""A real kube-apiserver for tests: etcd and it on loopback, in a temporary folder, stopped on every way out.

`scripts/kube-tools` builds both programs once. A cluster of one's own is used instead when the environment variable
VIDEOJOB_TEST_KUBECONFIG names its kubeconfig (KUBECONFIG alone is not enough: it may point at something precious, and
tests install the CRD); `kubectl proxy` then stands in front of it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
OWN_CLUSTER = "VIDEOJOB_TEST_KUBECONFIG"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
BUILD_TIMEOUT_S = 3600
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running apiserver.

    Attributes:
        client: talks to it as an administrator; paths are relative to the server's address.
        etcd_url: of its store; None where the cluster is somebody's own.
    """

    client: httpx.Client
    etcd_url: str | None = None

    def install_crd(self, text: str) -> dict[str, Any]:
        """Applies a CRD and waits until it is served. Returns the stored object; raises on a refusal."""
        values = yaml.safe_load(text)
        path = f"{CRDS}/{values['metadata']['name']}"
        answer = self.client.patch(
            path,
            params={"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"},
            content=text,
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.is_success, answer.text
        return _wait_for("the CRD to be established", lambda: self._established(path))

    def _established(self, path: str) -> dict[str, Any] | None:
        stored: dict[str, Any] = self.client.get(path).json()
        conditions = {item["type"]: item for item in stored.get("status", {}).get("conditions") or ()}
        ready = conditions.get("Established", {}).get("status") == "True"
        served = stored["spec"]["versions"][0]["name"] in self._served(stored["spec"]["group"])
        return stored if ready and served else None

    def _served(self, group: str) -> list[str]:
        answer = self.client.get(f"/apis/{group}")
        return [item["version"] for item in answer.json()["versions"]] if answer.is_success else []


@contextmanager
def running_apiserver(folder: Path) -> Iterator[ApiServer]:
    """Starts the servers below `folder` (or reaches the cluster of VIDEOJOB_TEST_KUBECONFIG), and stops them."""
    with ExitStack() as stack:
        own = os.environ.get(OWN_CLUSTER)
        if own:
            yield ApiServer(stack.enter_context(_own_cluster(own, folder)))
        else:
            yield stack.enter_context(fresh_apiserver(folder))


@contextmanager
def _own_cluster(kubeconfig: str, folder: Path) -> Iterator[httpx.Client]:
    kubectl = shutil.which("kubectl")
    assert kubectl, "kubectl is needed to reach the cluster of VIDEOJOB_TEST_KUBECONFIG"
    log = folder / "kubectl-proxy.log"
    with _process([kubectl, "--kubeconfig", kubeconfig, "proxy", "--port=0"], log):
        port = _wait_for("kubectl proxy", lambda: re.search(r"127\.0\.0\.1:(\d+)", log.read_text()))[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client


@contextmanager
def fresh_apiserver(folder: Path, *flags: str) -> Iterator[ApiServer]:
    """Starts the servers below `folder`, the apiserver with further flags, and stops them."""
    programs = _programs()
    etcd, peer, port = _free_ports(3)
    token = secrets.token_hex(16)
    _write_credentials(folder, token)
    with (
        _process(_etcd_command(programs / "etcd", folder, etcd, peer), folder / "etcd.log"),
        _process(
            [*_apiserver_command(programs / "kube-apiserver", folder, etcd, port), *flags], folder / "apiserver.log"
        ) as server,
    ):
        trust = _wait_for("the apiserver's certificate", lambda: _trust(server, folder))
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", headers=headers, verify=trust, timeout=30) as client:
            _wait_for("the apiserver", lambda: _ready(client, server, folder))
            yield ApiServer(client, f"http://127.0.0.1:{etcd}")


def _programs() -> Path:
    """The folder with etcd and kube-apiserver, built if need be."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "kube-tools", "etcd", "kube-apiserver"],
        stdout=subprocess.PIPE,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=True,
    )
    return Path(done.stdout.splitlines()[-1])


def _write_credentials(folder: Path, token: str) -> None:
    """A token for one administrator, and the key pair that the apiserver demands for service accounts."""
    (folder / "tokens.csv").write_text(f'{token},tests,tests,"system:masters"\n')
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "accounts.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "accounts.pub").write_bytes(public)


def _etcd_command(program: Path, folder: Path, port: int, peer: int) -> list[str]:
    return [
        str(program),
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]


def _apiserver_command(program: Path, folder: Path, etcd: int, port: int) -> list[str]:
    return [
        str(program),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        f"--cert-dir={folder / 'certificates'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://tests.invalid",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        "--disable-admission-plugins=ServiceAccount",
        "--enable-priority-and-fairness=false",
    ]


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child that ends with this block, and with this process even if that is killed (where the platform can)."""
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "KILL"] if setpriv else []
    with log.open("wb") as output:
        process = subprocess.Popen(prefix + command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _trust(process: subprocess.Popen[bytes], folder: Path) -> ssl.SSLContext | None:
    """Trust in the certificate that the apiserver made for itself; None until it is there whole."""
    _demand_alive(process, folder)
    try:
        return ssl.create_default_context(cafile=folder / "certificates" / "apiserver.crt")
    except (FileNotFoundError, ssl.SSLError):
        return None


def _ready(client: httpx.Client, process: subprocess.Popen[bytes], folder: Path) -> bool | None:
    _demand_alive(process, folder)
    try:
        return client.get("/readyz").is_success or None
    except httpx.TransportError:
        return None


def _demand_alive(process: subprocess.Popen[bytes], folder: Path) -> None:
    if process.poll() is not None:
        tail = (folder / "apiserver.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"kube-apiserver ended with {process.returncode}: {tail}")


def _wait_for(what: str, look: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + START_TIMEOUT_S
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {START_TIMEOUT_S:g} s")
        time.sleep(0.05)
    return found


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held until the last is known, so that none comes twice."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def status_problems(answer: httpx.Response) -> Mapping[str, Any]:
    """The Status object of a refusal."""
    values: dict[str, Any] = answer.json()
    assert values["kind"] == "Status", values
    return values
