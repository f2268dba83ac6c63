"""NodePools as Karpenter and EKS Auto Mode have them -> the values that a choice by price is made from. PURE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from videojob.kube.render.pods import GPU
from videojob.planning.placement.pools import Pool, Requirement
from videojob.planning.placement.quantities import cpus_of

Object = Mapping[str, Any]


def pool_of(value: Object) -> Pool:
    """A NodePool. Raises KeyError, TypeError or ValueError on anything else."""
    spec, status = value["spec"], value.get("status") or {}
    template = spec["template"]
    labels = {str(key): str(one) for key, one in ((template.get("metadata") or {}).get("labels") or {}).items()}
    nodes, limits, used = template["spec"], spec.get("limits") or {}, status.get("resources") or {}
    cpus, gpus = _left("cpu", limits, used), _left(GPU, limits, used)
    return Pool(
        name=str(value["metadata"]["name"]),
        requirements=(*_requirements(nodes), *(Requirement(key, "In", (one,)) for key, one in labels.items())),
        labels=labels,
        taints=tuple(
            (str(one["key"]), str(one.get("value") or ""), str(one["effect"])) for one in nodes.get("taints") or ()
        ),
        cpus_left=cpus,
        gpus_left=None if gpus is None else int(gpus),
    )


def _requirements(nodes: Object) -> Iterator[Requirement]:
    for one in nodes.get("requirements") or ():
        yield Requirement(str(one["key"]), str(one["operator"]), tuple(map(str, one.get("values") or ())))


def _left(name: str, limits: Object, used: Object) -> float | None:
    if name not in limits:
        return None
    return max(0.0, float(cpus_of(str(limits[name])) - cpus_of(str(used.get(name, "0")))))
