"""The real Karpenter, with EC2's instance types and prices, on nodes that kwok plays.

Its decisions are those of any Karpenter: this is its own controller, with the cloud provider that it ships for kwok in
the place of EC2. Instances have EC2's names, sizes, labels and prices, so that the chart's NodePools apply as they are
but for the class of their nodes, which is `NODE_CLASS`. What EC2 would refuse (quota, lack of capacity) is not there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.cluster.control_plane import ROOT, Cluster, kube_tools
from support.cluster.processes import demand_alive, free_ports, process, wait_for
from videojob.adapters.files.package_data import package_text
from videojob.planning.cost.annotated_csv import read_table

NODE_CLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"}
"""For the chart's `karpenter.nodeClassRef`."""
ZONES = ("us-east-1a", "us-east-1b")
SPOT_SHARE = 0.4
"""Price on the spot market against that on demand, where the table has none."""
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NODE_CLASSES = "/apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses"
# What the provider takes off each instance for the kubelet.
_RESERVED_MILLICPU, _RESERVED_MIB = 100, 10

Object = dict[str, Any]


@contextmanager
def karpenter(cluster: Cluster) -> Iterator[None]:
    """Runs it until the block ends; its CRDs stay."""
    programs = kube_tools("karpenter-kwok")
    install_crds(cluster)
    cluster.apply(
        {"apiVersion": "karpenter.kwok.sh/v1alpha1", "kind": NODE_CLASS["kind"], "metadata": {"name": "default"}}
    )
    types = cluster.folder / "instance-types.json"
    types.write_text(json.dumps(instance_types()))
    metrics, health = free_ports(2)
    environment = os.environ | {
        "KUBECONFIG": str(cluster.kubeconfig_of("karpenter")),
        "INSTANCE_TYPES_FILE_PATH": str(types),
        "DISABLE_LEADER_ELECTION": "true",
        "SYSTEM_NAMESPACE": "kube-system",
        "METRICS_PORT": str(metrics),
        "HEALTH_PROBE_PORT": str(health),
    }
    log = cluster.folder / "karpenter.log"
    with process([programs / "karpenter-kwok"], log, env=environment) as running:

        def ready() -> bool:
            demand_alive(running, "karpenter", log)
            try:
                return httpx.get(f"http://127.0.0.1:{health}/readyz").is_success
            except httpx.TransportError:
                return False

        wait_for("Karpenter", ready)
        yield


def install_crds(cluster: Cluster) -> None:
    """Karpenter's CRDs, those of its provider for AWS among them, which the chart's objects are of."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "kube-crds"], stdout=subprocess.PIPE, text=True, timeout=600, check=True
    )
    folder = Path(done.stdout.splitlines()[-1])
    made = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml")) if "karpenter" in path.name]
    buffers = "autoscaling.x-k8s.io_capacitybuffers.yaml"
    made.append(yaml.safe_load((folder / buffers).read_text()))
    for one in made:
        answer = cluster.client.post(_CRDS, json=one)
        assert answer.is_success or answer.status_code == httpx.codes.CONFLICT, answer.text

    def served() -> bool:
        items = cluster.get(_CRDS)["items"]
        names = {one["metadata"]["name"]: one["status"].get("conditions", ()) for one in items}
        return all(_is_established(names[one["metadata"]["name"]]) for one in made)

    wait_for("Karpenter's CRDs", served)
    wait_for("the class of nodes", lambda: cluster.client.get(_NODE_CLASSES).is_success)


def _is_established(conditions: Any) -> bool:
    # A fresh CRD has none, said as null.
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions or ())


def instance_types() -> list[Object]:
    """The table as the provider's file: each type in each zone, on demand and on the spot market."""
    return [_instance_type(row) for row in read_table(package_text("ec2-us-east-1.csv")).rows]


def price(instance_type: str, capacity_type: str) -> float:
    """US dollars an hour."""
    found = {
        offering["Price"]
        for one in instance_types()
        if one["name"] == instance_type
        for offering in one["offerings"]
        if {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [capacity_type]}
        in offering["Requirements"]
    }
    (only,) = found
    return float(only)


def _instance_type(row: Mapping[str, str]) -> Object:
    on_demand = float(row["on_demand_usd_per_hour"])
    spot = float(row["spot_usd_per_hour"] or round(on_demand * SPOT_SHARE, 6))
    resources = {
        "cpu": f"{int(row['allocatable_cpu'].removesuffix('m')) + _RESERVED_MILLICPU}m",
        "memory": f"{int(row['allocatable_memory'].removesuffix('Mi')) + _RESERVED_MIB}Mi",
        "ephemeral-storage": "60Gi",
    }
    if row["gpu_count"] != "0":
        resources["nvidia.com/gpu"] = row["gpu_count"]
    labels = _labels(row)
    return {
        "name": row["instance_type"],
        "architecture": row["arch"],
        "operatingSystems": ["linux"],
        "resources": resources,
        "offerings": [
            {
                "Price": usd,
                "Available": True,
                "Requirements": [
                    _in("karpenter.sh/capacity-type", kind),
                    _in("topology.kubernetes.io/zone", zone),
                    *labels,
                ],
            }
            for kind, usd in (("spot", spot), ("on-demand", on_demand))
            for zone in ZONES
        ],
    }


def _labels(row: Mapping[str, str]) -> list[Object]:
    """What Karpenter's provider for AWS says of a type, which the chart's NodePools select by."""
    family, size = row["instance_type"].split(".")
    known = re.fullmatch(r"([a-z]+)(\d+)[a-z-]*", family)
    assert known is not None
    told = {
        "instance-family": family,
        "instance-size": size,
        "instance-category": known[1],
        "instance-generation": known[2],
        "instance-cpu": row["vcpu"],
        "instance-memory": row["memory_mib"],
    }
    absent = ["instance-gpu-manufacturer", "instance-gpu-name", "instance-gpu-count"]
    if row["gpu_count"] != "0":
        told |= dict(zip(absent, ("nvidia", row["gpu_name"], row["gpu_count"]), strict=True))
        absent = []
    missing = [{"key": f"karpenter.k8s.aws/{name}", "operator": "DoesNotExist"} for name in absent]
    return [*(_in(f"karpenter.k8s.aws/{name}", value) for name, value in told.items()), *missing]


def _in(key: str, value: str) -> Object:
    return {"key": key, "operator": "In", "values": [value]}
