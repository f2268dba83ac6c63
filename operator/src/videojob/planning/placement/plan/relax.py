"""When nothing will do: the smallest change of each single constraint that would make a plan possible. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal

from videojob.planning.placement.plan.option import Outcome
from videojob.planning.placement.plan.race import is_feasible
from videojob.planning.placement.plan.search import Question, cheapest, outcomes
from videojob.planning.placement.plan.surroundings import Allowed, quota_class

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why nothing will do.

    Attributes:
        changes: what would, one sentence for each constraint, the cheapest way first; empty when not one does.
        nearest: the way that the first of them makes possible.
    """

    changes: tuple[str, ...]
    nearest: Outcome | None = None


def no_plan(question: Question, found: Sequence[Outcome]) -> NoPlan:
    """What would make a plan possible, where none of the outcomes is feasible."""
    ways = sorted(_changes(question, found), key=lambda change: cheapest(change[1]))
    return NoPlan(tuple(words for words, _ in ways), ways[0][1] if ways else None)


def _changes(question: Question, found: Sequence[Outcome]) -> Iterator[tuple[str, Outcome]]:
    allowed = question.allowed
    if allowed.deadline_s is not None:
        unhurried = replace(allowed, deadline_s=None)
        affordable = [one for one in found if is_feasible(one, unhurried)]
        if affordable:
            soonest = min(affordable, key=lambda one: (one.ends_p90_s, cheapest(one)))
            needed_s = math.ceil(soonest.ends_p90_s)
            yield f"Set spec.deadline.completeWithin to {_time(needed_s)} or more.", soonest
    if allowed.max_usd is not None:
        in_time = [one for one in found if is_feasible(one, replace(allowed, max_usd=None))]
        if in_time:
            least = min(in_time, key=lambda one: (one.usd_p90, cheapest(one)))
            yield f"Raise spec.budget.maxCost to {_dollars(least.usd_p90)} or more.", least
    for words, changed in _relaxed(question):
        better = [one for one in outcomes(changed) if is_feasible(one, allowed)]
        if better:
            best = min(better, key=cheapest)
            yield words.format(type=best.way.server.type.name, capacity=best.way.server.capacity_type,
                               gpus=best.way.replicas, accelerator=best.way.accelerator,
                               vcpus=best.server_nodes * best.way.server.type.vcpus,
                               quota=quota_class(best.way.server.type.family)), best  # fmt: skip


def _relaxed(question: Question) -> Iterator[tuple[str, Question]]:
    """(what to do, the question without one constraint)."""
    allowed, around = question.allowed, question.around

    def with_allowed(**changes: object) -> Question:
        changed: Allowed = replace(allowed, **changes)  # type: ignore[arg-type]
        return replace(question, allowed=changed)

    if allowed.instance_types:
        yield "Add {type} to spec.compute.instanceTypes.", with_allowed(instance_types=())
    if allowed.capacity_types:
        yield "Add {capacity} to spec.compute.capacityTypes.", with_allowed(capacity_types=())
    if set(allowed.accelerators) != set(around.replica):
        yield "Allow {accelerator} in spec.compute.accelerator.", with_allowed(accelerators=tuple(around.replica))
    if allowed.gpus is not None:
        yield "Raise spec.compute.limits.gpus to {gpus}.", with_allowed(gpus=None)
    if allowed.workers is not None or allowed.cpus is not None:
        yield "Raise spec.compute.limits.workers and limits.cpus.", with_allowed(workers=None, cpus=None)
    if around.pool_gpus is not None or around.pool_cpus is not None:
        words = "Raise the limits of the NodePool to {vcpus} vCPUs and {gpus} GPUs more."
        yield words, replace(question, around=replace(around, pool_gpus=None, pool_cpus=None))
    if around.quota_vcpus:
        words = "Ask AWS for {vcpus} vCPUs of quota for {capacity} instances of class {quota}."
        yield words, replace(question, around=replace(around, quota_vcpus={}))


def _time(seconds: int) -> str:
    return f"{seconds}s" if seconds < 600 else f"{math.ceil(seconds / 60)}m"


def _dollars(usd: Decimal) -> str:
    return f'"{usd.quantize(_CENT, ROUND_UP)}"'
