"""What all pods that the controller makes have in common: few rights, few volumes, and where they may run. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from videojob.kube.names import CONTAINER
from videojob.kube.pod_interface import (
    DECODER_BYTES_VARIABLE,
    JOB_FOLDER,
    SCRATCH,
    SCRATCH_BYTES_VARIABLE,
    SCRATCH_VARIABLE,
)
from videojob.planning.installation import CapacityType, Installation, Toleration, WorkerSettings
from videojob.planning.placement.quantities import bytes_of

USER_ID = 65532
CAPACITY_TYPE = "karpenter.sh/capacity-type"
NODE_GROUP_CAPACITY = "eks.amazonaws.com/capacityType"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
ZONE = "topology.kubernetes.io/zone"
GPU = "nvidia.com/gpu"
_MIB = 1 << 20
_LOGS_BYTES = 128 * _MIB  # the kubelet keeps five files of 10 MiB of a container; the rest is for small things
_RING_BYTES = 256 * _MIB
_PARENT_BYTES = 384 * _MIB
"""What a planner or worker itself takes: less than 160 MiB were measured, and copies of frames are on their way."""
LEAST_MEMORY_BYTES = _RING_BYTES + _PARENT_BYTES + 192 * _MIB
"""Least memory limit of a worker: with less its decoder fails at ordinary videos."""
_NODE_GROUP_WORDS: Mapping[CapacityType, str] = {"spot": "SPOT", "on-demand": "ON_DEMAND"}

CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def pod_security(user_id: int = USER_ID) -> dict[str, Any]:
    """What Pod Security's level "restricted" demands, for a user without a name."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user_id,
        "runAsGroup": user_id,
        "fsGroup": user_id,
        # Volumes of gigabytes are not walked again for each pod.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def environment(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Environment of a container, sorted, so that the same values make the same object."""
    return [{"name": name, "value": values[name]} for name in sorted(values)]


def on_disk(*quantities: str) -> dict[str, str]:
    """What a container requests, and may take at most, of its node's disk: folders of these sizes, and its logs.

    Nodes are then not filled with more pods than their disk holds, whose eviction would only repeat itself.
    """
    size_bytes = sum(map(bytes_of, quantities)) + _LOGS_BYTES
    return {"ephemeral-storage": f"{-(-size_bytes // _MIB)}Mi"}


def decoder_bytes(worker: WorkerSettings, *, has_ring: bool) -> int:
    """Memory of a pod that is left for its decoders: they fail by name at it, ahead of the kernel's kill of the pod.

    Args:
        worker: for the container's limit.
        has_ring: decoded frames lie in memory that counts for the container, too.
    """
    return bytes_of(worker.memory_limit) - _PARENT_BYTES - (_RING_BYTES if has_ring else 0)


def job_pod(config_map: str, arguments: Sequence[str], installation: Installation, *, has_ring: bool) -> dict[str, Any]:
    """The pod of a planner or worker, without its place.

    Args:
        config_map: name of the one that holds the job's file.
        arguments: of the container's command.
        installation: for image, size and environment.
        has_ring: it decodes frames into shared memory.
    """
    worker = installation.worker
    disk = on_disk(worker.scratch)
    own = {
        SCRATCH_VARIABLE: SCRATCH,
        SCRATCH_BYTES_VARIABLE: str(bytes_of(worker.scratch)),
        DECODER_BYTES_VARIABLE: str(decoder_bytes(worker, has_ring=has_ring)),
        "HOME": SCRATCH,
        "TMPDIR": SCRATCH,
    }
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": installation.image,
        "imagePullPolicy": installation.image_pull_policy,
        "args": list(arguments),
        "env": environment({**worker.env, **own}),
        "resources": {
            "requests": {"cpu": worker.cpu, "memory": worker.memory, **disk},
            "limits": {"memory": worker.memory_limit, **disk},
        },
        "securityContext": dict(CONTAINER_SECURITY),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "job", "mountPath": JOB_FOLDER, "readOnly": True},
            {"name": "scratch", "mountPath": SCRATCH},
        ],
    }
    volumes: list[dict[str, Any]] = [
        {"name": "job", "configMap": {"name": config_map}},
        {"name": "scratch", "emptyDir": {"sizeLimit": worker.scratch}},
    ]
    if has_ring:
        container["volumeMounts"].append({"name": "shm", "mountPath": "/dev/shm"})  # noqa: S108 - of this pod alone
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": f"{_RING_BYTES // _MIB}Mi"}})
    return {
        "restartPolicy": "Never",
        "serviceAccountName": worker.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": worker.grace_s,
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": volumes,
    }


def with_place(
    pod: dict[str, Any],
    installation: Installation,
    node_selector: Mapping[str, str],
    tolerations: Sequence[Toleration],
    *,
    capacity_types: Sequence[CapacityType] = (),
    instance_types: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The pod with where it may run; constraints of the job, and `labels` of the node, are demands, never wishes."""
    placed = dict(pod)
    if node_selector:
        placed["nodeSelector"] = dict(node_selector)
    if tolerations:
        placed["tolerations"] = [dict(toleration) for toleration in tolerations]
    demands = [_among(INSTANCE_TYPE, instance_types)] if instance_types else []
    demands += [_among(name, [value]) for name, value in (labels or {}).items()]
    terms = _node_terms(installation, capacity_types, demands)
    if terms:
        required = {"nodeSelectorTerms": terms}
        placed["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return placed


def _node_terms(
    installation: Installation, capacity_types: Sequence[CapacityType], others: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Terms of which a node has to meet one. Karpenter, EKS Auto Mode's too, and EKS' node groups label nodes each with
    labels of their own; where Karpenter provisions nodes, only its labels are used.
    """
    if not capacity_types:
        return [{"matchExpressions": list(others)}] if others else []
    terms = [[_among(CAPACITY_TYPE, capacity_types), *others]]
    if installation.karpenter == "none":
        terms.append([_among(NODE_GROUP_CAPACITY, [_NODE_GROUP_WORDS[one] for one in capacity_types]), *others])
    return [{"matchExpressions": expressions} for expressions in terms]


def _among(label: str, values: Sequence[str]) -> dict[str, Any]:
    return {"key": label, "operator": "In", "values": list(values)}


def near(pod: dict[str, Any], labels: Mapping[str, str], namespace: str) -> dict[str, Any]:
    """The pod with the wish to be in the zone of others, where traffic is free."""
    term = {
        "topologyKey": ZONE,
        "namespaces": [namespace],
        "labelSelector": {"matchLabels": dict(labels)},
    }
    wish = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    return {**pod, "affinity": {**pod.get("affinity", {}), "podAffinity": wish}}
