"""NodePools, as the chart and Karpenter write them."""

from __future__ import annotations

from typing import Any

import pytest

from videojob.kube.read.pools import pool_of
from videojob.planning.placement.pools import Requirement

POOL: dict[str, Any] = {
    "metadata": {"name": "gpu"},
    "spec": {
        "limits": {"cpu": "32", "nvidia.com/gpu": "4"},
        "template": {
            "metadata": {"labels": {"videojob.dev/pool": "gpu"}},
            "spec": {
                "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}],
                "requirements": [
                    {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]},
                    {"key": "team", "operator": "Exists"},
                ],
            },
        },
    },
    "status": {"resources": {"cpu": "4500m", "nvidia.com/gpu": "1"}},
}


def test_a_nodepool_tells_its_requirements_taints_labels_and_what_its_limits_leave() -> None:
    pool = pool_of(POOL)
    assert pool.name == "gpu"
    assert pool.requirements == (
        Requirement("karpenter.sh/capacity-type", "In", ("spot", "on-demand")),
        Requirement("team", "Exists"),
        Requirement("videojob.dev/pool", "In", ("gpu",)),
    )
    assert pool.taints == (("nvidia.com/gpu", "true", "NoSchedule"),)
    assert pool.labels == {"videojob.dev/pool": "gpu"}
    assert (pool.cpus_left, pool.gpus_left) == (27.5, 3)


def test_a_nodepool_without_limits_leaves_room_for_any_number_and_an_overrun_one_for_none() -> None:
    spec = {name: value for name, value in POOL["spec"].items() if name != "limits"}
    unlimited = pool_of(POOL | {"spec": spec})
    assert (unlimited.cpus_left, unlimited.gpus_left) == (None, None)
    assert pool_of(POOL | {"status": {"resources": {"cpu": "40", "nvidia.com/gpu": "5"}}}).gpus_left == 0
    assert pool_of(POOL | {"status": {}}).gpus_left == 4


@pytest.mark.parametrize("broken", [{}, {"template": {}}, {"template": {"spec": {"requirements": [{"key": "a"}]}}}])
def test_what_is_no_nodepool_is_no_pool(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        pool_of({"metadata": {"name": "a"}, "spec": broken})
