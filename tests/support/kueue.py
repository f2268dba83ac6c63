"""The real Kueue beside an apiserver under test: its controllers, its scheduler and its webhooks for batch Jobs."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.cluster.control_plane import ROOT, kube_tools, make_certificates
from support.cluster.processes import demand_alive, free_ports, process, run, wait_for
from support.controllers import kubeconfig

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
QUEUES = "/apis/kueue.x-k8s.io/v1beta2"
_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_MERGE = {"Content-Type": "application/merge-patch+json"}
_DISCOVERY = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"}
_GROUP = "kueue.x-k8s.io"
_NAMESPACE = "kueue-system"
_OURS = ("-kueue-x-k8s-io-", "-batch-v1-job")


@dataclass(frozen=True, slots=True)
class Kueue:
    """A running one. `client` talks to the apiserver."""

    client: httpx.Client

    def make_queue(self, name: str, namespace: str, *, cpus: int) -> None:
        """A queue of a namespace that lets so many CPUs work at a time, with what else workers ask for in plenty.

        What pods ask for and a queue does not name, Kueue never lets in.
        """
        quotas = {"cpu": cpus, "memory": "1Ti", "ephemeral-storage": "10Ti"}
        resources = [{"name": resource, "nominalQuota": quota} for resource, quota in quotas.items()]
        flavor = {"name": f"{name}-flavor", "resources": resources}
        self._apply("resourceflavors", f"{name}-flavor", "ResourceFlavor", {})
        group = {"coveredResources": list(quotas), "flavors": [flavor]}
        spec = {"namespaceSelector": {}, "resourceGroups": [group]}
        self._apply("clusterqueues", name, "ClusterQueue", spec)
        local = {"clusterQueue": name}
        self._apply(f"namespaces/{namespace}/localqueues", name, "LocalQueue", local, namespace=namespace)
        wait_for("the queue", lambda: self._is_active(name))

    def hold(self, name: str, policy: str) -> None:
        """Sets a queue's stopPolicy: "HoldAndDrain" takes what was let in away again, "None" goes on."""
        body = json.dumps({"spec": {"stopPolicy": policy}})
        answer = self.client.patch(f"{QUEUES}/clusterqueues/{name}", content=body, headers=_MERGE)
        assert answer.is_success, answer.text

    def workloads(self, namespace: str) -> list[dict[str, Any]]:
        """What Kueue made of the Jobs that it looks after."""
        answer = self.client.get(f"{QUEUES}/namespaces/{namespace}/workloads")
        return list(answer.json()["items"])

    def collect_garbage(self, namespace: str, jobs: str) -> None:
        """Deletes workloads of Jobs that are gone, as a cluster's garbage collector does."""
        there = {one["metadata"]["uid"] for one in self.client.get(jobs).json()["items"]}
        for one in self.workloads(namespace):
            if not there & {owner["uid"] for owner in one["metadata"].get("ownerReferences", ())}:
                self.client.delete(f"{QUEUES}/namespaces/{namespace}/workloads/{one['metadata']['name']}")

    def _is_active(self, name: str) -> bool:
        status = self.client.get(f"{QUEUES}/clusterqueues/{name}").json().get("status", {})
        return any(one["type"] == "Active" and one["status"] == "True" for one in status.get("conditions", ()))

    def _apply(
        self, plural: str, name: str, kind: str, spec: Mapping[str, Any], *, namespace: str | None = None
    ) -> None:
        metadata = {"name": name} | ({} if namespace is None else {"namespace": namespace})
        value = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": kind, "metadata": metadata, "spec": dict(spec)}
        _applied(self.client, f"{QUEUES}/{plural}/{name}", value)


@contextmanager
def running_kueue(folder: Path, client: httpx.Client) -> Iterator[Kueue]:
    """Installs it on the apiserver of `client`, an administrator's, and runs it until the end of the block.

    It is not taken off the apiserver again, whose objects of its kinds nobody may write then: the apiserver ends, too.
    """
    program = kube_tools("kueue") / "kueue"
    folder.mkdir()
    port, health = free_ports(2)
    make_certificates(folder, "127.0.0.1")
    (folder / "server.crt").rename(folder / "tls.crt")
    (folder / "server.key").rename(folder / "tls.key")
    sources = _sources()
    _install_crds(client, sources)
    client.post("/api/v1/namespaces", json={"metadata": {"name": _NAMESPACE}})
    token = client.headers.get("Authorization", "").removeprefix("Bearer ")
    access = kubeconfig(folder / "kubeconfig", str(client.base_url), token)
    settings = folder / "config.yaml"
    settings.write_text(yaml.safe_dump(_settings(folder, port, health)))
    log = folder / "kueue.log"
    with process([program, f"--config={settings}"], log, env=os.environ | {"KUBECONFIG": str(access)}) as child:

        def ready() -> bool:
            demand_alive(child, "kueue", log)
            try:
                return httpx.get(f"http://127.0.0.1:{health}/readyz").is_success
            except httpx.TransportError:
                return False

        wait_for("Kueue", ready)
        _install_webhooks(client, sources, port, (folder / "ca.crt").read_bytes())
        yield Kueue(client)


def _settings(folder: Path, port: int, health: int) -> dict[str, Any]:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "namespace": _NAMESPACE,
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"port": port, "host": "127.0.0.1", "certDir": str(folder)},
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "integrations": {"frameworks": ["batch/job"]},
        "featureGates": {"MultiKueue": False, "TopologyAwareScheduling": False, "VisibilityOnDemand": False},
    }


def _sources() -> Path:
    """Kueue's own sources, where its definitions lie: of the module that the program was built from."""
    module = ROOT / "tools" / "kubernetes" / "kueue"
    command = ["go", "-C", str(module), "mod", "download", "-json", "sigs.k8s.io/kueue"]
    return Path(json.loads(run(command, env=os.environ | {"GOFLAGS": "", "GOTOOLCHAIN": "local"}))["Dir"])


def _install_crds(client: httpx.Client, sources: Path) -> None:
    found = [
        yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        for path in sorted((sources / "config/components/crd/bases").glob("*.yaml"))
    ]
    for value in found:
        _applied(client, f"{CRDS}/{value['metadata']['name']}", value)
    wanted = {value["spec"]["names"]["plural"] for value in found}

    def are_served() -> bool:
        groups = client.get("/apis", headers=_DISCOVERY).json()["items"]
        versions = [one for group in groups if group["metadata"]["name"] == _GROUP for one in group["versions"]]
        served = [{kind["resource"] for kind in one["resources"]} for one in versions if one["version"] == "v1beta2"]
        return bool(served) and wanted <= served[0]

    wait_for("Kueue's kinds", are_served)


def _install_webhooks(client: httpx.Client, sources: Path, port: int, authority: bytes) -> None:
    """Those for its own kinds and for Jobs, at this process's address."""
    text = (sources / "config/components/webhook/manifests.yaml").read_text()
    for value in yaml.safe_load_all(text):
        hooks = [hook for hook in value["webhooks"] if any(part in _path(hook) for part in _OURS)]
        for hook in hooks:
            url = f"https://127.0.0.1:{port}{_path(hook)}"
            hook["clientConfig"] = {"url": url, "caBundle": base64.b64encode(authority).decode()}
        value["webhooks"] = hooks
        plural = f"{value['kind'].lower()}s"
        _applied(client, f"{WEBHOOKS}/{plural}/{value['metadata']['name']}", value)


def _path(hook: Mapping[str, Any]) -> str:
    config = hook["clientConfig"]
    return str(config["service"]["path"]) if "service" in config else ""


def _applied(client: httpx.Client, path: str, value: Mapping[str, Any]) -> None:
    parameters = {"fieldManager": "tests", "force": "true"}
    answer = client.patch(path, params=parameters, content=json.dumps(value), headers=_APPLY)
    assert answer.is_success, answer.text
