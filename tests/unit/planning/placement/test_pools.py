"""Which instance types a NodePool may launch for a pod, as Karpenter decides it."""

from __future__ import annotations

import pytest

from support.plan_questions import offer
from videojob.planning.placement.pools import Pool, Requirement, fitting

TAINT = ("nvidia.com/gpu", "true", "NoSchedule")
FOR_GPUS = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize("prefix", ["karpenter.k8s.aws", "eks.amazonaws.com"])
@pytest.mark.parametrize(
    ("key", "operator", "values", "allowed"),
    [
        ("instance-family", "In", ("g4dn", "g6"), True),
        ("instance-family", "In", ("g5",), False),
        ("instance-family", "NotIn", ("g4dn",), False),
        ("instance-size", "In", ("xlarge",), True),
        ("instance-size", "In", ("2xlarge",), False),
        ("instance-category", "In", ("c", "m"), False),
        ("instance-category", "In", ("g",), True),
        ("instance-generation", "Gt", ("3",), True),
        ("instance-generation", "Gt", ("4",), False),
        ("instance-cpu", "Lt", ("5",), True),
        ("instance-cpu", "Lt", ("4",), False),
        ("instance-cpu", "Lte", ("4",), True),
        ("instance-cpu", "Gte", ("5",), False),
        ("instance-gpu-count", "In", ("1",), True),
        ("instance-gpu-name", "In", ("l4",), False),
        ("instance-gpu-manufacturer", "In", ("nvidia",), True),
        ("instance-gpu-name", "Exists", (), True),
        ("instance-gpu-name", "DoesNotExist", (), False),
        ("instance-hypervisor", "In", ("nitro",), True),  # nobody knows it ahead of the node
    ],
)
def test_a_requirement_on_the_type_decides_about_its_offers(
    prefix: str, key: str, operator: str, values: tuple[str, ...], allowed: bool
) -> None:
    pool = Pool("gpu", (Requirement(f"{prefix}/{key}", operator, values),))
    assert pool.allows(offer("g4dn.xlarge")) == allowed


def test_a_cpu_type_has_no_gpu_for_any_requirement() -> None:
    for one in (("In", ("nvidia",)), ("Exists", ())):
        pool = Pool("gpu", (Requirement("karpenter.k8s.aws/instance-gpu-manufacturer", *one),))
        assert not pool.allows(offer("c7i.large"))


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("karpenter.sh/capacity-type", "spot", True),
        ("karpenter.sh/capacity-type", "on-demand", False),
        ("kubernetes.io/arch", "amd64", True),
        ("kubernetes.io/arch", "arm64", False),
        ("topology.kubernetes.io/zone", "us-east-1a", True),
        ("topology.kubernetes.io/zone", "us-east-1b", False),
        ("node.kubernetes.io/instance-type", "c7i.large", True),
        ("node.kubernetes.io/instance-type", "c7i.xlarge", False),
    ],
)
def test_a_requirement_on_the_offer_decides_about_it(key: str, value: str, allowed: bool) -> None:
    pool = Pool("cpu", (Requirement(key, "In", (value,)),))
    assert pool.allows(offer("c7i.large", "spot", "us-east-1a")) == allowed


def test_an_offer_of_no_zone_meets_a_requirement_on_zones() -> None:
    assert Pool("cpu", (Requirement("topology.kubernetes.io/zone", "In", ("us-east-1a",)),)).allows(offer("c7i.large"))


def test_pods_go_to_nodes_whose_taints_they_tolerate_and_whose_labels_they_ask_for() -> None:
    gpu = Pool("gpu", taints=(TAINT,))
    own = Pool("own", labels={"team": "video"})
    soft = Pool("soft", taints=(("slow", "", "PreferNoSchedule"),))
    assert fitting([gpu, own, soft], {}, []) == (own, soft)
    assert fitting([gpu, own, soft], {}, [FOR_GPUS]) == (gpu, own, soft)
    assert fitting([gpu, own, soft], {"team": "video"}, [FOR_GPUS]) == (own,)
    assert fitting([own], {"team": "audio"}, []) == ()
    equal = {"key": "nvidia.com/gpu", "operator": "Equal", "value": "true"}
    assert fitting([gpu], {}, [equal]) == (gpu,)
    assert fitting([gpu], {}, [equal | {"value": "false"}]) == ()
    assert fitting([gpu], {}, [equal | {"effect": "NoExecute"}]) == ()


def test_a_selector_of_karpenters_own_labels_fits_every_nodepool() -> None:
    assert fitting([Pool("any")], {"karpenter.k8s.aws/instance-family": "g6"}, []) == (Pool("any"),)


@pytest.mark.parametrize(
    ("cpus", "gpus", "name", "room"),
    [
        (None, None, "g4dn.xlarge", None),
        (None, 3, "g4dn.xlarge", 3),
        (None, 3, "g4dn.12xlarge", 0),
        (8.0, 3, "g4dn.xlarge", 2),
        (7.9, None, "c7i.xlarge", 1),
        (0.0, 0, "g4dn.xlarge", 0),
        (None, 0, "c7i.large", None),
    ],
)
def test_limits_leave_room_for_so_many_nodes(cpus: float | None, gpus: int | None, name: str, room: int | None) -> None:
    assert Pool("one", cpus_left=cpus, gpus_left=gpus).room_for(offer(name).type) == room
