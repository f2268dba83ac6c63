"""Which instance types a NodePool may launch for a pod, and how much of it is left. Pure.

Words and labels are Karpenter's, EKS Auto Mode's included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.cost.offers import Offer
from videojob.planning.installation import Toleration

_PREFIXES = ("karpenter.k8s.aws/", "eks.amazonaws.com/")
_TYPE, _ZONE, _CAPACITY = (
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "karpenter.sh/capacity-type",
)
_NAME = re.compile(r"(?P<category>[a-z]+?)(?P<generation>\d+)")
_NO_SCHEDULE = frozenset({"NoSchedule", "NoExecute"})


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement on nodes, as `key operator values`."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def allows(self, labels: Mapping[str, str]) -> bool:
        """Whether nodes with these labels meet it; so does every node where the label is not known ahead of it."""
        if self.key not in labels:
            return True
        value = labels[self.key]
        if self.operator == "In":
            return value in self.values
        if self.operator == "NotIn":
            return value not in self.values
        if self.operator == "Exists":
            return value != ""
        if self.operator == "DoesNotExist":
            return value == ""
        return self._compares(value)

    def _compares(self, value: str) -> bool:
        if len(self.values) != 1 or not self.values[0].isdigit() or not value.isdigit():
            return self.operator not in {"Gt", "Lt", "Gte", "Lte"} or value != ""
        left, right = int(value), int(self.values[0])
        return {"Gt": left > right, "Lt": left < right, "Gte": left >= right, "Lte": left <= right}.get(
            self.operator, True
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """A NodePool.

    Attributes:
        name: of it.
        requirements: on its nodes; its fixed labels are requirements, too.
        labels: that its nodes have beside those of their type.
        taints: (key, value, effect) of its nodes.
        cpus_left, gpus_left: that its limits still allow; None for no limit.
    """

    name: str
    requirements: tuple[Requirement, ...] = ()
    labels: Mapping[str, str] | None = None
    taints: tuple[tuple[str, str, str], ...] = ()
    cpus_left: float | None = None
    gpus_left: int | None = None

    def allows(self, offer: Offer) -> bool:
        """Whether it may launch the offer at all."""
        labels = labels_of(offer)
        return all(one.allows(labels) for one in self.requirements)

    def takes(self, selector: Mapping[str, str], tolerations: Sequence[Toleration]) -> bool:
        """Whether pods with this nodeSelector and these tolerations may be on its nodes."""
        own = self.labels or {}
        known = {one.key for one in self.requirements} | _WELL_KNOWN
        for key, value in selector.items():
            if key in own:
                if own[key] != value:
                    return False
            elif key not in known and not key.startswith(_PREFIXES):
                return False
        return all(
            any(_tolerates(one, taint) for one in tolerations) for taint in self.taints if taint[2] in _NO_SCHEDULE
        )

    def room_for(self, kind: InstanceType) -> int | None:
        """How many more nodes of the type its limits allow; None for any number."""
        most = []
        if self.cpus_left is not None:
            most.append(int(self.cpus_left // kind.vcpus))
        if self.gpus_left is not None and kind.gpus:
            most.append(self.gpus_left // kind.gpus)
        return max(0, min(most)) if most else None


_WELL_KNOWN = frozenset({_TYPE, _ZONE, _CAPACITY, "kubernetes.io/arch", "kubernetes.io/os"})


def labels_of(offer: Offer) -> dict[str, str]:
    """The labels of its node that are known ahead of it; "" for a label that such nodes do not have."""
    kind = offer.type
    name = _NAME.match(kind.family)
    size = kind.name.partition(".")[2]
    found = {
        _TYPE: kind.name,
        _CAPACITY: offer.capacity_type,
        "kubernetes.io/arch": kind.arch,
        "kubernetes.io/os": "linux",
    }
    if offer.zone:
        found[_ZONE] = offer.zone
    details = {
        "instance-family": kind.family,
        "instance-size": size,
        "instance-category": "" if name is None else name["category"],
        "instance-generation": "" if name is None else name["generation"],
        "instance-cpu": str(kind.vcpus),
        "instance-memory": str(kind.memory_mib),
        "instance-gpu-name": kind.gpu,
        "instance-gpu-count": str(kind.gpus) if kind.gpus else "",
        "instance-gpu-memory": str(kind.gpu_memory_mib) if kind.gpus else "",
        "instance-gpu-manufacturer": "nvidia" if kind.gpus else "",
    }
    return found | {f"{prefix}{key}": value for prefix in _PREFIXES for key, value in details.items()}


def fitting(pools: Iterable[Pool], selector: Mapping[str, str], tolerations: Sequence[Toleration]) -> tuple[Pool, ...]:
    """The NodePools whose nodes such pods may be on."""
    return tuple(one for one in pools if one.takes(selector, tolerations))


def _tolerates(toleration: Mapping[str, Any], taint: tuple[str, str, str]) -> bool:
    key, value, effect = taint
    if toleration.get("effect") not in {None, "", effect}:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in {None, "", key}
    return bool(toleration.get("key") == key and str(toleration.get("value", "")) == value)
