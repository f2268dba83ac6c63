"""A cluster that is somebody's own, named by VIDEOJOB_TEST_KUBECONFIG: reached, used, and left as it was found."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.apiserver import OWN_CLUSTER
from support.cluster.control_plane import Cluster, kube_tools
from support.cluster.processes import Failed, demand_alive, process, wait_for


def own_kubeconfig() -> Path | None:
    """The kubeconfig of the cluster to use; None when the tests start their own."""
    named = os.environ.get(OWN_CLUSTER)
    return Path(named) if named else None


@contextmanager
def existing_cluster(kubeconfig: Path, folder: Path) -> Iterator[Cluster]:
    """Reaches a cluster through `kubectl proxy`, which knows every way to log in.

    Raises:
        Failed: one of the namespaces that the tests make is there: they would disturb whoever uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    programs = kube_tools("helm", "kubectl")
    shutil.copyfile(kubeconfig, folder / "admin.kubeconfig")
    log = folder / "kubectl-proxy.log"
    with process([programs / "kubectl", "--kubeconfig", kubeconfig, "proxy", "--port=0"], log) as proxy:

        def port() -> str | None:
            demand_alive(proxy, "kubectl proxy", log)
            found = re.search(r"127\.0\.0\.1:(\d+)", log.read_text())
            return found[1] if found else None

        url = f"http://127.0.0.1:{wait_for('kubectl proxy', port)}"
        with httpx.Client(base_url=url, timeout=30) as client:
            yield Cluster(folder, programs, url, client)


@contextmanager
def own_namespaces(cluster: Cluster, *names: str) -> Iterator[None]:
    """Makes namespaces and removes them with all that is in them."""
    taken = [name for name in names if cluster.client.get(f"/api/v1/namespaces/{name}").is_success]
    if taken:
        raise Failed(f"the cluster of {OWN_CLUSTER} has {', '.join(taken)} already: the tests would disturb its users")
    make_namespaces(cluster, *names)
    try:
        yield
    finally:
        cluster.kubectl("delete", "namespace", *names, "--ignore-not-found", "--wait=true", timeout_s=300)


def make_namespaces(cluster: Cluster, *names: str) -> None:
    """Makes namespaces on a cluster that goes as a whole, or whose owner removes them."""
    cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names))


@contextmanager
def forwarded(cluster: Cluster, namespace: str, service: str, port: int) -> Iterator[str]:
    """The URL by which this process reaches a Service of a cluster whose network it is not in."""
    log = cluster.folder / f"forward-{service}.log"
    where = ["--kubeconfig", str(cluster.kubeconfig), "--namespace", namespace]
    kubectl = [str(cluster.programs / "kubectl"), *where]
    with process([*kubectl, "port-forward", f"service/{service}", f":{port}"], log) as forward:

        def local_port() -> str | None:
            demand_alive(forward, "kubectl port-forward", log)
            found = re.search(r"127\.0\.0\.1:(\d+) ->", log.read_text())
            return found[1] if found else None

        yield f"http://127.0.0.1:{wait_for(f'the way to {service}', local_port)}"
