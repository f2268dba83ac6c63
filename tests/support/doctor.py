"""Objects of a cluster as `videojob doctor` reads them, with defaults of a healthy one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from videojob.kube.doctor.findings import NotRead, Object
from videojob.kube.doctor.nodes import Flavour, NodeFacts

NOT_ALLOWED = NotRead("403 forbidden")
UNKNOWN_KIND = NotRead("the API server does not know this kind", missing=True)


def named(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "system"} | metadata}


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def a_deployment(
    name: str = "controller", *, ready: int = 1, replicas: int = 1, version: str = "0.1.0", namespace: str = "system"
) -> dict[str, Any]:
    value = named(name, labels={"app.kubernetes.io/version": version}, namespace=namespace)
    return value | {"spec": {"replicas": replicas}, "status": {"readyReplicas": ready} if ready else {}}


def a_pool(
    *,
    ready: str = "True",
    why: str = "",
    taints: Sequence[str] = ("nvidia.com/gpu",),
    limits: Mapping[str, str] | None = None,
    families: Sequence[str] = ("g5",),
    capacity: Sequence[str] = ("spot", "on-demand"),
) -> dict[str, Any]:
    """A NodePool for GPUs."""
    template = {
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"},
        "taints": [{"key": key, "effect": "NoSchedule"} for key in taints],
        "requirements": [
            {"key": "karpenter.sh/capacity-type", "operator": "In", "values": list(capacity)},
            {"key": "karpenter.k8s.aws/instance-gpu-manufacturer", "operator": "In", "values": ["nvidia"]},
            {"key": "karpenter.k8s.aws/instance-family", "operator": "In", "values": list(families)},
        ],
    }
    spec = {"template": {"spec": template}, "limits": {"nvidia.com/gpu": "4"} if limits is None else dict(limits)}
    return named("gpu") | {"spec": spec, "status": {"conditions": [condition("Ready", ready, why)]}}


def a_class(ready: str = "True", why: str = "") -> dict[str, Any]:
    return named("gpu") | {"status": {"conditions": [condition("Ready", ready, why)]}}


def a_node(*, gpus: int = 0, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    allocatable = {"nvidia.com/gpu": str(gpus)} if gpus else {"cpu": "4"}
    status = {"allocatable": allocatable, "conditions": [condition("Ready", "True")]}
    return named("node", labels=dict(labels or {})) | {"spec": {}, "status": status}


def node_facts(
    *,
    flavour: Flavour = "karpenter",
    needs_gpu: bool = True,
    pools: Sequence[Object] | NotRead | None = None,
    classes: Mapping[tuple[str, str], Object | NotRead | None] | None = None,
    karpenter: Sequence[Object] | NotRead | None = None,
    nodes: Sequence[Object] | NotRead = (),
    daemon_sets: Sequence[Object] | NotRead = (),
) -> NodeFacts:
    """Of a healthy Karpenter without a node."""
    return NodeFacts(
        flavour=flavour,
        needs_gpu=needs_gpu,
        pools=[a_pool()] if pools is None else pools,
        classes={("EC2NodeClass", "gpu"): a_class()} if classes is None else classes,
        karpenter=[a_deployment("karpenter", namespace="kube-system")] if karpenter is None else karpenter,
        nodes=nodes,
        daemon_sets=daemon_sets,
    )
