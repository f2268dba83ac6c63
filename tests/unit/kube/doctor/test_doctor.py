"""What `videojob doctor` concludes from what it has read."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from support.decisions import a_catalogue
from support.doctor import (
    NOT_ALLOWED,
    UNKNOWN_KIND,
    a_class,
    a_deployment,
    a_node,
    a_pool,
    condition,
    named,
    node_facts,
)
from support.tree import ROOT
from videojob.api.schema.crd import crd
from videojob.kube.doctor.aws import (
    ExpiryFacts,
    Missing,
    TableFacts,
    bucket_finding,
    expiry_finding,
    quota_findings,
    table_finding,
)
from videojob.kube.doctor.bottlerocket import FIRST_RELEASE, ami_findings
from videojob.kube.doctor.findings import Finding, NotRead
from videojob.kube.doctor.images import image_findings
from videojob.kube.doctor.installation import (
    CONTROLLER_RIGHTS,
    USER_RIGHTS,
    Right,
    api_finding,
    controller_finding,
    controller_rights_finding,
    crd_finding,
    kubernetes_version,
    lease_finding,
    user_rights_finding,
)
from videojob.kube.doctor.nodes import (
    NodeFacts,
    capacity_types,
    gpu_families,
    gpu_model_findings,
    node_findings,
)
from videojob.kube.doctor.surroundings import (
    ROLE,
    Account,
    MonitoringFacts,
    QueueFacts,
    identity_findings,
    matches,
    monitoring_findings,
    namespace_finding,
    queue_finding,
)
from videojob.planning.installation import AcceleratorSettings
from videojob.results.stored.retention import EXPIRES_AT

EKS_VERSION = {"major": "1", "minor": "34+", "gitVersion": "v1.34.4-eks-1"}


def judged(finding: Finding) -> str:
    """Level and what was seen, for tables; whatever is no "ok" and was read says what to do."""
    assert finding.level != "problem" or finding.advice, finding
    assert finding.level != "warning" or finding.advice, finding
    return f"{finding.level}: {finding.seen}"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (EKS_VERSION, "ok: Kubernetes v1.34.4-eks-1 at https://api"),
        ({"major": "1", "minor": "28", "gitVersion": "v1.28.0"}, "warning: Kubernetes v1.28.0"),
        (NotRead("timed out"), "problem: https://api cannot be used: timed out"),
    ],
)
def test_the_api_server(version: Mapping[str, str] | NotRead, expected: str) -> None:
    assert judged(api_finding("https://api", version)).startswith(expected)


def stored_crd(**changes: Any) -> dict[str, Any]:
    """The CRD as a server would give it back: with defaults filled in, and served."""
    value = copy.deepcopy(crd())
    value["spec"]["conversion"] = {"strategy": "None"}
    value["status"] = {"conditions": [condition("Established", "True"), condition("NamesAccepted", "True")]}
    return value | changes


def test_the_crd_of_this_version_is_recognised_behind_a_servers_defaults() -> None:
    assert judged(crd_finding(stored_crd(), crd())) == "ok: installed, matches this version"


def test_a_crd_of_another_version_is_recognised() -> None:
    older = stored_crd()
    del older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["suspend"]
    newer = stored_crd()
    newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["new"] = {}
    for other in (older, newer):
        assert judged(crd_finding(other, crd())) == "warning: installed, but of another version than this program"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, "problem: videojobs.videojob.dev was not found"),
        (NOT_ALLOWED, "not checked: 403 forbidden"),
        (
            stored_crd(status={"conditions": [condition("NamesAccepted", "False", message="vj is taken")]}),
            "problem: installed but not served: vj is taken",
        ),
    ],
)
def test_a_crd_that_is_not_served(stored: dict[str, Any] | NotRead | None, expected: str) -> None:
    assert judged(crd_finding(stored, crd())) == expected


def allowed(rights: tuple[Right, ...], *but: str) -> dict[Right, bool]:
    return {right: str(right) not in but for right in rights}


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (allowed(USER_RIGHTS), "ok: all that the commands need in the namespace team-a"),
        (
            allowed(USER_RIGHTS, "create videojobs.videojob.dev", "list events"),
            (
                "warning: in the namespace team-a you may not: create videojobs.videojob.dev (create jobs), "
                "list events (Events in watch)"
            ),
        ),
        (
            allowed(USER_RIGHTS, "list videojobs.videojob.dev"),
            "problem: in the namespace team-a you may not: list videojobs.videojob.dev (see jobs)",
        ),
        (NOT_ALLOWED, "not checked: 403 forbidden"),
    ],
)
def test_a_users_rights(rights: dict[Right, bool] | NotRead, expected: str) -> None:
    assert judged(user_rights_finding(rights, "team-a")) == expected


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (allowed(CONTROLLER_RIGHTS), "ok: s/c may do all that jobs in team-a need"),
        (allowed(CONTROLLER_RIGHTS, "create jobs.batch"), "problem: s/c may not: create jobs.batch (for team-a)"),
        (NOT_ALLOWED, "not checked: 403 forbidden"),
    ],
)
def test_the_controllers_rights(rights: dict[Right, bool] | NotRead, expected: str) -> None:
    assert judged(controller_rights_finding(rights, "s/c", "team-a")) == expected


@pytest.mark.parametrize(
    ("deployments", "expected"),
    [
        ([], "problem: there is no Deployment of a controller"),
        ([a_deployment()], "ok: system/controller is ready"),
        ([a_deployment(ready=0)], "problem: system/controller: no pod of it is ready"),
        ([a_deployment(ready=0, replicas=0)], "problem: system/controller: it has 0 replicas"),
        (
            [a_deployment(version="0.2.0")],
            "warning: system/controller is ready, of version 0.2.0; this program is 0.1.0",
        ),
        ([a_deployment(), a_deployment("other")], "warning: there are 2: system/controller, system/other"),
        (NOT_ALLOWED, "not checked: 403 forbidden"),
    ],
)
def test_the_controller(deployments: list[dict[str, Any]] | NotRead, expected: str) -> None:
    assert judged(controller_finding(deployments, "0.1.0")) == expected


def a_lease(holder: str, renewed: str) -> dict[str, Any]:
    return named("lease") | {"spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 30}}


@pytest.mark.parametrize(
    ("lease", "expected"),
    [
        (None, "problem: no controller holds the Lease videojob-controller"),
        (a_lease("", "1970-01-01T00:16:00.000000Z"), "problem: no controller holds the Lease videojob-controller"),
        (a_lease("a", "1970-01-01T00:16:30.000000Z"), "ok: a renewed its Lease 10 s ago"),
        (a_lease("a", "1970-01-01T00:17:00.000000Z"), "ok: a renewed its Lease 0 s ago"),
        (
            a_lease("a", "1970-01-01T00:16:00.000000Z"),
            "problem: a has not renewed its Lease for 40 s, and it lasts 30 s",
        ),
        (NOT_ALLOWED, "not checked: 403 forbidden"),
    ],
)
def test_the_leader(lease: dict[str, Any] | NotRead | None, expected: str) -> None:
    assert judged(lease_finding(lease, now_s=1000.0)) == expected


def nodes(facts: NodeFacts) -> dict[str, str]:
    return {one.check: judged(one) for one in node_findings(facts)}


def test_a_healthy_karpenter_is_all_ok() -> None:
    assert nodes(node_facts(nodes=[a_node(gpus=1), a_node()])) == {
        "Karpenter": "ok: kube-system/karpenter is ready",
        "NodePools": "ok: ready: gpu",
        "EC2NodeClass gpu": "ok: ready",
        "GPU NodePool": "ok: gpu (at most 4 GPUs), tainted nvidia.com/gpu",
        "device plugin": "ok: 1 of 2 nodes offer 1 nvidia.com/gpu",
    }


@pytest.mark.parametrize(
    ("facts", "check", "expected"),
    [
        (node_facts(karpenter=[]), "Karpenter", "warning: there is no Deployment with the label"),
        (
            node_facts(karpenter=[a_deployment("karpenter", ready=0)]),
            "Karpenter",
            "problem: system/karpenter has no ready pod",
        ),
        (node_facts(karpenter=NOT_ALLOWED), "Karpenter", "not checked: 403"),
        (node_facts(pools=UNKNOWN_KIND), "NodePools", "problem: the API server knows no NodePools"),
        (node_facts(pools=NOT_ALLOWED), "NodePools", "not checked: 403"),
        (node_facts(pools=[]), "NodePools", "problem: none found"),
        (
            node_facts(pools=[]),
            "GPU NodePool",
            "problem: the installation offers GPUs, but no NodePool provisions them",
        ),
        (
            node_facts(pools=[a_pool(ready="False", why="NodeClassNotReady")]),
            "NodePools",
            "problem: not ready: gpu (NodeClassNotReady)",
        ),
        (node_facts(pools=[a_pool(taints=())]), "GPU NodePool", "warning: gpu has no taint nvidia.com/gpu"),
        (node_facts(pools=[a_pool(limits={})]), "GPU NodePool", "warning: gpu has no limit of nvidia.com/gpu"),
        (
            node_facts(classes={("EC2NodeClass", "gpu"): None}),
            "EC2NodeClass gpu",
            "problem: a NodePool references it and it does not exist",
        ),
        (
            node_facts(classes={("EC2NodeClass", "gpu"): a_class("False", "SubnetsNotFound")}),
            "EC2NodeClass gpu",
            "problem: not ready: SubnetsNotFound",
        ),
        (node_facts(classes={("EC2NodeClass", "gpu"): NOT_ALLOWED}), "EC2NodeClass gpu", "not checked: 403"),
        (
            node_facts(nodes=[a_node(labels={"node.kubernetes.io/instance-type": "g5.xlarge"})]),
            "device plugin",
            "problem: node has a GPU and offers no nvidia.com/gpu",
        ),
        (
            node_facts(nodes=[a_node(labels={"karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia"})]),
            "device plugin",
            "problem: node has a GPU",
        ),
        (
            node_facts(nodes=[a_node(labels={"node.kubernetes.io/instance-type": "g4ad.xlarge"})]),
            "device plugin",
            "not checked: no node has a GPU now",
        ),
        (
            node_facts(daemon_sets=[named("nvidia-device-plugin-daemonset")]),
            "device plugin",
            "ok: nvidia-device-plugin-daemonset is installed",
        ),
        (
            node_facts(flavour="autoMode"),
            "device plugin",
            "not checked: no node has a GPU now, and no Daemon",
        ),
        (node_facts(flavour="none"), "device plugin", "warning: no node offers nvidia.com/gpu"),
        (node_facts(nodes=NOT_ALLOWED), "device plugin", "not checked: 403"),
        (node_facts(flavour="none", needs_gpu=False, nodes=[a_node()]), "nodes", "ok: 1 of 1 nodes are ready"),
        (node_facts(flavour="none", needs_gpu=False), "nodes", "problem: none of 0 nodes is ready"),
    ],
)
def test_nodes_and_what_makes_them(facts: NodeFacts, check: str, expected: str) -> None:
    assert nodes(facts)[check].startswith(expected)


@pytest.mark.parametrize(
    ("facts", "models", "expected"),
    [
        (node_facts(pools=[a_pool(families=("g4dn", "g6"))]), ("t4", "l4"), "ok: servers request t4, jobs that name"),
        (node_facts(pools=[a_pool(families=("g4dn",))]), ("t4",), "ok: servers request t4"),
        (
            node_facts(pools=[a_pool(families=("g6",))]),
            ("t4", "l4"),
            "problem: servers request the GPU t4, and no NodePool has it: g6",
        ),
        (
            node_facts(pools=[a_pool(families=("g5", "g6"))]),
            (),
            "warning: replicas of one server may get different GPUs",
        ),
        (
            node_facts(
                flavour="none",
                pools=[],
                nodes=[
                    a_node(gpus=1, labels={"node.kubernetes.io/instance-type": one})
                    for one in ("g5.xlarge", "g6.xlarge")
                ],
            ),
            (),
            "warning: replicas of one server may get different GPUs, and so different numbers: those of g5, g6",
        ),
        (node_facts(pools=[a_pool(families=("g5",))]), (), None),
        (node_facts(needs_gpu=False), ("t4",), None),
    ],
)
def test_the_replicas_of_a_server_have_one_gpu_model(
    facts: NodeFacts, models: tuple[str, ...], expected: str | None
) -> None:
    found = [judged(one) for one in gpu_model_findings(facts, models)]
    assert [one[: len(expected or "")] for one in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("cpu", "gpu", "level"),
    [
        ("nvcr.io/nvidia/tritonserver:26.07-py3", None, "warning"),
        ("registry.example/tritonserver:26.07", "registry.example/tritonserver:26.07", "warning"),
        ("registry.example/tritonserver-cpu:26.07", "registry.example/tritonserver:26.07", "ok"),
        (None, "nvcr.io/nvidia/tritonserver:26.07-py3", None),
    ],
)
def test_servers_on_cpus_need_no_image_for_gpus(cpu: str | None, gpu: str | None, level: str | None) -> None:
    offered = {
        kind: AcceleratorSettings(image, 60) for kind, image in (("cpu", cpu), ("gpu", gpu)) if image is not None
    }
    found = list(image_findings(a_catalogue(accelerators=offered)))
    assert [one.level for one in found] == ([] if level is None else [level])
    assert all(judged(one) for one in found)


def classes_with(*aliases: str) -> dict[tuple[str, str], Any]:
    """Node classes, each with the alias of its AMI."""
    return {
        ("EC2NodeClass", f"class-{number}"): a_class() | {"spec": {"amiSelectorTerms": [{"alias": alias}]}}
        for number, alias in enumerate(aliases)
    }


@pytest.mark.parametrize(
    ("alias", "version", "expected"),
    [
        (
            "bottlerocket@1.53.0",
            (1, 36),
            (
                "problem: it has no image for the cluster's Kubernetes 1.36: the first release with one is 1.61.0 "
                "-> Set the chart's value karpenter.amiAlias to a release that has it: bottlerocket@1.61.0 or newer."
            ),
        ),
        ("bottlerocket@1.61.0", (1, 36), "ok: it has images for the cluster's Kubernetes 1.36"),
        ("bottlerocket@v1.100.0", (1, 36), "ok: it has images for the cluster's Kubernetes 1.36"),
        ("bottlerocket@1.66.0", (1, 30), "problem: it has no image for the cluster's Kubernetes 1.30, which 1.64.0"),
        ("bottlerocket@1.60.0", (1, 30), "not checked: this program knows releases for Kubernetes 1.31 to 1.37"),
        ("bottlerocket@1.66.0", (1, 38), "not checked: this program knows releases for Kubernetes 1.31 to 1.37"),
        ("bottlerocket@1.66.0", None, "not checked: the API server does not report its Kubernetes version"),
        ("bottlerocket@latest", (1, 36), "warning: nodes follow the newest release"),
        ("bottlerocket@1.66", (1, 36), "not checked: this program knows releases of Bottlerocket alone"),
        ("al2023@v20260101", (1, 36), "not checked: this program knows releases of Bottlerocket alone"),
    ],
)
def test_a_bottlerocket_release_has_images_for_the_clusters_kubernetes(
    alias: str, version: tuple[int, int] | None, expected: str
) -> None:
    (found,) = ami_findings(classes_with(alias, alias), version)
    assert f"{judged(found)} -> {found.advice}".startswith(expected)


def test_only_classes_that_pin_an_alias_are_judged() -> None:
    others: dict[tuple[str, str], Any] = {
        ("EC2NodeClass", "a"): a_class(),
        ("EC2NodeClass", "b"): NOT_ALLOWED,
        ("NodeClass", "c"): None,
    }
    assert list(ami_findings(others, (1, 36))) == []


def test_the_charts_own_release_has_images_for_every_version_that_is_known() -> None:
    values = yaml.safe_load((ROOT / "charts" / "videojob" / "values.yaml").read_text())
    alias = values["karpenter"]["amiAlias"]
    for version in FIRST_RELEASE:
        assert [one.level for one in ami_findings(classes_with(alias), version)] == ["ok"], version


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"major": "1", "minor": "36+"}, (1, 36)),
        ({"major": "1", "minor": "36"}, (1, 36)),
        ({"gitVersion": "v1.36.0"}, None),
    ],
)
def test_the_version_that_an_api_server_tells(told: dict[str, str], expected: tuple[int, int] | None) -> None:
    assert kubernetes_version(told) == expected


def test_checks_that_do_not_fit_an_installation_are_left_out() -> None:
    assert set(nodes(node_facts(flavour="autoMode", needs_gpu=False))) == {"NodePools", "EC2NodeClass gpu"}
    assert set(nodes(node_facts(flavour="none", needs_gpu=False))) == {"nodes"}


def test_pools_tell_which_instances_and_how_they_are_paid_for() -> None:
    pool = a_pool(families=("g5", "g6"), capacity=("spot",))
    assert gpu_families([pool]) == {"g5", "g6"}
    assert capacity_types([pool]) == {"spot"}
    assert capacity_types([]) == {"spot", "on-demand"}


def test_identities() -> None:
    role = named("w", annotations={ROLE: "arn:aws:iam::1:role/r"})
    accounts = [
        Account("controller", "s/c", named("c")),
        Account("servers", "s/t", role),
        Account("workers", "team-a/w", None),
        Account("others", "s/o", NOT_ALLOWED),
        Account("more", "s/m", named("m")),
    ]
    assert [(one.check, judged(one)) for one in identity_findings(accounts, stands_in=False)] == [
        (
            "identity of servers",
            "ok: IRSA: s/t has the role arn:aws:iam::1:role/r; only AWS knows whether the role trusts it",
        ),
        (
            "identity of workers",
            "problem: the service account team-a/w does not exist, so no pod can be created",
        ),
        ("identity of others", "not checked: 403 forbidden"),
        (
            "identity",
            "not checked: s/c, s/m have no role annotation, and the cluster does not show Pod Identity associations",
        ),
    ]
    (trial,) = identity_findings(accounts[:1], stands_in=True)
    assert judged(trial) == "ok: s/c need no role: S3 and DynamoDB are not those of AWS"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, "problem: not found"),
        (NOT_ALLOWED, "not checked: 403"),
        (named("team-a"), "warning: no Pod Security is enforced"),
        (
            named("team-a", labels={"pod-security.kubernetes.io/enforce": "baseline"}),
            "warning: Pod Security is enforced at `baseline`",
        ),
        (named("team-a", labels={"pod-security.kubernetes.io/enforce": "restricted"}), "ok: Pod Security"),
    ],
)
def test_the_tenants_namespace(found: dict[str, Any] | NotRead | None, expected: str) -> None:
    assert judged(namespace_finding("team-a", found)).startswith(expected)


QUEUED = [named("a", labels={"kueue.x-k8s.io/queue-name": "gpus"}), named("b")]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (QueueFacts([named("b")], UNKNOWN_KIND), None),
        (QueueFacts(NOT_ALLOWED, []), None),
        (QueueFacts(QUEUED, UNKNOWN_KIND), "problem: jobs name the queue gpus, but Kueue is not installed"),
        (QueueFacts(QUEUED, NOT_ALLOWED), "not checked: 403 forbidden"),
        (
            QueueFacts(QUEUED, [named("cpus")]),
            "problem: jobs name the LocalQueue gpus, which is not in their namespace",
        ),
        (QueueFacts(QUEUED, [named("gpus")]), "ok: the LocalQueues that jobs name exist: gpus"),
    ],
)
def test_queues(facts: QueueFacts, expected: str | None) -> None:
    finding = queue_finding(facts)
    assert (None if finding is None else judged(finding)) == expected


MONITOR = named("videojob-controller", labels={"team": "video"})
NAMESPACE = named("system", labels={"kubernetes.io/metadata.name": "system"})


def a_prometheus(**spec: Any) -> dict[str, Any]:
    return named("k8s") | {"spec": {"serviceMonitorNamespaceSelector": {}} | spec}


def monitoring(prometheuses: Any, monitors: Any) -> MonitoringFacts:
    return MonitoringFacts(prometheuses, {"ServiceMonitor": monitors, "PodMonitor": []}, NAMESPACE)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (monitoring(UNKNOWN_KIND, UNKNOWN_KIND), "not checked: no Prometheus operator found"),
        (monitoring(NOT_ALLOWED, []), "not checked: 403 forbidden"),
        (monitoring([a_prometheus()], []), "warning: no monitor selects this installation"),
        (monitoring([], [MONITOR]), "warning: no Prometheus selects it"),
        (monitoring([a_prometheus(serviceMonitorSelector={})], [MONITOR]), "ok: selected: videojob-controller"),
        (
            monitoring([a_prometheus(serviceMonitorSelector={"matchLabels": {"team": "video"}})], [MONITOR]),
            "ok: selected: videojob-controller",
        ),
        (
            monitoring([a_prometheus(serviceMonitorSelector={"matchLabels": {"release": "x"}})], [MONITOR]),
            "warning: no Prometheus selects videojob-controller",
        ),
        (monitoring([a_prometheus()], [MONITOR]), "warning: no Prometheus selects videojob-controller"),
        (
            monitoring(
                [
                    a_prometheus(
                        serviceMonitorSelector={},
                        serviceMonitorNamespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "other"}},
                    )
                ],
                [MONITOR],
            ),
            "warning: no Prometheus selects videojob-controller",
        ),
    ],
)
def test_prometheus(facts: MonitoringFacts, expected: str) -> None:
    (finding,) = monitoring_findings(facts)
    assert judged(finding).startswith(expected)


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["x"], True),
        ("In", ["y"], False),
        ("NotIn", ["y"], True),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
    ],
)
def test_expressions_of_label_selectors(operator: str, values: list[str], expected: bool) -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": operator, "values": values}]}
    assert matches(selector, {"a": "x"}) is expected


@pytest.mark.parametrize(
    ("found", "is_made", "expected"),
    [
        (TableFacts("ACTIVE", "PK S, SK S"), False, "ok: it is ACTIVE, and its keys are PK S, SK S"),
        (TableFacts("CREATING", "PK S, SK S"), False, "warning: it is CREATING"),
        (TableFacts("ACTIVE", "id S"), False, "problem: its keys are id S"),
        (Missing(), False, "problem: not found"),
        (Missing(), True, "ok: not found; the controller creates it"),
        (NotRead("no credentials"), False, "not checked: no credentials"),
    ],
)
def test_the_table(found: TableFacts | Missing | NotRead, is_made: bool, expected: str) -> None:
    assert judged(table_finding("t", found, is_made=is_made)) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ExpiryFacts("ENABLED", EXPIRES_AT), "ok: its time to live is ENABLED, by expires_at"),
        (ExpiryFacts("ENABLING", EXPIRES_AT), "ok: its time to live is ENABLING, by expires_at"),
        (ExpiryFacts("DISABLED", ""), "warning: its time to live is DISABLED"),
        (ExpiryFacts("ENABLED", "other"), "warning: its time to live uses the attribute other"),
        (NotRead("no credentials"), "not checked: no credentials"),
    ],
)
def test_whether_a_table_deletes_what_has_expired(found: ExpiryFacts | NotRead, expected: str) -> None:
    assert judged(expiry_finding("t", found)) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (True, "ok: objects found; the digest is verified when a server starts"),
        (False, "problem: no object found there"),
        (Missing(), "problem: there is no such bucket"),
        (NotRead("AccessDenied"), "not checked: AccessDenied"),
    ],
)
def test_a_models_bucket(found: bool | Missing | NotRead, expected: str) -> None:
    assert judged(bucket_finding("s3://b/p", found)) == expected


BOTH = frozenset({"spot", "on-demand"})


@pytest.mark.parametrize(
    ("quotas", "used", "levels"),
    [
        ({"spot": 8.0, "on-demand": 8.0}, BOTH, ["ok", "ok"]),
        ({"spot": 0.0, "on-demand": 8.0}, BOTH, ["ok", "warning"]),
        ({"spot": 0.0, "on-demand": 0.0}, BOTH, ["problem", "problem"]),
        ({"spot": 0.0, "on-demand": 8.0}, frozenset({"spot"}), ["problem"]),
        ({"spot": 0.0, "on-demand": NotRead("refused")}, BOTH, ["not checked", "problem"]),
        ({}, BOTH, ["not checked", "not checked"]),
    ],
)
def test_quotas_of_gpu_instances(quotas: dict[str, float | NotRead], used: frozenset[str], levels: list[str]) -> None:
    found = list(quota_findings(quotas, used))
    assert [one.level for one in found] == levels
    assert all(judged(one) for one in found)
