"""Which offers can run a job at all, and which of them can be the best. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.cost.offers import Offer
from videojob.planning.installation import Accelerator
from videojob.planning.placement.plan.surroundings import Allowed, ReplicaNeeds, Surroundings, nodes_left, quota_class
from videojob.planning.placement.pools import Pool


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer for servers of one accelerator."""

    accelerator: Accelerator
    offer: Offer

    @property
    def hardware(self) -> str:
        """What must stay the same within an epoch: the GPU's model, or the family of CPUs."""
        return hardware_of(self.accelerator, self.offer.type)


def hardware_of(accelerator: Accelerator, kind: InstanceType) -> str:
    """What must stay the same within an epoch: the GPU's model, or the family of CPUs."""
    return kind.gpu if accelerator == "gpu" else kind.family


def servers(offers: Iterable[Offer], around: Surroundings, allowed: Allowed) -> tuple[Candidate, ...]:
    """Every offer that the job's servers may be on."""
    found = []
    for accelerator in ("cpu", "gpu"):
        needs = around.replica.get(accelerator)
        if needs is None or accelerator not in allowed.accelerators:
            continue
        if accelerator == "gpu" and allowed.gpus is not None and allowed.gpus < needs.gpus:
            continue
        found += [
            Candidate(accelerator, one)
            for one in offers
            if _fits(one.type, needs, accelerator) and _may_run(one, around, allowed, needs.pools)
        ]
    return tuple(found)


def workers(offers: Iterable[Offer], around: Surroundings, allowed: Allowed) -> tuple[Offer, ...]:
    """Every offer that nodes of workers may be."""
    needs = around.worker
    without_types = replace(allowed, instance_types=())
    return tuple(
        one
        for one in offers
        if not one.type.gpu
        and one.type.arch in needs.archs
        and (not needs.families or one.type.family in needs.families)
        and one.type.allocatable_millicpu >= needs.millicpu
        and one.type.allocatable_memory_mib >= needs.memory_mib
        and _may_run(one, around, without_types, needs.pools)
    )


def _fits(kind: InstanceType, needs: ReplicaNeeds, accelerator: Accelerator) -> bool:
    if kind.arch not in needs.archs or (needs.families and kind.family not in needs.families):
        return False
    if kind.allocatable_millicpu < needs.millicpu or kind.allocatable_memory_mib < needs.memory_mib:
        return False
    if accelerator == "cpu":
        return not kind.gpu
    if needs.gpu_models and kind.gpu not in needs.gpu_models:
        return False
    return kind.gpus >= max(1, needs.gpus) and kind.gpu_memory_mib >= needs.gpu_memory_mib


def _may_run(offer: Offer, around: Surroundings, allowed: Allowed, pools: Sequence[Pool] | None) -> bool:
    if allowed.capacity_types and offer.capacity_type not in allowed.capacity_types:
        return False
    if allowed.instance_types and offer.type.name not in allowed.instance_types:
        return False
    if around.zone and offer.zone not in {"", around.zone}:
        return False
    if offer.is_available is False:
        return False
    quota = around.quota_vcpus.get((quota_class(offer.type.family), offer.capacity_type))
    return (quota is None or quota >= offer.type.vcpus) and nodes_left(pools, offer) != 0


def most_replicas(candidate: Candidate, around: Surroundings, allowed: Allowed, per_node: int) -> int:
    """Replicas that limits, quotas and NodePools leave room for; 0 for none.

    Without a deadline it is one: it starts once and is busy to the end, and more of them would cost about as much.
    """
    kind, needs = candidate.offer.type, around.replica[candidate.accelerator]
    most = [needs.max_replicas if allowed.deadline_s is not None else 1]
    if needs.gpus:
        most += [one // needs.gpus for one in (allowed.gpus, around.pool_gpus) if one is not None]
    quota = around.quota_vcpus.get((quota_class(kind.family), candidate.offer.capacity_type))
    if quota is not None:
        most.append(quota // kind.vcpus * per_node)
    nodes = nodes_left(needs.pools, candidate.offer)
    if nodes is not None:
        most.append(nodes * per_node)
    if around.pool_cpus is not None and candidate.accelerator == "cpu":
        most.append(around.pool_cpus // kind.vcpus * per_node)
    return max(0, min(most))


def best_workers(offers: Sequence[Offer], decode_vcpu_s: Callable[[Offer], tuple[float, float]]) -> tuple[Offer, ...]:
    """Those of each zone that no other beats in price, speed (expected, pessimistic), size and certainty."""
    fronts: dict[str, list[tuple[Offer, float, float, int]]] = {}
    for one in sorted(offers, key=lambda one: (one.price.usd_per_h, one.type.name)):
        mean_s, high_s = decode_vcpu_s(one)
        size = one.type.allocatable_millicpu
        front = fronts.setdefault(one.zone, [])
        # Those before it are no dearer.
        for _, other_mean_s, other_high_s, other_size in front:
            if other_size >= size and other_mean_s <= mean_s and other_high_s <= high_s:
                break
        else:
            front.append((one, mean_s, high_s, size))
    return tuple(one for front in fronts.values() for one, *_ in front)


def scaled_for_auto_mode(offers: Iterable[Offer], fee: Decimal) -> Iterator[Offer]:
    """The same offers with Auto Mode's fee, which is a share of the price on demand, whatever capacity is launched."""
    offers = tuple(offers)
    on_demand = {(one.type.name, one.zone): one.price.usd_per_h for one in offers if one.capacity_type == "on-demand"}
    for one in offers:
        base = on_demand.get((one.type.name, one.zone), one.price.usd_per_h)
        yield replace(one, price=replace(one.price, usd_per_h=one.price.usd_per_h + base * fee))
