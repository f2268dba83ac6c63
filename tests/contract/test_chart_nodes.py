"""What the chart asks of Karpenter so that capacity costs no more than it must."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from support.chart_matrix import AUTO, CPU_ONLY, KARPENTER, MODEL
from support.charts import CHART, config_text, named, render
from videojob.adapters.files.package_data import package_text
from videojob.controller.config import ConfigModel, installation_of
from videojob.planning.cost.annotated_csv import read_table

SPOT_NOTICE_S = 120


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


def pool_spec(values: dict[str, Any], pool: str) -> dict[str, Any]:
    spec: dict[str, Any] = named(render(values), "NodePool", f"videojob-system-videojob-{pool}")["spec"]
    return spec


def admitted(values: dict[str, Any], pool: str) -> list[dict[str, str]]:
    """Rows of the price table whose instances the pool's own requirements admit."""
    tests: dict[str, Callable[[str, list[str]], bool]] = {
        "In": lambda has, values: has in values,
        "Gt": lambda has, values: int(has) > int(values[0]),
        "Lt": lambda has, values: int(has) < int(values[0]),
    }

    wanted = pool_spec(values, pool)["template"]["spec"]["requirements"]

    def fits(row: Mapping[str, str]) -> bool:
        family, size = row["instance_type"].split(".")
        known = re.fullmatch(r"([a-z]+)(\d+)[a-z-]*", family)
        assert known is not None
        labels = {
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": row["arch"],
            "karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia" if row["gpu_count"] != "0" else "",
            "karpenter.k8s.aws/instance-gpu-count": row["gpu_count"],
            "karpenter.k8s.aws/instance-family": family,
            "karpenter.k8s.aws/instance-size": size,
            "karpenter.k8s.aws/instance-category": known[1],
            "karpenter.k8s.aws/instance-generation": known[2],
            "karpenter.k8s.aws/instance-cpu": row["vcpu"],
        }
        return all(
            tests[one["operator"]](labels[one["key"]], one["values"])
            for one in wanted
            if one["key"] != "karpenter.sh/capacity-type"
        )

    return [dict(row) for row in read_table(package_text("ec2-us-east-1.csv")).rows if fits(row)]


def test_no_gpu_instance_costs_much_more_than_the_smallest_with_the_same_gpu() -> None:
    by_gpu: dict[str, list[float]] = {}
    for row in admitted({"karpenter": KARPENTER}, "gpu"):
        by_gpu.setdefault(row["gpu_name"], []).append(float(row["on_demand_usd_per_hour"]))
    assert set(by_gpu) == {"t4", "a10g", "l4"}
    # A g4dn.16xlarge has one T4, too: 8.3 times the price.
    assert {name: round(max(prices) / min(prices), 1) for name, prices in by_gpu.items()} == {
        "t4": 1.4,
        "a10g": 1.2,
        "l4": 1.2,
    }


def test_the_limits_of_the_gpu_pool_are_a_ceiling_in_dollars() -> None:
    limits = pool_spec({"karpenter": KARPENTER}, "gpu")["limits"]
    dearest = max(float(row["on_demand_usd_per_hour"]) for row in admitted({"karpenter": KARPENTER}, "gpu"))
    assert limits == {"nvidia.com/gpu": "4", "cpu": "32"}
    assert round(int(limits["nvidia.com/gpu"]) * dearest, 2) == 4.85


def test_an_instance_for_workers_is_small_enough_to_be_given_back() -> None:
    rows = admitted({"karpenter": KARPENTER}, "cpu")
    assert max(int(row["vcpu"]) for row in rows) == 16
    assert {row["instance_type"].split(".")[1] for row in rows} == {"medium", "large", "xlarge", "2xlarge", "4xlarge"}


@pytest.mark.parametrize(
    ("gpu", "models", "sizes", "cpu"),
    [
        ({"limits": {"nvidia.com/gpu": "8"}}, {}, ["xlarge", "2xlarge"], "64"),
        ({"limits": {"nvidia.com/gpu": "8", "cpu": "40"}}, {}, ["xlarge", "2xlarge"], "40"),
        ({}, {"a": model_with(4)}, ["12xlarge"], "48"),
        ({"limits": {"nvidia.com/gpu": "16"}}, {"a": model_with(8)}, ["48xlarge"], "384"),
        ({}, {"a": MODEL, "b": model_with(4)}, ["xlarge", "2xlarge", "12xlarge"], "48"),
        ({"instanceSizes": ["xlarge", "4xlarge"]}, {}, ["xlarge", "4xlarge"], "64"),
        ({"instanceSizes": ["24xlarge"]}, {"a": model_with(4)}, ["24xlarge"], "96"),
        ({"instanceSizes": ["metal"]}, {}, ["metal"], None),
        ({}, {"a": model_with(2)}, None, None),
        ({"requirements": [{"key": "kubernetes.io/arch", "operator": "Exists"}]}, {}, None, None),
    ],
)
def test_the_limit_of_vcpus_follows_the_sizes(
    gpu: dict[str, Any], models: dict[str, Any], sizes: list[str] | None, cpu: str | None
) -> None:
    spec = pool_spec({"karpenter": {**KARPENTER, "gpu": gpu}, "models": models}, "gpu")
    found = [one["values"] for one in spec["template"]["spec"]["requirements"] if one["key"].endswith("instance-size")]
    assert found == ([] if sizes is None else [sizes])
    assert spec["limits"].get("cpu") == cpu


@pytest.mark.parametrize("pool", ["gpu", "cpu"])
def test_a_node_drains_within_a_spot_notice_and_leaves_pods_their_grace_period(pool: str) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    text = pool_spec({"karpenter": KARPENTER}, pool)["template"]["spec"]["terminationGracePeriod"]
    grace_s = int(text.removesuffix("s"))
    assert values["worker"]["gracePeriodSeconds"] < grace_s < SPOT_NOTICE_S


def test_no_budget_refuses_evictions_of_servers_that_are_reclaimed_together() -> None:
    assert [one["metadata"]["name"] for one in render({}) if one["kind"] == "PodDisruptionBudget"] == []


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
    assert budgets == {"Empty": "100%", "Drifted": "0", "Underutilized": "0"}


@pytest.mark.parametrize(
    ("values", "models", "label"),
    [
        ({"karpenter": KARPENTER}, ("t4", "l4", "a10g"), "karpenter.k8s.aws/instance-gpu-name"),
        ({"karpenter": AUTO}, ("t4", "l4", "a10g"), "eks.amazonaws.com/instance-gpu-name"),
        (
            {"karpenter": {**KARPENTER, "gpu": {"instanceFamilies": ["g6", "gr6"]}}},
            ("l4",),
            "karpenter.k8s.aws/instance-gpu-name",
        ),
        (
            {"karpenter": {**KARPENTER, "gpu": {"create": False}}, "triton": {"gpu": {"gpuModels": ["l4"]}}},
            ("l4",),
            "karpenter.k8s.aws/instance-gpu-name",
        ),
        ({"karpenter": {**KARPENTER, "gpu": {"create": False}}}, (), "karpenter.k8s.aws/instance-gpu-name"),
        ({}, (), ""),
        (
            {"triton": {"gpu": {"gpuModels": ["Tesla-T4"], "gpuModelLabel": "nvidia.com/gpu.product"}}},
            ("Tesla-T4",),
            "nvidia.com/gpu.product",
        ),
    ],
)
def test_servers_know_the_gpu_models_that_nodes_can_be_asked_for(
    values: dict[str, Any], models: tuple[str, ...], label: str
) -> None:
    text = yaml.safe_load(config_text(render(values)))
    settings = installation_of(ConfigModel.model_validate(text, by_alias=True, by_name=False)).accelerators["gpu"]
    assert (settings.gpu_models, settings.gpu_label) == (models, label)
