"""Releases of the chart in a real kube-apiserver, made by a real helm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.apiserver import ApiServer, running_apiserver
from support.chart_matrix import MODEL, TENANTS
from support.charts import NAMESPACE, DryRun, Object, helm

VALUES: dict[str, Any] = {"tenants": TENANTS, "models": {"face_detector": MODEL}}
NAMESPACES = (NAMESPACE, "team-a", "team-b", "stranger")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server without controllers: objects are stored, and nothing follows from them.

    Attributes:
        server: the server. env: by which helm finds it.
    """

    server: ApiServer
    env: dict[str, str]

    @property
    def token(self) -> str:
        """Of the administrator, as the kubeconfig has it."""
        return _token(self.server)

    def helm(self, verb: str, *arguments: str | Path, values: dict[str, Any] | None = None) -> str:
        return helm(verb, *arguments, f"--namespace={NAMESPACE}", values=values, env=self.env)

    def missing(self, objects: list[Object]) -> list[str]:
        """Which of the objects, hooks aside, are not there: kind, namespace if any, name."""
        judge = DryRun(self.server, {})
        asked = {
            _identity(item): f"{judge.path(item)}/{item['metadata']['name']}"
            for item in objects
            if "helm.sh/hook" not in item["metadata"].get("annotations", {})
        }
        return sorted(name for name, path in asked.items() if self.server.client.get(path).status_code == 404)

    def allowed(self, account: str, verb: str, resource: str, namespace: str, name: str = "") -> bool:
        """Whether a service account of the release's namespace may; `resource` as in "batch/jobs" or "pods/exec"."""
        group, _, rest = (
            resource.rpartition("/")
            if "." in resource or resource.startswith(("batch/", "apps/"))
            else ("", "", resource)
        )
        plural, _, sub = rest.partition(":")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": plural,
            "subresource": sub,
            "namespace": namespace,
            "name": name,
        }
        review = {"spec": {"user": f"system:serviceaccount:{NAMESPACE}:{account}", "resourceAttributes": attributes}}
        answer = self.server.client.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
        assert answer.is_success, answer.text
        return bool(answer.json()["status"]["allowed"])


def _identity(item: Object) -> str:
    metadata = item["metadata"]
    return "/".join([item["kind"], *([metadata["namespace"]] if "namespace" in metadata else []), metadata["name"]])


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """A fresh server with the tenants' namespaces, and a helm that finds it."""
    with running_apiserver(folder) as server:
        for name in NAMESPACES:
            DryRun(server, {}).namespace(name)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(server)))
        kubeconfig.chmod(0o600)
        homes = {f"HELM_{name}_HOME": str(folder / name) for name in ("CACHE", "CONFIG", "DATA")}
        yield Cluster(server, {"KUBECONFIG": str(kubeconfig), **homes})


def _token(server: ApiServer) -> str:
    return str(server.client.headers.get("Authorization", "")).removeprefix("Bearer ")


def _kubeconfig(server: ApiServer) -> dict[str, Any]:
    token = _token(server)
    # The server made its own certificate a moment ago, on this machine.
    address = {"server": str(server.client.base_url), "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": address}],
        "users": [{"name": "tests", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    }
