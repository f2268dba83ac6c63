"""A Triton server as Kubernetes objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from support.decisions import CATALOGUE, CPU, DIGEST, GPU, NOW_S, a_catalogue
from videojob.manifests.server import server_address, server_deployment, server_service
from videojob.planning.catalogue import (
    AcceleratorSettings,
    ImageSource,
    ModelSource,
    PvcSource,
    S3Source,
    ServerVariant,
)
from videojob.planning.observed import ServerKey
from videojob.planning.placement import bytes_of
from videojob.planning.servers import ServerWanted

CPU_KEY = ServerKey("face_detector", 1, "cpu")
GPU_KEY = ServerKey("face_detector", 1, "gpu", ("spot",), ("g6.xlarge",))
BUSY = ServerWanted(2, None, busy=True)
TEAM = {"key": "team", "operator": "Exists"}


def deployment(
    key: ServerKey = CPU_KEY,
    *,
    source: ModelSource | None = None,
    variants: dict[str, ServerVariant] | None = None,
    **catalogue: Any,
) -> dict[str, Any]:
    model = CATALOGUE.models["face_detector"]
    changes: dict[str, Any] = {} if source is None else {"source": source}
    changes |= {} if variants is None else {"variants": variants}
    return server_deployment(key, BUSY, a_catalogue(models={"face_detector": replace(model, **changes)}, **catalogue))


def pod_of(made: dict[str, Any]) -> dict[str, Any]:
    return dict(made["spec"]["template"]["spec"])


def sync_of(made: dict[str, Any]) -> dict[str, Any]:
    return dict(pod_of(made)["initContainers"][-1])


def test_clients_see_every_pod_that_is_ready() -> None:
    service = server_service(CPU_KEY, CATALOGUE)
    assert (service["spec"]["clusterIP"], "publishNotReadyAddresses" in service["spec"]) == ("None", False)
    assert server_address(CPU_KEY, CATALOGUE) == f"{service['metadata']['name']}.videojob-system.svc:8001"
    labels = deployment()["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    assert deployment()["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_all_replicas_of_a_server_have_one_gpu_model_and_the_model_says_which() -> None:
    settings = AcceleratorSettings("triton", 120, gpu_models=("t4",), gpu_label="karpenter.k8s.aws/instance-gpu-name")
    key = ServerKey("face_detector", 1, "gpu", ("spot",), gpu="t4")
    made = deployment(key, accelerators={"gpu": settings})
    (term,) = pod_of(made)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]},
        {"key": "karpenter.k8s.aws/instance-gpu-name", "operator": "In", "values": ["t4"]},
    ]
    assert "--gpu-model=t4" in sync_of(made)["args"]


def test_a_server_of_before_there_were_gpu_models_stays_as_it_is() -> None:
    settings = AcceleratorSettings("triton", 120, gpu_models=("t4",), gpu_label="karpenter.k8s.aws/instance-gpu-name")
    made = deployment(ServerKey("face_detector", 1, "gpu"), accelerators={"gpu": settings})
    assert "affinity" not in pod_of(made)
    assert not any("gpu-model" in one for one in sync_of(made)["args"])


def test_a_jobs_workers_do_not_preempt_their_server() -> None:
    assert pod_of(deployment(server_priority_class="servers"))["priorityClassName"] == "servers"
    assert "priorityClassName" not in pod_of(deployment())


def test_a_spot_notice_may_evict_servers() -> None:
    assert "annotations" not in deployment()["spec"]["template"]["metadata"]


@pytest.mark.parametrize(("idle_since_s", "noted"), [(None, None), (NOW_S, f"{NOW_S:.0f}")])
def test_replicas_and_idleness_stand_on_the_deployment_not_on_its_pods(
    idle_since_s: float | None, noted: str | None
) -> None:
    one = server_deployment(CPU_KEY, ServerWanted(3, idle_since_s, busy=False), CATALOGUE)
    assert one["spec"]["replicas"] == 3
    assert one["metadata"]["annotations"].get("videojob.dev/idle-since") == noted
    # A template that changes would roll all pods.
    assert one["spec"]["template"] == deployment()["spec"]["template"]


def test_a_gpu_server_takes_gpus_and_may_go_where_only_they_may() -> None:
    pod = pod_of(deployment(GPU_KEY))
    (container,) = pod["containers"]
    assert container["resources"]["limits"] == {"memory": "8Gi", "ephemeral-storage": "9344Mi", "nvidia.com/gpu": "1"}
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]
    required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    assert [(one["key"], one["values"]) for one in term["matchExpressions"]] == [
        ("karpenter.sh/capacity-type", ["spot"]),
        ("node.kubernetes.io/instance-type", ["g6.xlarge"]),
    ]


def test_a_cpu_server_goes_anywhere() -> None:
    pod = pod_of(deployment())
    assert {"tolerations", "affinity", "nodeSelector"} & set(pod) == set()
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "2Gi", "ephemeral-storage": "5248Mi"}


def test_the_installations_own_placement_comes_with_it() -> None:
    settings = AcceleratorSettings("registry.example/triton:2", 60, {"pool": "gpu"}, (TEAM,))
    pod = pod_of(deployment(GPU_KEY, accelerators={"gpu": settings}))
    assert (pod["nodeSelector"], pod["tolerations"][0]) == ({"pool": "gpu"}, TEAM)
    assert pod["containers"][0]["image"] == "registry.example/triton:2"


def test_it_is_ready_when_its_model_is() -> None:
    (container,) = pod_of(deployment())["containers"]
    paths = {name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {
        "startupProbe": "/v2/health/live",
        "livenessProbe": "/v2/health/live",
        "readinessProbe": "/v2/models/face_detector/ready",
    }
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 300
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


@pytest.mark.parametrize(
    ("source", "argument", "volume", "containers"),
    [
        (S3Source("models", "face/"), "--s3=s3://models/face/", None, ["sync-model"]),
        (
            PvcSource("claim", "face"),
            "--folder=/source/face",
            {"persistentVolumeClaim": {"claimName": "claim", "readOnly": True}},
            ["sync-model"],
        ),
        (
            PvcSource("claim", ""),
            "--folder=/source",
            {"persistentVolumeClaim": {"claimName": "claim", "readOnly": True}},
            ["sync-model"],
        ),
        (
            ImageSource("registry.example/m:1", "/m"),
            "--folder=/source/face_detector",
            {"emptyDir": {"sizeLimit": "4Gi"}},
            ["copy-model", "sync-model"],
        ),
    ],
)
def test_the_model_is_brought_from_its_source_and_checked(
    source: ModelSource, argument: str, volume: dict[str, Any] | None, containers: list[str]
) -> None:
    made = deployment(source=source)
    assert [one["name"] for one in pod_of(made)["initContainers"]] == containers
    arguments = sync_of(made)["args"]
    assert {argument, f"--digest={DIGEST}", "--model=face_detector", "--target=/models"} <= set(arguments)
    found = [one for one in pod_of(made)["volumes"] if one["name"] == "source"]
    assert found == ([] if volume is None else [{"name": "source", **volume}])


def test_a_bucket_is_asked_for_by_region_and_owner() -> None:
    arguments = sync_of(deployment(source=S3Source("models", "f", "eu-central-1", "123456789012")))["args"]
    assert {"--region=eu-central-1", "--owner=123456789012"} <= set(arguments)


@pytest.mark.parametrize(
    ("variant", "engines"),
    [
        (CPU, None),
        (GPU, {"name": "engines", "emptyDir": {"sizeLimit": "4Gi"}}),
        (
            replace(GPU, engine_cache_claim="engines"),
            {"name": "engines", "persistentVolumeClaim": {"claimName": "engines"}},
        ),
    ],
)
def test_built_engines_are_kept_where_the_variant_says(variant: ServerVariant, engines: dict[str, Any] | None) -> None:
    made = deployment(replace(CPU_KEY, accelerator=variant.accelerator), variants={variant.accelerator: variant})
    found = [one for one in pod_of(made)["volumes"] if one["name"] == "engines"]
    assert found == ([] if engines is None else [engines])
    mounted = [one["name"] for one in pod_of(made)["containers"][0]["volumeMounts"]]
    assert ("engines" in mounted) is (engines is not None)


@pytest.mark.parametrize("source", [S3Source("models", "face/"), PvcSource("claim", ""), ImageSource("m:1", "/m")])
@pytest.mark.parametrize("variant", [CPU, GPU, replace(GPU, engine_cache_claim="engines"), replace(CPU, disk="20Gi")])
def test_every_folder_on_the_nodes_disk_has_a_limit_and_the_pod_asks_for_all_of_them(
    source: ModelSource, variant: ServerVariant
) -> None:
    key = replace(CPU_KEY, accelerator=variant.accelerator)
    pod = pod_of(deployment(key, source=source, variants={variant.accelerator: variant}))
    folders = {one["name"]: one["emptyDir"] for one in pod["volumes"] if "emptyDir" in one}
    sizes = {name: one["sizeLimit"] for name, one in folders.items() if one.get("medium") != "Memory"}
    assert sizes["models"] == variant.disk
    resources = pod["containers"][0]["resources"]
    asked = resources["requests"]["ephemeral-storage"]
    assert asked == resources["limits"]["ephemeral-storage"]
    assert bytes_of(asked) == sum(map(bytes_of, sizes.values())) + (128 << 20)
