"""What the chart's objects say: the CRD, the controller's configuration and pod, nodes, network."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.chart_matrix import ALONE, AUTO, CPU_ONLY, KARPENTER, MATRIX, MODEL, TENANTS
from support.charts import DIGEST, NAMESPACE, ROOT, Object, config_text, named, of_kind, pods, render
from support.network import selects
from videojob.controller.config import read_config
from videojob.controller.runtime.metrics import ControllerMetrics
from videojob.planning.installation import Installation, S3Source, WorkerSettings

CRD_TEXT = (ROOT / "crds" / "videojob.yaml").read_text()
TRITON_METRICS = {
    "nv_inference_request_success",
    "nv_inference_request_failure",
    "nv_inference_pending_request_count",
}
"""Of Triton's documentation; the embedded server shows them, too."""
CLUSTER_SCOPED = {
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "NodePool",
    "EC2NodeClass",
    "NodeClass",
    "PriorityClass",
    "Namespace",
}


def installation(values: dict[str, Any], folder: Path) -> Installation:
    """The configuration as the controller understands it."""
    objects = render(values)
    (text,) = [item["data"]["config.yaml"] for item in of_kind(objects, "ConfigMap") if "config.yaml" in item["data"]]
    path = folder / "config.yaml"
    path.write_text(text)
    return read_config(path)


def test_the_charts_defaults_for_workers_are_those_of_the_code(tmp_path: Path) -> None:
    found = installation({}, tmp_path).worker
    assert replace(found, env={}, tolerations=()) == WorkerSettings()


def controller_pod(objects: list[Object]) -> Object:
    return dict(pods(objects))["videojob-controller"]


def environment(pod: Object) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}


def test_the_crd_is_the_generated_one_and_stays_when_the_release_goes() -> None:
    (crd,) = of_kind(render(), "CustomResourceDefinition")
    metadata = crd["metadata"]
    assert metadata["annotations"] == {"helm.sh/resource-policy": "keep"}
    expected = yaml.safe_load(CRD_TEXT)
    assert metadata["name"] == expected["metadata"]["name"]
    assert {**crd, "metadata": None} == {**expected, "metadata": None}


def test_the_crd_goes_only_when_that_is_asked_for() -> None:
    (crd,) = of_kind(render({"crds": {"keep": False}}), "CustomResourceDefinition")
    assert "annotations" not in crd["metadata"]
    assert of_kind(render({"crds": {"install": False}}), "CustomResourceDefinition") == []


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_the_controller_understands_its_configuration(values: dict[str, Any], tmp_path: Path) -> None:
    read = installation(values, tmp_path)
    assert read.server_namespace == NAMESPACE
    assert set(read.models) == set(values.get("models", {}))


def test_the_configuration_says_what_the_values_say(tmp_path: Path) -> None:
    values = {
        "models": {"face_detector": MODEL},
        "aws": {"region": "eu-central-1"},
        "results": {"table": "films", "allowedTables": ["other"], "retentionDays": 7},
        "worker": {"maxWorkers": 7, "env": {"AWS_MAX_ATTEMPTS": "3"}},
        "triton": {"gpu": {"idleSeconds": 5}, "cpu": {"enabled": False}},
        "karpenter": KARPENTER,
        "scope": "namespaced",
        "tenants": TENANTS,
        "test": {"enabled": False},
    }
    read = installation(values, tmp_path)
    assert read.models["face_detector"].source == S3Source("models", "face_detector/", None, "123456789012")
    assert (read.models["face_detector"].digest, read.results.region) == (DIGEST, "eu-central-1")
    assert (read.results.table, read.results.allowed_tables) == ("films", ("other",))
    assert (read.results.retention_s, installation({}, tmp_path).results.retention_s) == (7 * 86_400, None)
    assert read.worker.env == {
        "AWS_MAX_ATTEMPTS": "3",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    assert (read.worker.max_workers, read.accelerators["gpu"].idle_s, set(read.accelerators)) == (7, 5, {"gpu"})
    assert (read.karpenter, read.namespaces) == ("karpenter", ("team-a", "team-b"))
    # The workers may go to the nodes that the chart keeps for them.
    assert read.worker.tolerations == (
        {"key": "videojob.dev/dedicated", "operator": "Equal", "value": "cpu", "effect": "NoSchedule"},
    )


def test_a_changed_configuration_starts_a_new_controller() -> None:
    before, after = (
        of_kind(render(values), "Deployment")[0]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for values in ({}, {"models": {"face_detector": MODEL}})
    )
    assert before != after


def test_images_are_those_of_the_digests() -> None:
    objects = render(MATRIX["images by digest"])
    config = yaml.safe_load(config_text(objects))
    own = f"registry.example/videojob@{DIGEST}"
    server = f"nvcr.io/nvidia/tritonserver@{DIGEST}"
    assert config["image"] == own
    assert [config["triton"][kind]["image"] for kind in ("gpu", "cpu")] == [server, server]
    assert {container["image"] for _, pod in pods(objects) for container in pod["spec"]["containers"]} == {own}


def test_a_whole_rate_needs_no_quotes(tmp_path: Path) -> None:
    variant = {**MODEL["variants"]["cpu"], "framesPerSecond": 20}
    models = {"street": {**MODEL, "variants": {"cpu": variant}}}
    found = installation({"models": models, "worker": {"framesPerSecond": 45}}, tmp_path)
    assert found.worker.frames_per_second == 45
    assert [one.frames_per_second for one in found.models["street"].variants.values()] == [20]


def test_there_is_one_controller_and_never_two() -> None:
    (deployment,) = of_kind(render(), "Deployment")
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
    container = controller_pod([deployment])["spec"]["containers"][0]
    assert container["args"] == [
        "controller",
        "--config=/etc/videojob/config.yaml",
        "--deployment=videojob-controller",
    ]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("values", MATRIX.values(), ids=MATRIX.keys())
def test_a_token_of_the_cluster_is_given_only_where_it_is_used(values: dict[str, Any]) -> None:
    objects = render(values)
    assert all(item["automountServiceAccountToken"] is False for item in of_kind(objects, "ServiceAccount"))
    for name, pod in pods(objects):
        wants = name.endswith(("-controller", "-switch", "-test"))
        assert pod["spec"].get("automountServiceAccountToken") is wants, name


def test_the_trial_points_every_pod_to_its_own_s3_and_dynamodb(tmp_path: Path) -> None:
    values = {"trial": {"enabled": True}, "models": {"face_detector": CPU_ONLY}}
    expected = {
        "AWS_ENDPOINT_URL_S3": f"http://videojob-trial-s3.{NAMESPACE}.svc:5000",
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://videojob-trial-dynamodb.{NAMESPACE}.svc:8000",
    }
    objects = render(values)
    read = installation(values, tmp_path)
    for found in (
        read.worker.env,
        environment(controller_pod(objects)),
        environment(dict(pods(objects))["videojob-test"]),
    ):
        assert found.items() >= expected.items()
    assert read.results.create_table
    for service in ("videojob-trial-s3", "videojob-trial-dynamodb"):
        port = named(objects, "Service", service)["spec"]["ports"][0]["port"]
        assert any(f"{service}.{NAMESPACE}.svc:{port}" in address for address in expected.values())


def test_gpu_nodes_are_kept_for_triton_and_have_a_ceiling() -> None:
    objects = render({"karpenter": KARPENTER})
    pool = named(objects, "NodePool", f"{NAMESPACE}-videojob-gpu")["spec"]
    template = pool["template"]["spec"]
    requirements = {item["key"]: item["values"] for item in template["requirements"]}
    assert template["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]
    assert requirements["karpenter.sh/capacity-type"] == ["spot", "on-demand"]
    assert (pool["disruption"]["consolidationPolicy"], pool["disruption"]["consolidateAfter"]) == ("WhenEmpty", "30s")
    assert pool["limits"] == {"nvidia.com/gpu": "4", "cpu": "32"}
    nodes = named(objects, "EC2NodeClass", template["nodeClassRef"]["name"])["spec"]
    assert nodes["amiSelectorTerms"] == [{"alias": "bottlerocket@1.66.0"}]
    assert 'pull-mode = "parallel-pull-unpack"' in nodes["userData"]
    data = nodes["blockDeviceMappings"][1]["ebs"]
    assert (data["volumeType"], data["throughput"], data["encrypted"]) == ("gp3", 600, True)


def test_workers_go_to_nodes_that_nobody_else_keeps_awake_and_that_may_be_spot() -> None:
    objects = render({"karpenter": KARPENTER})
    pool = named(objects, "NodePool", f"{NAMESPACE}-videojob-cpu")["spec"]
    template = pool["template"]["spec"]
    (config,) = [yaml.safe_load(config_text(objects))]
    (taint,) = template["taints"]
    for tolerations in (config["worker"]["tolerations"], config["triton"]["cpu"]["tolerations"]):
        assert {**taint, "operator": "Equal"} in tolerations
    payment = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]}
    assert template["requirements"][0] == payment
    assert pool["disruption"]["consolidationPolicy"] == "WhenEmpty"


@pytest.mark.parametrize(("fast", "name"), [(False, "default"), (True, f"{NAMESPACE}-videojob-gpu")])
def test_auto_mode_has_node_pools_of_its_own_words(fast: bool, name: str) -> None:
    objects = render({"karpenter": {**AUTO, "autoMode": {"createNodeClass": fast}}})
    template = named(objects, "NodePool", f"{NAMESPACE}-videojob-gpu")["spec"]["template"]["spec"]
    assert template["nodeClassRef"] == {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": name}
    assert "eks.amazonaws.com/instance-family" in {item["key"] for item in template["requirements"]}
    assert of_kind(objects, "EC2NodeClass") == []
    assert len(of_kind(objects, "NodeClass")) == (2 if fast else 0)


def test_a_node_class_of_auto_mode_selects_by_the_tags_that_an_eksctl_cluster_has() -> None:
    for made in of_kind(render(MATRIX["Auto Mode with fast disks"]), "NodeClass"):
        # karpenter.sh/discovery is written by Karpenter's own guide alone.
        assert made["spec"]["subnetSelectorTerms"] == [
            {"tags": {"alpha.eksctl.io/cluster-name": "videos", "kubernetes.io/role/internal-elb": "1"}}
        ]
        assert made["spec"]["securityGroupSelectorTerms"] == [{"tags": {"aws:eks:cluster-name": "videos"}}]


def test_without_karpenter_there_is_nothing_of_it() -> None:
    assert of_kind(render(), "NodePool", "EC2NodeClass", "NodeClass") == []


def test_one_namespace_is_enough() -> None:
    objects = render(ALONE)
    assert {item["kind"] for item in objects} & CLUSTER_SCOPED == set()
    assert {item["metadata"]["namespace"] for item in objects} == {NAMESPACE}


def test_tenants_get_an_account_and_nothing_that_runs() -> None:
    objects = [item for item in render({"tenants": TENANTS}) if item["metadata"].get("namespace") == "team-a"]
    assert sorted((item["kind"], item["metadata"]["name"]) for item in objects) == [
        ("NetworkPolicy", f"{NAMESPACE}-videojob-workers"),
        ("ServiceAccount", "videojob-worker"),
    ]


def test_irsa_gives_each_account_its_own_role() -> None:
    objects = render(MATRIX["IRSA"])
    roles = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item["metadata"].get("annotations", {})
        for item in of_kind(objects, "ServiceAccount")
    }
    key = "eks.amazonaws.com/role-arn"
    assert all(key in roles[one] for one in ((NAMESPACE, "videojob-controller"), (NAMESPACE, "videojob-triton")))
    assert key in roles["team-a", "videojob-worker"]
    assert key not in roles[NAMESPACE, "videojob-test"]


def test_common_labels_and_annotations_are_on_every_object_and_pod() -> None:
    values = {
        **MATRIX["labels, annotations and places"],
        "karpenter": KARPENTER,
        **MATRIX["monitored"],
    }
    for item in render(values):
        assert item["metadata"]["labels"]["team"] == "video", item["metadata"]["name"]
        assert item["metadata"]["annotations"]["owner"] == "video@example.com", item["metadata"]["name"]


@pytest.mark.parametrize("others", [{}, MATRIX["labels, annotations and places"]], ids=["alone", "with common ones"])
def test_what_prometheus_selects_by_are_labels(others: dict[str, Any]) -> None:
    labels = {"release": "prometheus", "app.kubernetes.io/component": "mine"}
    switches = ("serviceMonitor", "podMonitor", "prometheusRule")
    monitoring = {switch: {"enabled": True, "labels": labels} for switch in switches}
    found = of_kind(render({**others, "monitoring": monitoring}), "ServiceMonitor", "PodMonitor", "PrometheusRule")
    assert len(found) == len(switches)
    for item in found:
        assert item["metadata"]["labels"]["release"] == "prometheus"
        # What the chart itself says of an object stays.
        assert item["metadata"]["labels"]["app.kubernetes.io/component"] in {"controller", "server"}
        assert "release" not in item["metadata"].get("annotations", {})


def test_alerts_ask_for_what_is_measured_where_it_is_scraped() -> None:
    ours = {family.name for family in ControllerMetrics().registry.collect()}
    switches = ("serviceMonitor", "podMonitor")
    for enabled in switches:
        chosen = {switch: {"enabled": switch == enabled} for switch in switches} | {"prometheusRule": {"enabled": True}}
        (rule,) = of_kind(render({"monitoring": chosen}), "PrometheusRule")
        (group,) = rule["spec"]["groups"]
        assert group["rules"]
        text = " ".join(one["expr"] for one in group["rules"])
        assert {name.removesuffix("_total") for name in re.findall(r"videojob_[a-z_]+(?={)", text)} <= ours
        triton = set(re.findall(r"nv_[a-z_]+", text))
        assert triton <= TRITON_METRICS
        assert bool(triton) is (enabled == "podMonitor")


class TestNetwork:
    """What NetworkPolicies let through."""

    @staticmethod
    def policies(**values: Any) -> dict[str, Object]:
        objects = render({"tenants": TENANTS, **values})
        found = of_kind(objects, "NetworkPolicy")
        return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["spec"] for item in found}

    def test_all_is_denied_first(self) -> None:
        assert self.policies()[f"{NAMESPACE}/videojob-default-deny"] == {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
        }

    def test_a_worker_is_called_by_nobody_and_reaches_no_credentials_of_the_node(self) -> None:
        policy = self.policies()[f"team-a/{NAMESPACE}-videojob-workers"]
        assert "ingress" not in policy
        assert "Ingress" in policy["policyTypes"]
        blocks = [peer["ipBlock"] for rule in policy["egress"] for peer in rule["to"] if "ipBlock" in peer]
        (web,) = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
        assert web["except"] == ["169.254.0.0/16"]
        # But for the one address that gives a pod its own.
        assert {"cidr": "169.254.170.23/32"} in blocks

    def test_workers_do_not_reach_the_api_server_by_its_own_port(self) -> None:
        policy = self.policies()[f"team-a/{NAMESPACE}-videojob-workers"]
        ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
        assert ports == {53, 80, 443, 8001}

    def test_every_pod_of_the_chart_has_a_policy(self) -> None:
        objects = render({"trial": {"enabled": True}})
        selectors = [item["spec"]["podSelector"] for item in of_kind(objects, "NetworkPolicy")][1:]
        for name, pod in pods(objects):
            assert any(selects(selector, pod["metadata"]["labels"]) for selector in selectors), name


def test_servers_have_a_priority_class_of_their_own_that_preempts_nobody() -> None:
    objects = render({})
    (made,) = of_kind(objects, "PriorityClass")
    assert (made["metadata"]["name"], made["preemptionPolicy"]) == ("videojob-system-videojob-servers", "Never")
    assert made["value"] > 0
    assert f'priorityClassName: "{made["metadata"]["name"]}"' in config_text(objects)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"triton": {"priorityClassName": "mine"}}, "mine"),
        ({"triton": {"priorityClass": {"create": False}}}, ""),
        ({**ALONE}, ""),
    ],
)
def test_no_priority_class_is_made_where_there_is_another_or_may_be_none(values: dict[str, Any], name: str) -> None:
    objects = render(values)
    assert of_kind(objects, "PriorityClass") == []
    assert f'priorityClassName: "{name}"' in config_text(objects)


def test_the_switch_looks_every_five_minutes_off_the_controllers_node() -> None:
    (cron,) = of_kind(render(), "CronJob")
    assert (cron["metadata"]["name"], cron["spec"]["schedule"]) == ("videojob-switch", "*/5 * * * *")
    pod = dict(pods([cron]))["videojob-switch"]["spec"]
    (term,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    chosen = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
    labels = of_kind(render(), "Deployment")[0]["spec"]["template"]["metadata"]["labels"]
    assert chosen.items() <= labels.items()
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert pod["containers"][0]["args"] == ["stop-servers", f"--namespace={NAMESPACE}", "--after-minutes=30"]
    changed = {"enabled": True, "schedule": "0 * * * *", "afterMinutes": 90}
    (other,) = of_kind(render({"deadMansSwitch": changed}), "CronJob")
    assert (other["spec"]["schedule"], "--after-minutes=90" in str(other)) == ("0 * * * *", True)
    off = render({"deadMansSwitch": {"enabled": False}})
    assert [item for item in off if "switch" in item["metadata"]["name"]] == []
