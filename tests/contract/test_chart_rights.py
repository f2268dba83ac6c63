"""What the chart's service accounts may do, as a real kube-apiserver decides it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from support.chart_matrix import TENANTS
from support.charts import CHART, NAMESPACE, config_text, of_kind, render
from support.cluster.processes import wait_for
from support.command import videojob
from support.decisions import a_catalogue
from support.releases import VALUES, Cluster, running_cluster
from videojob.kube.names import scope_name, scope_places
from videojob.kube.render.servers import server_deployment
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.state.placement import ServerKey

CONTROLLER, SWITCH = "videojob-controller", "videojob-switch"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The chart, installed for all namespaces."""
    with running_cluster(tmp_path_factory.mktemp("rights")) as cluster:
        cluster.helm("install", "videojob", CHART, values=VALUES)
        yield cluster


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "name"),
    [
        ("watch", "videojob.dev/videojobs", "", ""),
        ("patch", "videojob.dev/videojobs:status", "team-a", "a"),
        ("create", "batch/jobs", "team-a", ""),
        ("delete", "batch/jobs", "team-a", "a"),
        ("create", "configmaps", "team-a", ""),
        ("list", "pods", "team-a", ""),
        ("create", "events", "team-a", ""),
        ("create", "apps/deployments", NAMESPACE, ""),
        ("patch", "services", NAMESPACE, "a"),
        ("delete", "apps/deployments", NAMESPACE, "a"),
        ("delete", "services", NAMESPACE, "a"),
        ("delete", "videojob.dev/videojobs", NAMESPACE, "videojob-canary"),
        ("watch", "coordination.k8s.io/leases", NAMESPACE, "videojob-controller"),
        ("create", "coordination.k8s.io/leases", "team-a", ""),
        ("update", "coordination.k8s.io/leases", "team-a", "videojob-claim-videojob"),
        ("create", "coordination.k8s.io/leases", "default", ""),
        ("update", "coordination.k8s.io/leases", "default", "videojob-scope-videojob"),
        ("get", "rbac.authorization.k8s.io/roles", "default", "videojob-system-videojob-scope"),
        ("create", "events", NAMESPACE, ""),
        ("create", "configmaps", NAMESPACE, ""),
        ("get", "configmaps", NAMESPACE, "videojob-speeds"),
        ("update", "configmaps", NAMESPACE, "videojob-speeds"),
        ("watch", "coordination.k8s.io/leases", "", "videojob-controller"),
        ("watch", "apiextensions.k8s.io/customresourcedefinitions", "", ""),
        ("update", "coordination.k8s.io/leases", NAMESPACE, "videojob-controller"),
        ("get", "nodes", "", "a"),
        ("get", "namespaces", "", "team-a"),
    ],
)
def test_the_controller_may_do_its_work(release: Cluster, verb: str, resource: str, namespace: str, name: str) -> None:
    assert release.allowed(CONTROLLER, verb, resource, namespace, name)


@pytest.mark.parametrize(
    ("verb", "resource", "namespace", "name"),
    [
        ("get", "secrets", NAMESPACE, "a"),
        ("list", "secrets", "team-a", ""),
        ("create", "pods", "team-a", ""),
        ("create", "pods:exec", "team-a", "a"),
        ("create", "pods:ephemeralcontainers", "team-a", "a"),
        ("delete", "pods", "team-a", "a"),
        ("get", "configmaps", "team-a", "a"),
        ("get", "configmaps", NAMESPACE, "videojob-config"),
        ("list", "configmaps", "team-a", ""),
        ("delete", "configmaps", "team-a", "a"),
        ("create", "serviceaccounts", "team-a", ""),
        ("create", "serviceaccounts:token", NAMESPACE, CONTROLLER),
        ("impersonate", "users", "", "admin"),
        ("bind", "rbac.authorization.k8s.io/clusterroles", "", "cluster-admin"),
        ("escalate", "rbac.authorization.k8s.io/roles", NAMESPACE, "a"),
        ("create", "rbac.authorization.k8s.io/rolebindings", NAMESPACE, ""),
        ("create", "apps/deployments", "team-a", ""),
        ("patch", "apps/deployments", "stranger", "a"),
        ("create", "services", "team-a", ""),
        ("create", "videojob.dev/videojobs", "team-a", ""),
        ("create", "videojob.dev/videojobs", NAMESPACE, ""),
        ("patch", "videojob.dev/videojobs", NAMESPACE, "videojob-canary"),
        ("patch", "videojob.dev/videojobs", "team-a", "a"),
        ("patch", "videojob.dev/videojobs", NAMESPACE, "somebodys"),
        ("delete", "apps/deployments", "team-a", "a"),
        ("delete", "services", "team-a", "a"),
        ("get", "coordination.k8s.io/leases", NAMESPACE, "another"),
        ("list", "coordination.k8s.io/leases", "", ""),
        ("watch", "coordination.k8s.io/leases", "kube-system", "kube-scheduler"),
        ("delete", "coordination.k8s.io/leases", "team-a", "videojob-claim-videojob"),
        ("update", "coordination.k8s.io/leases", "team-a", "videojob-claim-another"),
        ("update", "coordination.k8s.io/leases", "team-a", "videojob-scope-videojob"),
        ("update", "coordination.k8s.io/leases", "default", "videojob-scope-another"),
        ("get", "rbac.authorization.k8s.io/roles", "team-a", "a"),
        ("get", "coordination.k8s.io/leases", "kube-system", "kube-scheduler"),
        ("delete", "nodes", "", "a"),
        ("patch", "nodes", "", "a"),
        ("patch", "karpenter.sh/nodepools", "", "a"),
        ("delete", "karpenter.sh/nodepools", "", "a"),
        ("patch", "apiextensions.k8s.io/customresourcedefinitions", "", "videojobs.videojob.dev"),
        ("list", "namespaces", "", ""),
        ("delete", "namespaces", "", "a"),
    ],
)
def test_the_controller_may_not_do_more(release: Cluster, verb: str, resource: str, namespace: str, name: str) -> None:
    assert not release.allowed(CONTROLLER, verb, resource, namespace, name)


@pytest.mark.parametrize(("namespace", "allowed"), [("kube-system", False), ("team-a", True)])
def test_the_controller_makes_no_job_in_kube_system(release: Cluster, namespace: str, allowed: bool) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}},
    }
    headers = {"Impersonate-User": f"system:serviceaccount:{NAMESPACE}:{CONTROLLER}"}
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs?dryRun=All"

    def asked() -> bool | None:
        answer = release.server.client.post(path, json=job, headers=headers)
        # The server takes up a new policy after a moment.
        return None if answer.is_success is not allowed else True

    assert wait_for("the verdict", asked)
    answer = release.server.client.post(path, json=job, headers=headers)
    assert allowed or "rbac.excludedNamespaces" in answer.text


def test_other_accounts_may_nearly_nothing(release: Cluster) -> None:
    for account in ("videojob-worker", "videojob-triton"):
        assert not release.allowed(account, "get", "videojob.dev/videojobs", NAMESPACE, "a")
        assert not release.allowed(account, "list", "pods", NAMESPACE)
    assert release.allowed("videojob-test", "create", "videojob.dev/videojobs", NAMESPACE)
    assert not release.allowed("videojob-test", "create", "videojob.dev/videojobs", "team-a")
    assert not release.allowed("videojob-test", "create", "batch/jobs", NAMESPACE)


def test_the_switch_may_see_the_lease_and_scale_servers_and_no_more(release: Cluster) -> None:
    may = [
        ("get", "coordination.k8s.io/leases", "videojob-controller"),
        ("list", "apps/deployments", ""),
        ("patch", "apps/deployments:scale", "triton"),
    ]
    may_not = [
        ("update", "coordination.k8s.io/leases", "videojob-controller"),
        ("get", "coordination.k8s.io/leases", "another"),
        ("list", "coordination.k8s.io/leases", ""),
        ("patch", "apps/deployments", "triton"),
        ("delete", "apps/deployments", "triton"),
        ("create", "apps/deployments", ""),
        ("list", "pods", ""),
        ("get", "secrets", "a"),
        ("list", "videojob.dev/videojobs", ""),
    ]
    for verb, resource, name in may:
        assert release.allowed(SWITCH, verb, resource, NAMESPACE, name), (verb, resource)
        assert not release.allowed(SWITCH, verb, resource, "team-a", name), (verb, resource)
    for verb, resource, name in may_not:
        assert not release.allowed(SWITCH, verb, resource, NAMESPACE, name), (verb, resource)


def test_with_these_rights_the_switch_stops_servers_without_a_controller(release: Cluster, tmp_path: Path) -> None:
    """The Lease as the chart makes it, which nobody has renewed; then one of a controller that lives, and of one that
    does not.
    """
    client = release.server.client
    deployments = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    made = server_deployment(ServerKey("face_detector", 1, "cpu"), ServerDesired(2, None, busy=True), a_catalogue())
    assert client.post(deployments, json=made).is_success
    path, lease = f"{deployments}/{made['metadata']['name']}", f"{LEASES}/videojob-controller"
    token = client.post(
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{SWITCH}/token",
        json={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    ).json()["status"]["token"]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(Path(release.env["KUBECONFIG"]).read_text().replace(release.token, token))
    kubeconfig.chmod(0o600)

    def replicas_after(renewed_ago: timedelta | None) -> int:
        client.patch(f"{path}/scale", json={"spec": {"replicas": 2}}, headers=MERGE).raise_for_status()
        if renewed_ago is not None:
            renewed = (datetime.now(UTC) - renewed_ago).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            client.patch(lease, json={"spec": {"renewTime": renewed}}, headers=MERGE).raise_for_status()
        done = videojob("stop-servers", f"--namespace={NAMESPACE}", f"--kubeconfig={kubeconfig}")
        assert done.code == 0, done
        return int(client.get(path).json()["spec"]["replicas"])

    assert replicas_after(None) == 2, "made just now: a controller lived then"
    assert replicas_after(timedelta(minutes=29)) == 2
    assert replicas_after(timedelta(minutes=31)) == 0
    client.delete(path)


@pytest.mark.parametrize(
    "tenants", [["team-b", "team-a"], ["team-a", NAMESPACE], [NAMESPACE]], ids=["two", "its own, too", "its own"]
)
def test_a_namespaced_release_may_hold_the_lease_of_its_scope_and_no_other(tenants: list[str]) -> None:
    values = {"scope": "namespaced", "tenants": [{"namespace": one} for one in tenants]}
    roles = of_kind(render(values), "Role")
    wanted = scope_name("videojob", tenants, NAMESPACE)
    for place in scope_places(tenants, NAMESPACE):
        rules = [rule for one in roles if one["metadata"]["namespace"] == place for rule in one["rules"]]
        named = [rule for rule in rules if any("-scope-" in name for name in rule.get("resourceNames", ()))]
        assert [(rule["resourceNames"], rule["verbs"]) for rule in named] == [([wanted], ["get", "update"])]
        owner = yaml.safe_load(config_text(render(values)))["scopeOwner"]
        assert owner in [one["metadata"]["name"] for one in roles if one["metadata"]["namespace"] == place]
        assert [rule["resourceNames"] for rule in rules if "roles" in rule["resources"]] == [[owner]]


def test_no_rule_has_a_wildcard_or_reads_secrets() -> None:
    karpenter = {"flavor": "karpenter", "clusterName": "c", "nodeRole": "r"}
    for values in ({}, {"scope": "namespaced", "tenants": TENANTS, "karpenter": karpenter}):
        for role in of_kind(render(values), "Role", "ClusterRole"):
            for rule in role["rules"]:
                assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], role["metadata"]["name"]
                assert not {"secrets", "pods/exec", "serviceaccounts/token"} & set(rule["resources"])
                assert not {"bind", "escalate", "impersonate"} & set(rule["verbs"])
