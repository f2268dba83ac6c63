"""A Triton server as Kubernetes objects: one Deployment and one headless Service for each `ServerKey`. Pure."""

from __future__ import annotations

from typing import Any

from videojob.kube.names import (
    IDLE_SINCE,
    SERVER_CONTAINER,
    SERVER_KEY,
    server_key_text,
    server_labels,
    server_name,
    server_selector,
)
from videojob.kube.render.engines import (
    builds_engines,
    engine_arguments,
    engine_environment,
    engine_mounts,
    server_release,
    share_container,
    shared_volume,
    shares_engines,
    start_command,
)
from videojob.kube.render.pods import CONTAINER_SECURITY, GPU, environment, on_disk, pod_security, with_place
from videojob.kube.render.triton_args import GRPC_PORT, HTTP_PORT, METRICS_PORT, POD_UID, triton_arguments
from videojob.planning.fleet.replicas import ServerDesired
from videojob.planning.installation import ImageSource, Installation, InstalledModel, PvcSource, S3Source, ServerVariant
from videojob.planning.state.placement import ServerKey

MODELS_FOLDER = "/models"
SOURCE_FOLDER = "/source"
_STARTUP_PERIOD_S = 10
_STARTUP_TRIES = 90  # building TensorRT engines for the first time takes minutes
_DRAIN_S = 30
_TMP = "1Gi"


def server_address(key: ServerKey, installation: Installation) -> str:
    """HOST:PORT of the server's gRPC, for workers in any namespace."""
    return f"{server_name(key)}.{installation.server_namespace}.svc:{GRPC_PORT}"


def server_service(key: ServerKey, installation: Installation) -> dict[str, Any]:
    """A headless Service: clients see every pod and spread their requests themselves."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(key, installation),
        "spec": {
            "clusterIP": "None",
            "selector": server_selector(key),
            "ports": [
                {"name": "grpc", "port": GRPC_PORT, "targetPort": "grpc", "protocol": "TCP"},
                {"name": "http", "port": HTTP_PORT, "targetPort": "http", "protocol": "TCP"},
                {"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics", "protocol": "TCP"},
            ],
        },
    }


def server_deployment(key: ServerKey, desired: ServerDesired, installation: Installation) -> dict[str, Any]:
    """The Deployment."""
    model = installation.models[key.model]
    variant = model.variants[key.accelerator]
    metadata = _metadata(key, installation)
    metadata["annotations"] = {SERVER_KEY: server_key_text(key)}
    if desired.idle_since_s is not None:
        metadata["annotations"][IDLE_SINCE] = f"{desired.idle_since_s:.0f}"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": desired.replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": server_selector(key)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                # As for workers, no karpenter.sh/do-not-disrupt: a spot notice must evict the pod while it can drain.
                "metadata": {"labels": server_labels(key)},
                "spec": _pod(key, model, variant, installation),
            },
        },
    }


def _pod(key: ServerKey, model: InstalledModel, variant: ServerVariant, installation: Installation) -> dict[str, Any]:
    settings = installation.accelerators[key.accelerator]
    engines = engine_arguments(key, model, variant, settings.image)
    containers = [_container(model, variant, settings.image, installation)]
    if shares_engines(variant):
        containers.append(share_container(model.name, engines, installation))
    pod = {
        "serviceAccountName": installation.server_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _DRAIN_S + 15,
        "securityContext": pod_security(),
        "initContainers": _init_containers(key, model, variant, engines, installation),
        "containers": containers,
        "volumes": _volumes(model, variant),
    }
    if installation.server_priority_class:
        pod["priorityClassName"] = installation.server_priority_class
    tolerations = [*settings.tolerations]
    if variant.gpus:
        tolerations.append({"key": GPU, "operator": "Exists", "effect": "NoSchedule"})
    return with_place(
        pod,
        installation,
        settings.node_selector,
        tolerations,
        capacity_types=key.capacity_types,
        instance_types=key.instance_types,
        labels={settings.gpu_label: key.gpu} if key.gpu and settings.gpu_label else None,
    )


def _container(model: InstalledModel, variant: ServerVariant, image: str, installation: Installation) -> dict[str, Any]:
    disk = on_disk(*_disks(model, variant).values())
    limits: dict[str, Any] = {"memory": variant.memory, **disk}
    if variant.gpus:
        limits[GPU] = str(variant.gpus)
    mounts = [
        {"name": "models", "mountPath": MODELS_FOLDER, "readOnly": True},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - Python backends exchange tensors there
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of this pod
    ]
    if builds_engines(variant):
        mounts += engine_mounts(shared=False)
    return {
        "name": SERVER_CONTAINER,
        "image": image,
        "imagePullPolicy": installation.image_pull_policy,
        "command": start_command(variant),
        "args": triton_arguments(model.name, MODELS_FOLDER, gpu=variant.gpus > 0),
        "env": [
            *environment({"HOME": "/tmp"}),  # noqa: S108 - see above
            # Before the arguments that use it: Kubernetes puts it into them.
            {"name": POD_UID, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        ],
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT},
            {"name": "grpc", "containerPort": GRPC_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "resources": {"requests": {"cpu": variant.cpu, "memory": variant.memory, **disk}, "limits": limits},
        "securityContext": dict(CONTAINER_SECURITY),
        # The end of its log is what the job's status says when the model does not load.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "startupProbe": _probe("/v2/health/live", _STARTUP_PERIOD_S, _STARTUP_TRIES),
        "livenessProbe": _probe("/v2/health/live", 10, 6),
        "readinessProbe": _probe(f"/v2/models/{model.name}/ready", 2, 3),
        # Out of the Service before it stops listening: clients resolve again within this time.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "volumeMounts": mounts,
    }


def _probe(path: str, period_s: int, tries: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_s,
        "failureThreshold": tries,
        "timeoutSeconds": 5,
    }


def _init_containers(
    key: ServerKey, model: InstalledModel, variant: ServerVariant, engines: list[str], installation: Installation
) -> list[dict[str, Any]]:
    source = model.source
    arguments = [
        "worker",
        "sync-model",
        f"--model={model.name}",
        f"--model-version={model.version}",
        f"--digest={model.digest}",
        f"--backend={variant.backend}",
        f"--accelerator={variant.accelerator}",
        f"--instances={variant.instances}",
        f"--target={MODELS_FOLDER}",
        *([f"--gpu-model={key.gpu}"] if key.gpu else []),
        *engines,
    ]
    if builds_engines(variant):
        arguments.append(f"--server-release={server_release(installation.accelerators[key.accelerator].image)}")
    mounts: list[dict[str, Any]] = [
        {"name": "models", "mountPath": MODELS_FOLDER},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of this pod
    ]
    own: list[dict[str, Any]] = []
    if builds_engines(variant):
        mounts += engine_mounts(shared=shares_engines(variant))
        own = engine_environment()
    before: list[dict[str, Any]] = []
    match source:
        case S3Source():
            arguments.append(f"--s3=s3://{source.bucket}/{source.prefix}")
            if source.expected_bucket_owner:
                arguments.append(f"--owner={source.expected_bucket_owner}")
            if source.region:
                arguments.append(f"--region={source.region}")
        case PvcSource():
            arguments.append(f"--folder={SOURCE_FOLDER}/{source.path}".rstrip("/"))
            mounts.append({"name": "source", "mountPath": SOURCE_FOLDER, "readOnly": True})
        case ImageSource():
            arguments.append(f"--folder={SOURCE_FOLDER}/{model.name}")
            mounts.append({"name": "source", "mountPath": SOURCE_FOLDER, "readOnly": True})
            before.append(_copy(model.name, source, installation))
    sync = {
        "name": "sync-model",
        "image": installation.image,
        "imagePullPolicy": installation.image_pull_policy,
        "args": arguments,
        "env": [*environment({**installation.worker.env, "HOME": "/tmp", "TMPDIR": "/tmp"}), *own],  # noqa: S108 - see above
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": dict(CONTAINER_SECURITY),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts,
    }
    return [*before, sync]


def _copy(model: str, source: ImageSource, installation: Installation) -> dict[str, Any]:
    """Copies the model out of its image, which has to have `cp`: image volumes are not on every cluster yet."""
    return {
        "name": "copy-model",
        "image": source.reference,
        "imagePullPolicy": installation.image_pull_policy,
        "command": ["cp", "-rT", source.path, f"{SOURCE_FOLDER}/{model}"],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": dict(CONTAINER_SECURITY),
        "volumeMounts": [{"name": "source", "mountPath": SOURCE_FOLDER}],
    }


def _disks(model: InstalledModel, variant: ServerVariant) -> dict[str, str]:
    """Size limits of the pod's folders on the node's disk."""
    disks = {"models": variant.disk, "tmp": _TMP}
    if isinstance(model.source, ImageSource):
        disks["source"] = variant.disk
    if builds_engines(variant):
        disks["engines"] = variant.disk
    return disks


def _volumes(model: InstalledModel, variant: ServerVariant) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": name, "emptyDir": {"sizeLimit": size}} for name, size in _disks(model, variant).items()
    ]
    volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}})
    if isinstance(model.source, PvcSource):
        claim = {"claimName": model.source.claim_name, "readOnly": True}
        volumes.append({"name": "source", "persistentVolumeClaim": claim})
    return [*volumes, *shared_volume(variant)]


def _metadata(key: ServerKey, installation: Installation) -> dict[str, Any]:
    return {"name": server_name(key), "namespace": installation.server_namespace, "labels": server_labels(key)}
