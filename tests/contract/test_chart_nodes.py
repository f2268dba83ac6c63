"""What the chart asks of Karpenter so that capacity costs no more than it must."""

from __future__ import annotations

from typing import Any

import pytest

from support.chart_matrix import AUTO, CPU_ONLY, KARPENTER, MODEL
from support.charts import named, render


def model_with(gpus: int) -> dict[str, Any]:
    """A model whose replicas take so many GPUs each."""
    return {**MODEL, "variants": {"gpu": {**MODEL["variants"]["gpu"], "gpus": gpus}}}


def gpu_counts(values: dict[str, Any], prefix: str = "karpenter.k8s.aws") -> list[str]:
    """GPUs that an instance of the GPU pool may have."""
    spec = named(render(values), "NodePool", "videojob-system-videojob-gpu")["spec"]["template"]["spec"]
    (found,) = [one["values"] for one in spec["requirements"] if one["key"] == f"{prefix}/instance-gpu-count"]
    return list(found)


@pytest.mark.parametrize(
    ("models", "counts"),
    [
        ({}, ["1"]),
        ({"a": MODEL}, ["1"]),
        ({"a": CPU_ONLY}, ["1"]),
        ({"a": model_with(4)}, ["4"]),
        ({"a": MODEL, "b": model_with(4), "c": MODEL}, ["1", "4"]),
    ],
)
def test_an_instance_has_as_many_gpus_as_a_replica_takes(models: dict[str, Any], counts: list[str]) -> None:
    assert gpu_counts({"karpenter": KARPENTER, "models": models}) == counts


def test_an_administrator_may_allow_other_numbers_of_gpus() -> None:
    assert gpu_counts({"karpenter": {**KARPENTER, "gpu": {"instanceGpuCounts": [1, 8]}}}) == ["1", "8"]
    assert gpu_counts({"karpenter": AUTO}, "eks.amazonaws.com") == ["1"]


@pytest.mark.parametrize("pool", ["gpu", "cpu"])
def test_both_ways_of_payment_can_be_had_so_that_a_job_may_choose(pool: str) -> None:
    spec = named(render({"karpenter": KARPENTER}), "NodePool", f"videojob-system-videojob-{pool}")["spec"]
    (found,) = [
        one["values"] for one in spec["template"]["spec"]["requirements"] if one["key"] == "karpenter.sh/capacity-type"
    ]
    assert found == ["spot", "on-demand"]


@pytest.mark.parametrize("pool", ["gpu", "cpu"])
@pytest.mark.parametrize("flavor", [KARPENTER, AUTO], ids=["karpenter", "autoMode"])
def test_empty_nodes_go_all_at_once(pool: str, flavor: dict[str, Any]) -> None:
    spec = named(render({"karpenter": flavor}), "NodePool", f"videojob-system-videojob-{pool}")["spec"]
    budgets = {reason: one["nodes"] for one in spec["disruption"]["budgets"] for reason in one["reasons"]}
    assert budgets == {"Empty": "100%", "Drifted": "10%", "Underutilized": "10%"}
