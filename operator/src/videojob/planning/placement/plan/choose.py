"""Chooses the plan: of the ways that meet deadline and budget in nine of ten cases, the one that costs least. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from videojob.planning.placement.plan.option import Outcome
from videojob.planning.placement.plan.race import LEAST_WAIT_S, MOST_RUNNERS_UP, TIE, Kind, is_feasible, is_patient
from videojob.planning.placement.plan.search import Question, cheapest, kind_of, members_of
from videojob.planning.placement.plan.surroundings import Allowed
from videojob.planning.placement.plan.units import dollars, duration

SET = Decimal("1.15")
"""Members of a set cost at most so many times as much as its best."""
FALLBACK_AFTER_S = 900.0
"""How long capacity is waited for at most before the fallback applies."""
_NEARLY = Decimal("1.095")
"""Below it a price is so many per cent higher: one decimal place would say 1.0 times."""


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """A way that lost, and why in a few words."""

    outcome: Outcome
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How a job is to run.

    Attributes:
        chosen: what the node provisioner would launch first, and what comes of it.
        members: the set that may be launched, `chosen` among them, the cheapest hour first.
        usd_low, usd_high: the expected cost of the cheapest member, and the pessimistic one of the dearest.
        fallback: what applies when no capacity comes; None when nothing else would do.
        fallback_after_s: seconds of waiting after which it does.
        runners_up: the best that lost, one for each kind of hardware and capacity type, the cheapest first.
        ties: how many kinds of hardware and capacity were within 3% of the cheapest.
    """

    chosen: Outcome
    members: tuple[Outcome, ...]
    usd_low: Decimal
    usd_high: Decimal
    fallback: Outcome | None
    fallback_after_s: float
    runners_up: tuple[RunnerUp, ...]
    ties: int = 1


def choose(question: Question, found: Sequence[Outcome]) -> Plan | None:
    """The plan; None when nothing meets the constraints.

    Args:
        question: see `Question`.
        found: its `outcomes`.
    """
    feasible = [one for one in found if is_feasible(one, question.allowed)]
    if not feasible:
        return None
    best = min(one.usd for one in feasible)
    equal = [one for one in feasible if one.usd <= best * TIE]
    first = min(equal, key=_preference)
    members = _members(question, first, best)
    chosen = members[0]
    rivals = _best_of_each_kind(found, question.allowed)
    own = kind_of(chosen)
    runners_up = tuple(
        RunnerUp(one, why_lost(one, chosen, question.allowed)) for kind, one in rivals.items() if kind != own
    )[:MOST_RUNNERS_UP]
    fallback = _fallback([one for one in feasible if kind_of(one) != own], question.allowed)
    return Plan(
        chosen=chosen,
        members=members,
        usd_low=min(one.usd for one in members),
        usd_high=max(one.usd_p90 for one in members),
        fallback=fallback,
        fallback_after_s=_fallback_after_s(fallback, question.allowed),
        runners_up=runners_up,
        ties=len({kind_of(one) for one in equal}),
    )


def fastest(found: Iterable[Outcome]) -> Outcome:
    """What should end first; of equals the cheapest."""
    return min(found, key=lambda one: (one.ends_s, cheapest(one)))


def why_lost(outcome: Outcome, chosen: Outcome, allowed: Allowed) -> str:
    """In a few words."""
    if allowed.deadline_s is not None and outcome.ends_p90_s > allowed.deadline_s:
        return f"may end {duration(outcome.ends_p90_s - allowed.deadline_s)} after the deadline"
    if allowed.max_usd is not None and outcome.usd_p90 > allowed.max_usd:
        return f"may cost {dollars(outcome.usd_p90)}, more than the budget"
    if outcome.usd <= chosen.usd * TIE:
        return "costs the same, but starts from zero or is less likely to be available"
    times = outcome.usd / chosen.usd
    return f"costs {times:.1f} times as much" if times >= _NEARLY else f"costs {100 * (times - 1):.0f}% more"


def _preference(outcome: Outcome) -> tuple[bool, bool, bool, tuple[Decimal, float, str, str], str]:
    """Of equal ways: what is warm, then what is known to be there, then what nobody takes away, then the cheapest."""
    way = outcome.way
    is_spot = way.server.capacity_type == "spot"
    return way.warm is None, way.server.is_available is not True, is_spot, cheapest(outcome), way.server.zone


def _members(question: Question, first: Outcome, best: Decimal) -> tuple[Outcome, ...]:
    """The set around an outcome, the cheapest hour first, as the node provisioner launches it.

    A type whose hour is cheaper, though its frames are not, would be launched first: it belongs to the set only while
    that keeps the price within a tie of the best.
    """
    if first.way.warm is not None:
        return (first,)
    found = [first]
    for outcome in members_of(question, first):
        if not is_feasible(outcome, question.allowed) or outcome.usd > first.usd * SET:
            continue
        is_launched_first = outcome.way.server.price.usd_per_h < first.way.server.price.usd_per_h
        if not is_launched_first or outcome.usd <= best * TIE:
            found.append(outcome)
    return tuple(sorted(found, key=lambda one: (one.way.server.price.usd_per_h, _preference(one))))


def _best_of_each_kind(found: Iterable[Outcome], allowed: Allowed) -> dict[Kind, Outcome]:
    """The cheapest that is feasible, of a kind without one the cheapest; cheapest kinds first."""
    best: dict[Kind, Outcome] = {}
    for one in sorted(found, key=lambda one: (not is_feasible(one, allowed), cheapest(one))):
        best.setdefault(kind_of(one), one)
    return dict(sorted(best.items(), key=lambda item: cheapest(item[1])))


def _fallback(others: Sequence[Outcome], allowed: Allowed) -> Outcome | None:
    """The cheapest way on other hardware, or paid for otherwise, that leaves time to wait; on demand where possible."""
    if allowed.deadline_s is not None:
        patient = [one for one in others if is_patient(one, allowed)]
        others = patient or others
    certain = [one for one in others if one.way.server.capacity_type == "on-demand"]
    return min(certain or others, key=cheapest, default=None)


def _fallback_after_s(fallback: Outcome | None, allowed: Allowed) -> float:
    if fallback is None or allowed.deadline_s is None:
        return FALLBACK_AFTER_S
    return max(LEAST_WAIT_S, min(FALLBACK_AFTER_S, allowed.deadline_s - fallback.ends_p90_s))
