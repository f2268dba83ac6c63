"""A real helm and a real kube-apiserver: install, upgrade, rollback and uninstall of the chart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.chart_matrix import ALONE, TENANTS
from support.charts import CHART, NAMESPACE, HelmRefused, of_kind, render
from support.manifests.build import manifest
from support.releases import NAMESPACES, VALUES, Cluster, running_cluster

CONTROLLER = "videojob-controller"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("install")) as running:
        yield running


def test_install_upgrade_rollback_and_uninstall_leave_nothing_but_the_crd(cluster: Cluster) -> None:
    notes = cluster.helm("install", "videojob", CHART, values=VALUES)
    assert "aws eks create-pod-identity-association" in notes
    assert cluster.missing(render(VALUES)) == []

    narrow = {**VALUES, "scope": "namespaced", "trial": {"enabled": True}}
    cluster.helm("upgrade", "videojob", CHART, values=narrow)
    assert cluster.missing(render(narrow)) == []
    gone = [f"ClusterRole{part}/{NAMESPACE}-videojob-jobs" for part in ("", "Binding")]
    gone += [f"PriorityClass/{NAMESPACE}-videojob-servers"]
    gone += [f"Role{part}/default/{NAMESPACE}-videojob-scope" for part in ("", "Binding")]
    gone += [f"ValidatingAdmissionPolicy{part}/{NAMESPACE}-videojob-excluded" for part in ("", "Binding")]
    assert sorted(cluster.missing(render(VALUES))) == sorted(gone)

    cluster.helm("rollback", "videojob", "1")
    assert cluster.missing(render(VALUES)) == []
    assert f"Deployment/{NAMESPACE}/videojob-trial-s3" in cluster.missing(render(narrow))

    path = "/apis/videojob.dev/v1alpha1/namespaces/team-a/videojobs"
    job = cluster.server.client.post(path, json=manifest())
    assert job.is_success, job.text
    cluster.helm("uninstall", "videojob")
    kept = of_kind(render(VALUES), "CustomResourceDefinition")
    others = [item for item in render(VALUES) if item not in kept]
    assert cluster.missing(kept) == []
    hooks = [item for item in others if "helm.sh/hook" in item["metadata"].get("annotations", {})]
    assert len(cluster.missing(others)) == len(others) - len(hooks)
    assert cluster.server.client.get(f"{path}/lobby").is_success
    for namespace in NAMESPACES:
        left = cluster.server.client.get(f"/api/v1/namespaces/{namespace}/secrets").json()["items"]
        assert left == []


def test_it_is_installed_again_beside_the_crd_that_stayed(cluster: Cluster) -> None:
    for _ in range(2):
        cluster.helm("install", "videojob", CHART, values=VALUES)
        cluster.helm("uninstall", "videojob")
    with pytest.raises(HelmRefused, match="invalid ownership metadata"):
        cluster.helm("install", "films-videojob", CHART, values=VALUES)
    cluster.helm("install", "films-videojob", CHART, "--take-ownership", values=VALUES)
    cluster.helm("uninstall", "films-videojob")
    cluster.helm("install", "videojob", CHART, "--take-ownership", values=VALUES)
    cluster.helm("uninstall", "videojob")


def test_a_namespaced_controller_sees_its_tenants_and_nobody_else(cluster: Cluster) -> None:
    cluster.helm("install", "videojob", CHART, values={**ALONE, "tenants": TENANTS})
    try:
        for namespace, may in ((NAMESPACE, True), ("team-a", True), ("team-b", True), ("stranger", False), ("", False)):
            assert cluster.allowed(CONTROLLER, "list", "videojob.dev/videojobs", namespace) is may, namespace
            assert cluster.allowed(CONTROLLER, "create", "configmaps", namespace) is may, namespace
        assert not cluster.allowed(CONTROLLER, "get", "nodes", "", "a")
    finally:
        cluster.helm("uninstall", "videojob")


def test_an_upgrade_leaves_the_lease_with_who_holds_it(cluster: Cluster) -> None:
    cluster.helm("install", "videojob", CHART, values=VALUES)
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{CONTROLLER}"
    lease = cluster.server.client.get(path).json()
    lease["spec"] = {"holderIdentity": "somebody", "leaseDurationSeconds": 30}
    assert cluster.server.client.put(path, json=lease).is_success
    cluster.helm("upgrade", "videojob", CHART, values={**VALUES, "commonLabels": {"team": "video"}})
    stored = cluster.server.client.get(path).json()
    assert (stored["spec"]["holderIdentity"], stored["metadata"]["labels"]["team"]) == ("somebody", "video")
    cluster.helm("uninstall", "videojob")
