"""A real control plane: etcd, kube-apiserver, kube-controller-manager and kube-scheduler, ready in seconds.

With service accounts, RBAC and Pod Security as on any cluster. Nodes are not its business: `node` brings a real one,
`fake_nodes` thousands of played ones.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from support.cluster.processes import demand_alive, free_ports, process, run, wait_for

ROOT = Path(__file__).resolve().parents[3]
SERVICE_RANGE = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
POD_RANGE = "10.244.0.0/16"
_USERS: Mapping[str, tuple[str, str]] = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
    "coredns": ("coredns", "system:masters"),
    "kwok": ("kwok", "system:masters"),
    "karpenter": ("karpenter", "system:masters"),
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster.

    Attributes:
        folder: for everything of it.
        programs: folder of the Kubernetes programs.
        url: of the API server, as this process and its pods reach it.
        client: talks to it as an administrator; paths are relative to its address.
    """

    folder: Path
    programs: Path
    url: str
    client: httpx.Client

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfig_of("admin")

    def kubeconfig_of(self, user: str) -> Path:
        """That of one of the cluster's own parts."""
        return self.folder / f"{user}.kubeconfig"

    def kubectl(self, *arguments: str | Path, stdin: str | None = None, timeout_s: float = 120.0) -> str:
        """Runs kubectl as the administrator and returns what it printed."""
        command = [str(self.programs / "kubectl"), "--kubeconfig", str(self.kubeconfig), *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def helm(self, *arguments: str | Path, timeout_s: float = 300.0) -> str:
        """Runs helm as the administrator and returns what it printed."""
        homes = {f"HELM_{name}_HOME": str(self.folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
        return run(
            [self.programs / "helm", "--kubeconfig", self.kubeconfig, *arguments],
            timeout_s=timeout_s,
            env=os.environ | homes,
        )

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Server-side apply of objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def get(self, path: str) -> dict[str, Any]:
        """One object, or a list, by its address."""
        answer = self.client.get(path)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def control_plane(folder: Path, address: str = "127.0.0.1") -> Iterator[Cluster]:
    """Starts the servers below `folder`, reachable at `address`, and stops them."""
    programs = kube_tools("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "helm")
    etcd_port, peer_port, port, manager_port, scheduler_port = free_ports(5)
    url = f"https://{address}:{port}"
    certificates = folder / "certificates"
    certificates.mkdir(parents=True)
    make_certificates(certificates, address)
    tokens = _write_tokens(folder, url)
    with ExitStack() as stack:
        stack.enter_context(process(_etcd(programs, folder, etcd_port, peer_port), folder / "etcd.log"))
        log = folder / "kube-apiserver.log"
        server = stack.enter_context(process(_apiserver(programs, folder, address, etcd_port, port), log))
        trust = ssl.create_default_context(cafile=certificates / "ca.crt")
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        client = stack.enter_context(httpx.Client(base_url=url, headers=headers, verify=trust, timeout=30))

        def ready() -> bool:
            demand_alive(server, "kube-apiserver", log)
            try:
                return client.get("/readyz").is_success
            except httpx.TransportError:
                return False

        wait_for("the apiserver", ready)
        for command, name in (
            (_controller_manager(programs, folder, manager_port), "kube-controller-manager"),
            (_scheduler(programs, folder, scheduler_port), "kube-scheduler"),
        ):
            stack.enter_context(process(command, folder / f"{name}.log"))
        cluster = Cluster(folder, programs, url, client)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait_for("the first service account", lambda: client.get(account).is_success)
        yield cluster


def kube_tools(*names: str) -> Path:
    """The folder of the programs, built if need be."""
    done = run([sys.executable, ROOT / "scripts" / "kube-tools", *names], timeout_s=3600)
    return Path(done.splitlines()[-1])


def make_certificates(folder: Path, address: str) -> None:
    """An authority, the server's certificate, one by which it is known to kubelets, and the service accounts' keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("videojob-tests", "")
    authority = _certificate(name, name, key, key, is_authority=True)
    _write_pair(folder, "ca", authority, key)
    names: list[x509.GeneralName] = [
        x509.DNSName(host) for host in ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    ]
    names += [x509.IPAddress(ip_address(ip)) for ip in {"127.0.0.1", address, KUBERNETES_SERVICE}]
    own = ec.generate_private_key(ec.SECP256R1())
    _write_pair(folder, "server", _certificate(_name("kube-apiserver", ""), name, own, key, names=names), own)
    towards = ec.generate_private_key(ec.SECP256R1())
    subject = _name("kube-apiserver-kubelet-client", "system:masters")
    _write_pair(folder, "kubelet-client", _certificate(subject, name, towards, key), towards)
    accounts = ec.generate_private_key(ec.SECP256R1())
    (folder / "accounts.key").write_bytes(_pem(accounts))
    public = accounts.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "accounts.pub").write_bytes(public)


def _name(common: str, organisation: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
    if organisation:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    names: list[x509.GeneralName] | None = None,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if is_authority:
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(_pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_tokens(folder: Path, url: str) -> dict[str, str]:
    """A token and a kubeconfig for the administrator and each part of the cluster."""
    tokens = {user: secrets.token_hex(16) for user in (*_USERS, "kubelet")}
    lines = [f'{tokens[user]},{name},{user},"{group}"' for user, (name, group) in _USERS.items()]
    lines.append(f'{tokens["kubelet"]},system:node:{NODE},kubelet,"system:nodes"')
    (folder / "tokens.csv").write_text("\n".join(lines) + "\n")
    for user, token in tokens.items():
        write_kubeconfig(folder / f"{user}.kubeconfig", url, folder / "certificates" / "ca.crt", token)
    return tokens


NODE = "node-1"
"""Name of the one real node."""


def write_kubeconfig(path: Path, url: str, authority: Path, token: str) -> None:
    """A kubeconfig with one context."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": {"server": url, "certificate-authority": str(authority)}}],
        "users": [{"name": "tests", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    }
    path.write_text(json.dumps(config))


def _etcd(programs: Path, folder: Path, port: int, peer: int) -> list[str]:
    return [
        str(programs / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]


def _apiserver(programs: Path, folder: Path, address: str, etcd_port: int, port: int) -> list[str]:
    certificates = folder / "certificates"
    return [
        str(programs / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={port}",
        f"--tls-cert-file={certificates / 'server.crt'}",
        f"--tls-private-key-file={certificates / 'server.key'}",
        f"--client-ca-file={certificates / 'ca.crt'}",
        f"--kubelet-client-certificate={certificates / 'kubelet-client.crt'}",
        f"--kubelet-client-key={certificates / 'kubelet-client.key'}",
        # The node has a name that nobody resolves.
        "--kubelet-preferred-address-types=InternalIP",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,PodSecurity",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={certificates / 'accounts.key'}",
        f"--service-account-key-file={certificates / 'accounts.pub'}",
        "--enable-priority-and-fairness=false",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=lease",
    ]


def _controller_manager(programs: Path, folder: Path, port: int) -> list[str]:
    kubeconfig = folder / "kube-controller-manager.kubeconfig"
    return [
        str(programs / "kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'kube-controller-manager'}",
        "--leader-elect=false",
        "--use-service-account-credentials=true",
        f"--service-account-private-key-file={folder / 'certificates' / 'accounts.key'}",
        f"--root-ca-file={folder / 'certificates' / 'ca.crt'}",
        f"--cluster-cidr={POD_RANGE}",
        "--allocate-node-cidrs=false",
        # A node that died is noticed within seconds, as tests want it.
        "--node-monitor-grace-period=20s",
        "--node-monitor-period=2s",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--concurrent-job-syncs=20",
    ]


def _scheduler(programs: Path, folder: Path, port: int) -> list[str]:
    kubeconfig = folder / "kube-scheduler.kubeconfig"
    return [
        str(programs / "kube-scheduler"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'kube-scheduler'}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
