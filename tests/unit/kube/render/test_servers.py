"""A Triton server as Kubernetes objects."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.decisions import CPU, DIGEST, GPU, INSTALLATION, NOW_S, a_catalogue
from videojob.kube.render.engines import ENGINES_FOLDER, engine_arguments, server_release, start_command
from videojob.kube.render.servers import server_address, server_deployment, server_service
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.installation import (
    AcceleratorSettings,
    ImageSource,
    ModelSource,
    PvcSource,
    S3Source,
    ServerVariant,
)
from videojob.planning.placement.quantities import bytes_of
from videojob.planning.state.placement import ServerKey

CPU_KEY = ServerKey("face_detector", 1, "cpu")
GPU_KEY = ServerKey("face_detector", 1, "gpu", ("spot",), ("g6.xlarge",))
BUSY = ServerDesired(2, None, busy=True)
TEAM = {"key": "team", "operator": "Exists"}


def deployment(
    key: ServerKey = CPU_KEY,
    *,
    source: ModelSource | None = None,
    variants: dict[str, ServerVariant] | None = None,
    **installation: Any,
) -> dict[str, Any]:
    model = INSTALLATION.models["face_detector"]
    changes: dict[str, Any] = {} if source is None else {"source": source}
    changes |= {} if variants is None else {"variants": variants}
    return server_deployment(
        key, BUSY, a_catalogue(models={"face_detector": replace(model, **changes)}, **installation)
    )


def pod_of(made: dict[str, Any]) -> dict[str, Any]:
    return dict(made["spec"]["template"]["spec"])


def sync_of(made: dict[str, Any]) -> dict[str, Any]:
    return dict(pod_of(made)["initContainers"][-1])


def test_clients_see_every_pod_that_is_ready() -> None:
    service = server_service(CPU_KEY, INSTALLATION)
    assert (service["spec"]["clusterIP"], "publishNotReadyAddresses" in service["spec"]) == ("None", False)
    assert server_address(CPU_KEY, INSTALLATION) == f"{service['metadata']['name']}.videojob-system.svc:8001"
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
    one = server_deployment(CPU_KEY, ServerDesired(3, idle_since_s, busy=False), INSTALLATION)
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


SHARING = replace(GPU, engine_cache_claim="engines")
PLAIN_GPU_KEY = replace(CPU_KEY, accelerator="gpu")


def volumes_of(pod: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one for one in pod["volumes"]}


def mounts_of(container: dict[str, Any]) -> set[str]:
    return {one["name"] for one in container["volumeMounts"]}


def test_a_server_builds_engines_in_a_folder_of_its_own_pod_and_never_sees_the_volume() -> None:
    for variant in (GPU, SHARING):
        pod = pod_of(deployment(PLAIN_GPU_KEY, variants={"gpu": variant}))
        assert volumes_of(pod)["engines"] == {"name": "engines", "emptyDir": {"sizeLimit": "4Gi"}}
        server = pod["containers"][0]
        assert "engines" in mounts_of(server)
        assert "shared-engines" not in mounts_of(server)
    assert "engines" not in volumes_of(pod_of(deployment(CPU_KEY, variants={"cpu": CPU})))


def test_engines_on_a_volume_are_brought_before_the_server_starts_and_published_beside_it() -> None:
    pod = pod_of(deployment(PLAIN_GPU_KEY, variants={"gpu": SHARING}))
    claim = {"name": "shared-engines", "persistentVolumeClaim": {"claimName": "engines"}}
    assert volumes_of(pod)["shared-engines"] == claim
    (sync,) = [one for one in pod["initContainers"] if one["name"] == "sync-model"]
    (_, share) = pod["containers"]
    assert share["args"][:2] == ["worker", "share-engines"]
    for container in (sync, share):
        assert {"engines", "shared-engines"} <= mounts_of(container)
        assert "POD_NAME" in {one["name"] for one in container["env"]}, "it names who builds"
    shared = [one for one in sync["args"] if one.startswith("--shared-engines=")]
    assert shared == [one for one in share["args"] if one.startswith("--shared-engines=")]


def test_a_set_of_engines_belongs_to_one_model_one_image_and_one_kind_of_hardware() -> None:
    model, image = a_catalogue().models["face_detector"], "nvcr.io/nvidia/tritonserver:26.07-py3"
    others = [
        engine_arguments(PLAIN_GPU_KEY, replace(model, digest=f"sha256:{'9' * 64}"), SHARING, image),
        engine_arguments(PLAIN_GPU_KEY, model, SHARING, "nvcr.io/nvidia/tritonserver:26.08-py3"),
        engine_arguments(replace(PLAIN_GPU_KEY, instance_types=("g6.xlarge",)), model, SHARING, image),
    ]
    assert len({tuple(one) for one in [engine_arguments(PLAIN_GPU_KEY, model, SHARING, image), *others]}) == 4


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("nvcr.io/nvidia/tritonserver:26.07-py3", "26.07-py3"),
        ("registry:5000/triton", ""),
        (f"registry:5000/triton:1@sha256:{'ab' * 32}", "abababababab"),
    ],
)
def test_an_images_digest_or_tag_pins_the_software_in_it(image: str, release: str) -> None:
    assert server_release(image) == release


def test_a_server_that_starts_again_keeps_finished_engines_and_no_torn_one(tmp_path: Path) -> None:
    """The command that runs in the container, with a tritonserver that only says how it was called."""
    cache, finished, programs = (tmp_path / name for name in ("cache", ".finished", "bin"))
    for folder in (cache, finished, programs):
        folder.mkdir()
    for name in ("whole.engine", "torn.engine"):
        (cache / name).write_text("x")
    (finished / "whole.engine").touch()
    server = programs / "tritonserver"
    server.write_text('#!/bin/sh\necho "$@"\n')
    server.chmod(0o755)
    command = [part.replace(ENGINES_FOLDER, str(tmp_path)) for part in start_command(SHARING)]
    done = subprocess.run(
        [*command, "--exit-on-error=true", "--load-model=a b"],
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "--exit-on-error=true --load-model=a b\n"
    assert [path.name for path in cache.iterdir()] == ["whole.engine"]


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
