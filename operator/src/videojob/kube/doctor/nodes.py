"""Checks of whatever provisions nodes: Karpenter, its pools and classes, EKS Auto Mode, and GPUs. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from videojob.kube.doctor.findings import (
    Finding,
    NotRead,
    Object,
    condition_words,
    is_true,
    joined,
    name_of,
    ok,
    problem,
    unchecked,
    warning,
)
from videojob.kube.render.pods import CAPACITY_TYPE, GPU, INSTANCE_TYPE
from videojob.planning.placement.gpus import GPU_OF_FAMILY, gpu_models

Flavour = Literal["karpenter", "autoMode", "none"]
_FAMILY = "/instance-family"
_MANUFACTURER = "/instance-gpu-manufacturer"
_AMD = frozenset({"g4ad"})
_NO_POOL = "Set karpenter.gpu.create of the chart, or create a GPU NodePool of your own."


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What was read about nodes.

    Attributes:
        flavour: who provisions nodes, as the chart's value karpenter.flavor says.
        needs_gpu: the installation offers a model on GPUs.
        pools: NodePools. classes: by (kind, name), the node classes that pools name; None for one that is not there.
        karpenter: Karpenter's Deployments. nodes, daemon_sets: of the cluster.
    """

    flavour: Flavour
    needs_gpu: bool
    pools: Sequence[Object] | NotRead
    classes: Mapping[tuple[str, str], Object | NotRead | None]
    karpenter: Sequence[Object] | NotRead
    nodes: Sequence[Object] | NotRead
    daemon_sets: Sequence[Object] | NotRead


def node_findings(facts: NodeFacts) -> Iterator[Finding]:
    """All checks that fit this installation."""
    if facts.flavour == "karpenter":
        yield _karpenter(facts.karpenter)
    if facts.flavour != "none":
        yield _pools(facts.pools)
        yield from _classes(facts.classes)
        if facts.needs_gpu:
            yield _gpu_pool(facts.pools)
    if facts.needs_gpu:
        yield _gpu_nodes(facts)
    elif facts.flavour == "none":
        yield _plain_nodes(facts.nodes)


def gpu_model_findings(facts: NodeFacts, models: Sequence[str]) -> Iterator[Finding]:
    """Whether the replicas of a server have GPUs of one model, and whether nodes with it can be provisioned.

    Args:
        facts: what was read.
        models: that the installation asks nodes for, the preferred one first.
    """
    check = "GPU model"
    if not facts.needs_gpu:
        return
    pools = () if isinstance(facts.pools, NotRead) else facts.pools
    nodes = () if isinstance(facts.nodes, NotRead) else facts.nodes
    families = gpu_families(pools) if pools else frozenset(_instance_family(one) for one in nodes if _allocatable(one))
    found = sorted(families - {""})
    if not models and len(found) > 1:
        seen = f"replicas of one server may get different GPUs, and so different numbers: those of {joined(found)}"
        yield warning(check, seen, "Set triton.gpu.gpuModels and gpuModelLabel of the chart, or allow one family.")
    elif models and pools and found and models[0] not in gpu_models(found) and set(found) <= GPU_OF_FAMILY.keys():
        seen = f"servers request the GPU {models[0]}, and no NodePool has it: {joined(found)}"
        yield problem(check, seen, "Correct triton.gpu.gpuModels of the chart, or the families of the NodePool.")
    elif models:
        others = f", jobs that name instanceTypes also for {joined(models[1:])}" if len(models) > 1 else ""
        yield ok(check, f"servers request {models[0]}{others}")


def class_of(pool: Object) -> tuple[str, str, str]:
    """(group, kind, name) of the node class that a NodePool names."""
    found = pool["spec"]["template"]["spec"].get("nodeClassRef") or {}
    return str(found.get("group", "")), str(found.get("kind", "")), str(found.get("name", ""))


def is_gpu_pool(pool: Object) -> bool:
    """Whether a NodePool provisions nodes with GPUs of NVIDIA."""
    return GPU in _taints(pool) or any(
        one["key"].endswith(_MANUFACTURER) and "nvidia" in one.get("values", ()) for one in _requirements(pool)
    )


def gpu_families(pools: Sequence[Object]) -> frozenset[str]:
    """Instance families that GPU pools may use, as far as they name any."""
    found = (one for pool in pools if is_gpu_pool(pool) for one in _requirements(pool) if one["key"].endswith(_FAMILY))
    return frozenset(value for one in found for value in one.get("values", ()))


def capacity_types(pools: Sequence[Object]) -> frozenset[str]:
    """How GPU nodes may be paid for; both when the pools do not say."""
    found = (one for pool in pools if is_gpu_pool(pool) for one in _requirements(pool) if one["key"] == CAPACITY_TYPE)
    return frozenset(value for one in found for value in one.get("values", ())) or frozenset({"spot", "on-demand"})


def _requirements(pool: Object) -> list[Object]:
    return list(pool["spec"]["template"]["spec"].get("requirements") or ())


def _taints(pool: Object) -> set[str]:
    return {one["key"] for one in pool["spec"]["template"]["spec"].get("taints") or ()}


def _karpenter(deployments: Sequence[Object] | NotRead) -> Finding:
    check = "Karpenter"
    if isinstance(deployments, NotRead):
        return unchecked(check, deployments.why)
    if not deployments:
        seen = "there is no Deployment with the label app.kubernetes.io/name=karpenter"
        return warning(check, seen, "Install Karpenter, or set karpenter.flavor to what provisions nodes here.")
    ready = [one for one in deployments if (one.get("status") or {}).get("readyReplicas")]
    if not ready:
        where = f"{deployments[0]['metadata']['namespace']}/{name_of(deployments[0])}"
        return problem(check, f"{where} has no ready pod", "Check its log: without it no node is provisioned.")
    return ok(check, f"{ready[0]['metadata']['namespace']}/{name_of(ready[0])} is ready")


def _pools(pools: Sequence[Object] | NotRead) -> Finding:
    check = "NodePools"
    if isinstance(pools, NotRead):
        if pools.missing:
            advice = "Install Karpenter, or set karpenter.flavor to what provisions nodes here."
            return problem(check, "the API server knows no NodePools", advice)
        return unchecked(check, pools.why)
    if not pools:
        return problem(check, "none found", "Upgrade the release with karpenter.gpu.create and karpenter.cpu.create.")
    bad = [f"{name_of(one)} ({condition_words(one, 'Ready')})" for one in pools if not is_true(one, "Ready")]
    if bad:
        return problem(check, f"not ready: {joined(bad)}", "`kubectl describe nodepool` has the conditions of each.")
    return ok(check, f"ready: {joined([name_of(one) for one in pools])}")


def _classes(classes: Mapping[tuple[str, str], Object | NotRead | None]) -> Iterator[Finding]:
    for (kind, name), found in classes.items():
        check = f"{kind} {name}"
        if isinstance(found, NotRead):
            advice = "" if not found.missing else "Install the CRD of this kind, or correct karpenter.flavor."
            yield (problem(check, found.why, advice) if found.missing else unchecked(check, found.why))
        elif found is None:
            yield problem(
                check, "a NodePool references it and it does not exist", "Create it, or correct nodeClassRef."
            )
        elif not is_true(found, "Ready"):
            advice = "Role, subnets, security groups and AMI must exist and have the tags that it selects."
            yield problem(check, f"not ready: {condition_words(found, 'Ready')}", advice)
        else:
            yield ok(check, "ready")


def _gpu_pool(pools: Sequence[Object] | NotRead) -> Finding:
    check = "GPU NodePool"
    if isinstance(pools, NotRead):
        return unchecked(check, pools.why)
    found = [one for one in pools if is_gpu_pool(one)]
    if not found:
        return problem(check, "the installation offers GPUs, but no NodePool provisions them", _NO_POOL)
    bare = [name_of(one) for one in found if GPU not in _taints(one)]
    if bare:
        advice = f"Without the taint {GPU} any pod may occupy a GPU node."
        return warning(check, f"{joined(bare)} has no taint {GPU}", advice)
    free = [name_of(one) for one in found if GPU not in (one["spec"].get("limits") or {})]
    if free:
        return warning(check, f"{joined(free)} has no limit of {GPU}", "Set one: it caps what GPUs cost.")
    words = [f"{name_of(one)} (at most {one['spec']['limits'][GPU]} GPUs)" for one in found]
    return ok(check, f"{joined(words)}, tainted {GPU}")


def _gpu_nodes(facts: NodeFacts) -> Finding:
    """Whether nodes with GPUs say so: that takes NVIDIA's device plugin, by whoever brings it."""
    check = "device plugin"
    if isinstance(facts.nodes, NotRead):
        return unchecked(check, facts.nodes.why)
    with_gpu = [one for one in facts.nodes if _allocatable(one)]
    if with_gpu:
        total = sum(_allocatable(one) for one in with_gpu)
        return ok(check, f"{len(with_gpu)} of {len(facts.nodes)} nodes offer {total} {GPU}")
    silent = [name_of(one) for one in facts.nodes if _has_nvidia(one)]
    if silent:
        advice = "Install NVIDIA's device plugin, or use an image that includes it, such as Bottlerocket's for NVIDIA."
        return problem(check, f"{joined(silent)} has a GPU and offers no {GPU}", advice)
    plugin = "" if isinstance(facts.daemon_sets, NotRead) else _plugin(facts.daemon_sets)
    if facts.flavour == "none":
        advice = "Add nodes with GPUs and NVIDIA's device plugin, or let jobs run on CPUs."
        return warning(check, f"no node offers {GPU}{f', though {plugin} is installed' if plugin else ''}", advice)
    if plugin:
        return ok(
            check, f"{plugin} is installed; no node has a GPU now, as GPU nodes are removed when no job needs them"
        )
    own = "EKS Auto Mode" if facts.flavour == "autoMode" else "Bottlerocket for NVIDIA"
    why = f"no node has a GPU now, and no DaemonSet is a device plugin; {own} includes one"
    return unchecked(check, why, "Run this again while a job runs on a GPU.")


def _plain_nodes(nodes: Sequence[Object] | NotRead) -> Finding:
    check = "nodes"
    if isinstance(nodes, NotRead):
        return unchecked(check, nodes.why)
    ready = [one for one in nodes if is_true(one, "Ready") and not (one.get("spec") or {}).get("unschedulable")]
    if not ready:
        return problem(check, f"none of {len(nodes)} nodes is ready", "Add nodes, or set karpenter.flavor.")
    return ok(check, f"{len(ready)} of {len(nodes)} nodes are ready")


def _allocatable(node: Object) -> int:
    text = str(((node.get("status") or {}).get("allocatable") or {}).get(GPU, "0"))
    return int(text) if text.isdigit() else 0


def _has_nvidia(node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    named = any(name.endswith(_MANUFACTURER) and value == "nvidia" for name, value in labels.items())
    family = _instance_family(node)
    return named or (family[:1] in {"g", "p"} and family[1:2].isdigit() and family not in _AMD)


def _instance_family(node: Object) -> str:
    return str((node["metadata"].get("labels") or {}).get(INSTANCE_TYPE, "")).partition(".")[0]


def _plugin(daemon_sets: Sequence[Object]) -> str:
    names = [name_of(one) for one in daemon_sets]
    return next((name for name in names if "nvidia" in name and "plugin" in name), "")
