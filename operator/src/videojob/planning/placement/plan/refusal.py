"""Why there is no plan, and why instance types that a job names cannot be used. Pure."""

from __future__ import annotations

from difflib import get_close_matches

from videojob.planning.cost.instance_types import InstanceType
from videojob.planning.installation import Accelerator
from videojob.planning.placement.plan.search import Question
from videojob.planning.placement.plan.surroundings import ReplicaNeeds
from videojob.planning.placement.plan.units import duration

_NEAREST = 3


def why_no_plan(question: Question) -> str:
    """Which constraints nothing meets, as a clause. What would be enough is in `NoPlan.changes`."""
    allowed = question.allowed
    problems = type_problems(question)
    if problems and len(problems) == len(allowed.instance_types):
        return f"none of spec.compute.instanceTypes can run the job: {'; '.join(problems)}"
    if allowed.deadline_s is not None and allowed.deadline_s <= 0:
        return "the deadline has passed"
    in_time = None if allowed.deadline_s is None else f"the deadline of {duration(allowed.deadline_s)}"
    affordable = None if allowed.max_usd is None else f"the budget of {allowed.max_usd.normalize():f} US dollars"
    limits = " and ".join(one for one in (in_time, affordable) if one is not None)
    return f"no hardware meets {limits}" if limits else "no hardware that the job allows can run it"


def type_problems(question: Question) -> tuple[str, ...]:
    """Why a server of the job cannot be on instance types that its spec names, a clause for each."""
    found = ((name, _problem(question, name)) for name in question.allowed.instance_types)
    return tuple(f"{name} {why}" for name, why in found if why)


def _problem(question: Question, name: str) -> str:
    """What is wrong with a type; "" for nothing."""
    kind = question.offers.types.get(name)
    if kind is None:
        near = get_close_matches(name, question.offers.types, _NEAREST)
        return "is in no table of instance types" + (f" (nearest: {', '.join(near)})" if near else "")
    capacities = question.allowed.capacity_types
    priced = [one for one in question.offers.offers if one.type.name == name]
    if not any(not capacities or one.capacity_type in capacities for one in priced):
        return f"has no {f'{capacities[0]} ' if capacities else ''}price in {question.offers.region}"
    accelerator: Accelerator = "gpu" if kind.gpu else "cpu"
    if accelerator not in question.allowed.accelerators:
        return "has a GPU, and only CPUs are allowed" if kind.gpu else "has no GPU, and only GPUs are allowed"
    needs = question.around.replica.get(accelerator)
    return f"is for {accelerator}, on which the model is not served" if needs is None else _misfit(kind, needs)


def _misfit(kind: InstanceType, needs: ReplicaNeeds) -> str:
    """What a replica needs and a type has not; "" for nothing."""
    if kind.arch not in needs.archs:
        return f"is {kind.arch}, and a server's image is for {', '.join(needs.archs)}"
    if needs.families and kind.family not in needs.families:
        return f"is of a family that no NodePool allows: {', '.join(needs.families)} are allowed"
    if needs.gpu_models and kind.gpu not in needs.gpu_models:
        return f"has a GPU {kind.gpu}, and the server can be bound to {', '.join(needs.gpu_models)}"
    if kind.gpus < needs.gpus:
        return f"has {kind.gpus or 'only a part of a'} GPU, and a server needs {needs.gpus}"
    has_least = (
        ("MiB of GPU memory", kind.gpu_memory_mib, needs.gpu_memory_mib),
        ("thousandths of a vCPU for pods", kind.allocatable_millicpu, needs.millicpu),
        ("MiB of memory for pods", kind.allocatable_memory_mib, needs.memory_mib),
    )
    lacking = (f"has {has:,} {unit}, and a server needs {least:,}" for unit, has, least in has_least if has < least)
    return next(lacking, "")
